package verify

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/consumer"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/docker"
	"github.com/ocilayout/ocilayout/layout"
)

// A View is what a consumer makes of a layout, or of one image, as it is.
type View struct {
	Consumer consumer.Consumer `json:"consumer"`
	// Loads says that no rule of the consumer is broken by what it is given.
	Loads bool `json:"loads"`
	// Names are what it calls the images that it can load, in order: "" is one that it is
	// given by a path. It is never nil.
	Names []string `json:"names"`
}

// give notes an entry that consumers get.
func (c *checker) give(e layout.Entry) {
	if len(c.o.For) > 0 {
		c.given = append(c.given, e)
	}
}

// consumers holds what there is to the rules of consumers. The error is of ctx.
func (c *checker) consumers(ctx context.Context) ([]View, error) {
	if len(c.o.For) == 0 {
		return nil, nil
	}
	var facts []consumer.Facts
	var unread []consumer.Remark
	for _, e := range c.given {
		found, err := consumer.Look(ctx, readAgain{c}, []layout.Entry{e}, func(int) bool { return true }, c.limits)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			unread = append(unread, consumer.Remark{Rule: "image-absent", Name: e.Name(), Digest: e.Digest, Reason: reason(err)})
		default:
			facts = append(facts, found...)
		}
	}
	views := make([]View, len(c.o.For))
	for i, who := range c.o.For {
		views[i] = c.view(who, facts, unread)
	}
	return views, nil
}

// view applies the rules of one consumer. What they would leave out, narrow or refuse,
// the consumer as it is would not load, or would load other than it is.
func (c *checker) view(who consumer.Consumer, facts []consumer.Facts, unread []consumer.Remark) View {
	o := consumer.Options{Directory: !c.r.IsArchive()}
	if c.r.IsArchive() {
		o.File = filepath.Base(c.r.Path())
	}
	s := consumer.Select(who, facts, o)
	rules := map[string]consumer.Rule{}
	for _, r := range consumer.Rules(who) {
		rules[r.ID] = r
	}
	j := judging{c, who, rules, View{Consumer: who, Loads: true, Names: []string{}}}
	for _, r := range slices.Concat(unread, s.Refused) {
		j.refuse(r, r.Reason)
	}
	for _, r := range s.LeftOut {
		j.tell(SeverityNote, r, r.Reason)
	}
	for _, k := range s.Kept {
		j.kept(k)
	}
	for _, r := range s.Changed {
		j.changed(r, s.Kept)
	}
	if _, ok := rules[dockerManifest]; ok && c.r.IsArchive() {
		j.dockerManifest(s.Kept)
	}
	slices.Sort(j.view.Names)
	return j.view
}

// dockerManifest is the rule that an archive has the file of that name.
const dockerManifest = "docker-manifest"

// judging is one consumer's judgement.
type judging struct {
	*checker
	who   consumer.Consumer
	rules map[string]consumer.Rule
	view  View
}

func (j *judging) refuse(r consumer.Remark, text string) {
	j.view.Loads = false
	j.tell(SeverityError, r, text)
}

func (j *judging) tell(s Severity, r consumer.Remark, text string) {
	if r.Name != "" {
		text = truncate(r.Name) + ": " + text
	}
	j.add(Problem{ID: r.Rule, Severity: s, Digest: r.Digest, Path: indexFile.path, Consumer: j.who,
		Message: fmt.Sprintf("%s: %s", j.who, truncate(text))})
}

// kept notes the name of an entry that the consumer loads.
func (j *judging) kept(k consumer.Kept) {
	name := k.Shown
	if given := k.Facts.Entry.Name(); k.Entry.Name() != given {
		name = given // a name that it should have, and has not
	}
	j.view.Names = append(j.view.Names, name)
}

// changed tells what the rules would change: a name is a warning, other content is what
// the consumer would not take as it is, and the rest is worth knowing.
func (j *judging) changed(r consumer.Remark, kept []consumer.Kept) {
	rule := j.rules[r.Rule]
	other := func(k consumer.Kept) bool {
		return k.Facts.Entry.Digest == r.Digest && k.Facts.Entry.Name() == r.Name && k.Entry.Digest != r.Digest
	}
	switch {
	case rule.Action == consumer.Rename:
		j.tell(SeverityWarning, r, rule.Statement)
	case rule.Action == consumer.Narrow && slices.ContainsFunc(kept, other):
		j.refuse(r, rule.Statement)
	default:
		j.tell(SeverityNote, r, r.Reason)
	}
}

// dockerManifest looks whether docker's manifest.json is in the archive and lists an
// image of every entry, and whether the archive has what it lists.
func (j *judging) dockerManifest(kept []consumer.Kept) {
	whole := consumer.Remark{Rule: dockerManifest}
	data, err := j.r.ReadFile(docker.ManifestName, j.limits.Index)
	if errors.Is(err, content.ErrNotFound) {
		j.refuse(whole, "the archive has no "+docker.ManifestName)
		return
	}
	var images []docker.Image
	if err == nil {
		images, err = docker.Parse(data)
	}
	if err != nil {
		j.refuse(whole, docker.ManifestName+": "+reason(err))
		return
	}
	configs := map[string]bool{}
	for _, image := range images {
		configs[strings.TrimSuffix(image.Config[strings.LastIndexByte(image.Config, '/')+1:], ".json")] = true
		for _, name := range append(image.Layers, image.Config) {
			if _, err := j.r.ReadFile(name, 0); errors.Is(err, content.ErrNotFound) {
				j.refuse(whole, fmt.Sprintf("%s lists %q, which is not in the archive", docker.ManifestName, truncate(name)))
				return
			}
		}
	}
	for _, k := range kept {
		listed := func(child consumer.Child) bool { return child.Config != "" && configs[child.Config.Encoded()] }
		if !slices.ContainsFunc(k.Children, listed) {
			j.refuse(consumer.Remark{Rule: dockerManifest, Name: k.Facts.Entry.Name(), Digest: k.Facts.Entry.Digest},
				docker.ManifestName+" does not list it")
		}
	}
}
