package layout

import (
	"context"
	"errors"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// A Listing is an entry of index.json as `ls` shows it: what the entry itself says,
// and Details if they were asked for. Its JSON is stable.
type Listing struct {
	Name         string            `json:"name"` // "" for an untagged entry
	Digest       content.Digest    `json:"digest"`
	MediaType    string            `json:"mediaType"`
	Size         int64             `json:"size"` // of the manifest's own bytes
	Platform     *content.Platform `json:"platform,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	*Details
}

// Details are what a Listing says of the content behind an entry.
type Details struct {
	TotalSize int64    `json:"totalSize"`         // as in Description
	Created   string   `json:"created,omitempty"` // RFC 3339, by the config or the manifest's annotation
	Platforms []string `json:"platforms"`         // of the image, or of all images in the index
	Referrers int      `json:"referrers"`         // how many there are
	Absent    bool     `json:"absent,omitempty"`  // the manifest is not in the layout, and nothing is known of it
}

// ListOptions say what is listed. The zero value lists what people gave names to,
// and opens no blob.
type ListOptions struct {
	// All lists fallback and cosign tags and untagged entries too.
	All bool
	// Details reads manifests and configs for Listing.Details.
	Details bool
	// Brief leaves out Annotations, unless Details are asked for.
	Brief bool
	// Match lists only names that fit one of these patterns: "*" is any text, "?"
	// a character, "[a-z]" one of several. It is tried on the name in docker's
	// long and short form, and on the tag. None lists every name.
	Match []string
	// Exclude leaves out names that fit one of these patterns, as they are for Match.
	Exclude []string
	// NoDigestTags leaves out fallback and cosign tags that All would list.
	NoDigestTags bool
}

// List yields the entries of index.json, in their order. An error ends it; a
// pattern that is none is ErrInvalid.
func (r *Reader) List(ctx context.Context, o ListOptions) iter.Seq2[Listing, error] {
	return func(yield func(Listing, error) bool) {
		stopped := false
		err := r.view(ctx, o.wants, func(x *Index) error {
			if err := checkPatterns(slices.Concat(o.Match, o.Exclude)); err != nil {
				return err
			}
			f, done := r.withReferrers(o.Details)
			defer done()
			w := x.window()
			for i, raw := range x.kept.entries(&x.spans) {
				e, err := listed(raw, func() ([]byte, error) { return w.raw(x.spans.at(i)) }, o.Brief && !o.Details)
				if err != nil {
					return content.At("index.json", err)
				}
				l, err := listing(ctx, f, e, o.Details, r.Limits())
				if err != nil {
					return err
				}
				l.Name = x.summary(x.spans.at(i)).Name
				if stopped = !yield(l, nil); stopped {
					return nil
				}
			}
			return nil
		})
		if err != nil && !stopped {
			yield(Listing{}, err)
		}
	}
}

// listed decodes an entry of which the scan kept raw or, if that is nil, what read
// gives, which is good until it is called again.
func listed(raw []byte, read func() ([]byte, error), brief bool) (Entry, error) {
	if raw == nil {
		raw, err := read()
		if err != nil {
			return Entry{}, err
		}
		return ParseEntry(raw)
	}
	if brief {
		if d, ok := briefDescriptor(raw); ok {
			return Entry{Descriptor: d}, checkDescriptor(d)
		}
	}
	return ParseEntry(raw)
}

func (o ListOptions) wants(s Summary, _ []byte) bool {
	switch isDigestTag := s.Kind == KindFallback || isCosignTag(s.Name); {
	case !o.All && (s.Name == "" || isDigestTag), o.NoDigestTags && isDigestTag:
		return false
	}
	return (len(o.Match) == 0 || s.fitsAny(o.Match)) && !s.fitsAny(o.Exclude)
}

// fitsAny says whether a name of an entry fits one of the patterns.
func (s Summary) fitsAny(patterns []string) bool {
	for _, pattern := range patterns {
		for _, name := range []string{s.Name, s.RefName, FamiliarName(s.Name)} {
			if name != "" && matchName(pattern, name) {
				return true
			}
		}
	}
	return false
}

// matchName is path.Match for names, in which a "/" is a character like others.
func matchName(pattern, name string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(name, "/", "\x00"))
	return err == nil && ok
}

func checkPatterns(patterns []string) error {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return content.Errorf(content.ErrInvalid, "%q is no pattern for names", p)
		}
	}
	return nil
}

func listing(ctx context.Context, f content.Fetcher, e Entry, details bool, limits content.Limits) (Listing, error) {
	l := Listing{
		Digest: e.Digest, MediaType: e.MediaType, Size: e.Size,
		Platform: e.Platform, ArtifactType: e.ArtifactType, Annotations: e.Annotations,
	}
	if !details {
		return l, nil
	}
	l.Details = &Details{Platforms: []string{}}
	if !content.HasEdges(e.MediaType) || e.Kind() == KindFallback {
		return l, nil // what a list of referrers lists is said of their subject
	}
	d, err := Describe(ctx, f, e, limits)
	if errors.Is(err, content.ErrMissing) {
		l.Absent = true
		return l, nil
	}
	if err != nil {
		return l, err
	}
	l.TotalSize, l.Created, l.Details.Referrers = d.TotalSize, d.Created(), len(d.Referrers)
	switch {
	case len(d.Platforms) > 0:
		l.Platforms = d.Platforms
	case d.Platform != nil && d.Image != nil:
		l.Platforms = []string{content.FormatPlatform(*d.Platform)}
	}
	return l, nil
}
