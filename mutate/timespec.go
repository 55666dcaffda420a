package mutate

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

// A TimeSpec says what times become.
type TimeSpec struct {
	// Set is what every time becomes. With FromLabel it is for images without the label.
	Set time.Time
	// After leaves times up to it alone, where Set or FromLabel is given.
	After time.Time
	// Max is what later times become; earlier ones stay. It excludes Set.
	Max time.Time
	// FromLabel is a label of the image whose value is the time to set.
	FromLabel string
	// BaseLayers is how many of the lowest layers stay as they are, with the history
	// entries up to that of the last of them.
	BaseLayers int
	// Base is an image whose layers, and as many history entries as it has, stay as
	// they are; nil is none. An image that does not begin with them is ErrInvalid.
	Base *BaseImage
}

// A BaseImage is another image, or an index that has one for each platform.
type BaseImage struct {
	Name       string // as the user gave it
	Source     content.Fetcher
	Descriptor content.Descriptor
}

// ParseTimeSpec reads a list, with commas, of set=T, after=T, max=T, from-label=L,
// base=REF and base-layers=N. T is a time of RFC 3339, a date, seconds since 1970, or
// "now", which is cut to seconds: a fraction takes every member a PAX header.
func ParseTimeSpec(s string, env FlagEnv) (TimeSpec, error) {
	var spec TimeSpec
	for part := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(part, "=")
		if !ok || value == "" {
			return spec, content.Errorf(content.ErrInvalid, "%q is no part of a time: want set=T, after=T, max=T, from-label=L, base=REF or base-layers=N", part)
		}
		if err := spec.part(key, value, env); err != nil {
			return spec, err
		}
	}
	return spec, spec.check()
}

func (s *TimeSpec) part(key, value string, env FlagEnv) (err error) {
	switch key {
	case "set":
		s.Set, err = ParseTime(value, env)
	case "after":
		s.After, err = ParseTime(value, env)
	case "max":
		s.Max, err = ParseTime(value, env)
	case "from-label":
		s.FromLabel = value
	case "base-layers":
		n, bad := strconv.Atoi(value)
		if s.BaseLayers = n; bad != nil || n < 0 {
			err = content.Errorf(content.ErrInvalid, "%q is no number of layers", value)
		}
	case "base":
		s.Base, err = env.base(value)
	default:
		err = content.Errorf(content.ErrInvalid, "%q is no part of a time: want set, after, max, from-label, base or base-layers", key)
	}
	return err
}

// base finds the image that a value names.
func (env FlagEnv) base(ref string) (*BaseImage, error) {
	if env.Resolve == nil {
		return nil, content.Errorf(content.ErrUnsupported, "%s: no other image can be named here", ref)
	}
	f, d, err := env.Resolve(ref)
	return &BaseImage{Name: ref, Source: f, Descriptor: d}, err
}

func (s TimeSpec) check() error {
	sets := !s.Set.IsZero() || s.FromLabel != ""
	switch {
	case sets && !s.Max.IsZero():
		return content.Errorf(content.ErrInvalid, "a time is set or has a maximum, not both")
	case !sets && s.Max.IsZero():
		return content.Errorf(content.ErrInvalid, "a time lacks set=T, from-label=L or max=T")
	case !s.After.IsZero() && !sets:
		return content.Errorf(content.ErrInvalid, "after=T goes with set=T or from-label=L")
	}
	return nil
}

// ParseTime reads a time as flags have it: RFC 3339, a date, seconds since 1970, or now.
func ParseTime(s string, env FlagEnv) (time.Time, error) {
	if s == "now" {
		if env.Now != nil {
			return env.Now().UTC().Truncate(time.Second), nil
		}
		return time.Now().UTC().Truncate(time.Second), nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 && n < 1<<37 {
		return time.Unix(n, 0).UTC(), nil
	}
	for _, form := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, content.Errorf(content.ErrInvalid, "%q is no time: want RFC 3339 such as 2024-01-31T12:00:00Z, a date, seconds since 1970, or now", s)
}

// A timeRule is a TimeSpec for one image.
type timeRule struct {
	set, after, max time.Time
	layers          int // of the base
	history         int // entries of the base
}

// at is what t becomes.
func (r timeRule) at(t time.Time) time.Time {
	switch {
	case !r.max.IsZero() && t.After(r.max):
		return r.max
	case !r.max.IsZero(), !r.after.IsZero() && !t.After(r.after):
		return t
	}
	return r.set
}

func (r timeRule) key() string {
	return "set " + stamp(r.set) + " after " + stamp(r.after) + " max " + stamp(r.max)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// rule works out what the spec means for an image.
func (s TimeSpec) rule(ctx context.Context, im *Image) (timeRule, error) {
	r := timeRule{set: s.Set, after: s.After, max: s.Max, layers: s.BaseLayers}
	if s.BaseLayers > len(im.Layers) {
		return r, content.Errorf(content.ErrInvalid, "image has %d layers, fewer than base-layers=%d", len(im.Layers), s.BaseLayers)
	}
	if s.FromLabel != "" {
		if err := r.label(im, s.FromLabel); err != nil {
			return r, err
		}
	}
	if s.Base != nil {
		if err := r.base(ctx, im, s.Base); err != nil {
			return r, err
		}
	}
	for i, h := range im.History {
		if h.Layer != nil && slices.Index(im.Layers, h.Layer) < r.layers {
			r.history = max(r.history, i+1)
		}
	}
	return r, nil
}

// label takes the time from a label.
func (r *timeRule) label(im *Image, label string) error {
	var config struct {
		Config struct{ Labels map[string]string }
	}
	if im.Config != nil {
		if err := json.Unmarshal(im.Config.Bytes(), &config); err != nil {
			return content.Errorf(content.ErrCorrupt, "config: %w", err)
		}
	}
	value, ok := config.Config.Labels[label]
	switch {
	case ok:
		var err error
		if r.set, err = ParseTime(value, FlagEnv{}); err != nil || value == "now" {
			return content.Errorf(content.ErrInvalid, "label %s is %q, which is no time", label, value)
		}
	case r.set.IsZero():
		return content.Errorf(content.ErrNotFound, "image has no label %s", label)
	}
	return nil
}

// base counts the layers and history entries of a base.
func (r *timeRule) base(ctx context.Context, im *Image, base *BaseImage) error {
	ids, history, err := base.layers(ctx, im)
	if err != nil {
		return content.At(base.Name, err)
	}
	for i, id := range ids {
		if i >= len(im.Layers) || im.Layers[i].DiffID != id {
			return content.Errorf(content.ErrInvalid, "image does not begin with the layers of %s", base.Name)
		}
	}
	r.layers, r.history = max(r.layers, len(ids)), min(history, len(im.History))
	return nil
}

// layers lists the diffIDs of the image of the base that is for im's platform, and
// counts its history entries.
func (b *BaseImage) layers(ctx context.Context, im *Image) ([]content.Digest, int, error) {
	d := b.Descriptor
	if content.IsIndex(d.MediaType) {
		var err error
		if d, err = content.SelectPlatform(ctx, b.Source, d, im.Platform, im.Job.Limits); err != nil {
			return nil, 0, err
		}
	}
	m, _, err := content.FetchManifest(ctx, b.Source, d, im.Job.Limits)
	if err != nil {
		return nil, 0, err
	}
	if !m.IsImage() {
		return nil, 0, content.AtDigest(d.Digest, content.Errorf(content.ErrInvalid, "is no image"))
	}
	config, _, err := content.FetchConfig(ctx, b.Source, *m.Config, im.Job.Limits)
	return config.RootFS.DiffIDs, len(config.History), err
}
