package mutate

import (
	"cmp"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// RemoveBuildArgs takes build arguments out of the texts of history, as classic docker,
// BuildKit and podman write them: entries of ARG, which go if nothing else is in them, and
// the arguments in front of commands ("|1 TOKEN=x /bin/sh -c make"). So the value of
// a secret that was passed this way leaves the image; what else says it, such as a
// variable of the environment, is warned of, and files are not looked at.
//
// Values are not quoted there. Where one ends is told by the names that are declared, by
// the shell that runs the command, or by another text with the same value. Where
// nothing tells it is ErrAmbiguous, unless Value says it. That nothing fits is warned of.
//
// The config changes, and with it the manifest; history keeps its other texts, and
// diffIDs, created, annotations and layers stay. Descriptors of what changed get the
// new digest, and data embedded in them goes.
type RemoveBuildArgs struct {
	// Name is the argument's; it is not used with Pattern.
	Name string
	// Value, if not nil, is the only one that is taken out.
	Value *string
	// Pattern is tried on NAME=VALUE, in which ^ and $ make it fit the whole; nil goes by
	// Name and Value.
	Pattern *regexp.Regexp
}

// Image takes the arguments out of the history.
func (e RemoveBuildArgs) Image(_ context.Context, im *Image) error {
	if ok, err := hasConfig(im); err != nil || !ok {
		return err
	}
	scan := newArgScan(e, im.shells())
	for _, h := range im.History {
		scan.learn(h.Raw.GetString("created_by"))
	}
	kept := []*History{}
	for i, h := range im.History {
		text := h.Raw.GetString("created_by")
		left, err := scan.text(text)
		if err != nil {
			return content.Errorf(content.ErrAmbiguous, "history entry %d: build argument %w", i+1, err)
		}
		switch {
		case left == text:
		case left == "" && h.Layer == nil:
			continue // nothing else was in it
		default:
			h.Raw.SetString("created_by", cmp.Or(left, "ARG"))
		}
		kept = append(kept, h)
	}
	if im.History != nil {
		im.History = kept
	}
	if scan.found == 0 {
		im.Job.Warn("%s: no build argument %s in its history", im.Descriptor.Digest, e)
	}
	im.warnOf(scan.values)
	return nil
}

// String says which arguments are meant, without the value of a secret.
func (e RemoveBuildArgs) String() string {
	if e.Pattern != nil {
		return "that fits the pattern"
	}
	return e.Name
}

// fits says whether an argument is to go. One without a value is declared only.
func (e RemoveBuildArgs) fits(a buildArg) bool {
	switch {
	case e.Pattern != nil:
		return e.Pattern.MatchString(a.name + "=" + a.value)
	case a.name != e.Name:
		return false
	}
	return e.Value == nil || a.bare || a.value == *e.Value
}

// mostShells is how many shells an image may say that it has; further ones do not count.
const mostShells = 32

// shells lists what commands begin with that a shell runs.
func (im *Image) shells() []string {
	list := []string{"/bin/sh -c", "/bin/bash -c", "/bin/ash -c", "cmd /S /C", "powershell -Command"}
	if words, err := textsOf(im.Config, "config", "Shell"); err == nil && len(words) > 0 {
		list = append(list, strings.Join(words, " "))
	}
	for _, h := range im.History {
		_, command := cutPrefixes(h.Raw.GetString("created_by"))
		inner, ok := strings.CutPrefix(command, "SHELL [")
		shell := strings.TrimSuffix(strings.TrimSpace(inner), "]")
		if ok && shell != "" && len(list) < mostShells && !slices.Contains(list, shell) {
			list = append(list, shell)
		}
	}
	return list
}

// textsOf reads a list of texts in an object of o.
func textsOf(o *rawjson.Object, outer, key string) ([]string, error) {
	var list []string
	err := editMember(o, outer, func(inner *rawjson.Object) error {
		key, err := keyOf(inner, key)
		if err != nil {
			return err
		}
		_, list, err = texts(inner.Get(key))
		return err
	})
	return list, err
}

const (
	// shortestSecret is the length from which on a value is looked for elsewhere:
	// shorter ones are everywhere.
	shortestSecret = 4
	// mostSecrets is how many values are looked for.
	mostSecrets = 64
)

// warnOf says where the image still has values.
func (im *Image) warnOf(values []string) {
	slices.Sort(values)
	values = slices.DeleteFunc(slices.Compact(values), func(v string) bool { return len(v) < shortestSecret })
	values = values[:min(len(values), mostSecrets)]
	has := func(raw []byte) bool {
		found := false
		eachText(raw, func(text string) {
			found = found || slices.ContainsFunc(values, func(v string) bool { return strings.Contains(text, v) })
		})
		return found
	}
	for i, h := range im.History {
		if len(values) > 0 && has(h.Raw.Bytes()) {
			im.Job.Warn("%s: the value of a build argument is still in history entry %d", im.Descriptor.Digest, i+1)
		}
	}
	for _, f := range im.Config.Fields() {
		raw := f.Value
		if f.Key == buildInfo {
			raw = plainInfo(raw)
		}
		if len(values) > 0 && f.Key != "history" && f.Key != "rootfs" && has(raw) {
			im.Job.Warn("%s: the value of a build argument is still in the config's %s", im.Descriptor.Digest, f.Key)
		}
	}
	if len(values) > 0 && has(im.Manifest.Get("annotations")) {
		im.Job.Warn("%s: the value of a build argument is still in annotations", im.Descriptor.Digest)
	}
}

// eachText calls f with every text in a value of JSON, keys among them.
func eachText(raw []byte, f func(text string)) {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return // nothing is there
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			f(v)
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for key, e := range v {
				f(key)
				walk(e)
			}
		}
	}
	walk(v)
}

// buildInfo is where BuildKit before 0.12 keeps the arguments of a build in a config.
const buildInfo = "moby.buildkit.buildinfo.v1"

// plainInfo is what buildInfo says in base64, as a text of JSON.
func plainInfo(raw json.RawMessage) json.RawMessage {
	var text []byte // encoding/json reads base64 into bytes
	if json.Unmarshal(raw, &text) != nil {
		return raw
	}
	return rawjson.Quote(string(text))
}

var buildArgRmFlag = Flag{
	Name:  "build-arg-rm",
	Usage: "take a build argument out of the history: `NAME`, or NAME=VALUE where it has that value",
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		name, text, given := strings.Cut(value, "=")
		e := RemoveBuildArgs{Name: name}
		if given {
			e.Value = &text
		}
		if !isArgName(name) {
			return nil, content.Errorf(content.ErrInvalid, "%q is no name of a build argument", name)
		}
		return e, checkText(value)
	}),
}

var buildArgRmRegexFlag = Flag{
	Name:  "build-arg-rm-regex",
	Usage: "take build arguments out of the history whose whole NAME=VALUE fits `PATTERN`",
	Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		re, err := regexp.Compile("^(?s:" + value + ")$")
		if err != nil {
			return nil, content.Errorf(content.ErrInvalid, "%q: %w", value, err)
		}
		return RemoveBuildArgs{Pattern: re}, nil
	}),
}
