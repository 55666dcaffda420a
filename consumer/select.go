package consumer

import (
	"encoding/json"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// Options say what is wanted of what a consumer gets. The zero value takes everything
// that it accepts, for an archive.
type Options struct {
	// Platforms are the only ones taken of an index; an image that lacks one is refused.
	Platforms []content.Platform
	// Name is what the one image is called; the entry's own name if empty.
	Name string
	// Repository goes in front of names that are a tag alone; without it such a name is
	// refused where the consumer needs a full one.
	Repository string
	// Directory is set for a layout in a directory, not an archive.
	Directory bool
	// File is the name of the archive's file, if it has one.
	File string
}

// A Kept is an entry that the consumer gets.
type Kept struct {
	Facts Facts
	// Place is that of Facts among those that were given.
	Place int
	// Entry is what is written.
	Entry layout.Entry
	// Content are the bytes of the new index that Entry points to; nil if what it points
	// to is there already.
	Content []byte
	// Children are those of Facts that come along.
	Children []Child
	// Shown is what the consumer calls it; "" if it has no names.
	Shown string

	name   string
	rename bool  // though the name is the same, its annotations are to be written anew
	single bool  // it is to be one manifest, not an index
	sparse bool  // the index stays as it is, though children stay behind
	by     *Rule // which made it lose children
}

// Whole says whether all that the entry reaches comes along, as it is.
func (k *Kept) Whole() bool {
	return k.Content == nil && k.Entry.Digest == k.Facts.Entry.Digest && len(k.Children) == len(k.Facts.Children)
}

// Sparse says whether the index is kept while some of its images stay behind.
func (k *Kept) Sparse() bool {
	return k.Facts.IsIndex() && k.Entry.Digest == k.Facts.Entry.Digest && len(k.Children) < len(k.Facts.Children)
}

// A Remark is what a rule made of an entry.
type Remark struct {
	Rule   string         `json:"rule"`
	Name   string         `json:"name"` // of the entry; "" if it has none
	Digest content.Digest `json:"digest"`
	Reason string         `json:"reason"`
}

// A Selection is what a consumer gets of some entries, and what it does not.
type Selection struct {
	Consumer Consumer
	// Kept are in the order of the entries.
	Kept []Kept
	// LeftOut are the entries that it does not get.
	LeftOut []Remark
	// Changed are the names, indexes and platforms that it gets otherwise than they are,
	// and what else should be known.
	Changed []Remark
	// Refused is why it would not load what is kept; nothing should be written then.
	Refused []Remark
}

// Err is nil if the consumer would load what is kept. Otherwise it names the first entry
// and rule, and is ErrRefused, or ErrNotFound for a platform that the user asked for.
func (s Selection) Err() error {
	if len(s.Refused) == 0 {
		return nil
	}
	r := s.Refused[0]
	kind, text := content.ErrRefused, string(s.Consumer)+": "+r.Reason+" (rule "+r.Rule+")"
	if wish, ok := wishes[r.Rule]; ok {
		kind, text = wish, r.Reason
	}
	err := content.Errorf(kind, "%s", text)
	if more := len(s.Refused) - 1; more > 0 {
		err = content.Errorf(kind, "%w, and %d more such", err, more)
	}
	if r.Digest != "" {
		err = content.AtDigest(r.Digest, err)
	}
	if r.Name != "" {
		err = content.At(r.Name, unaddressed(err))
	}
	return err
}

// unaddressed drops the digest in front of an error that gets a name there.
func unaddressed(err error) error {
	if e, ok := err.(*content.Error); ok {
		return e.Err
	}
	return err
}

// Names are those that the consumer shows, in order.
func (s Selection) Names() []string {
	var names []string
	for _, k := range s.Kept {
		names = append(names, k.Shown)
	}
	slices.Sort(names)
	return names
}

// Select applies the rules of a consumer to entries. It is pure, and what it keeps of
// what it has kept before is the same again.
func Select(c Consumer, facts []Facts, o Options) Selection {
	s := &selecting{c: c, o: o}
	for i, f := range facts {
		s.kept = append(s.kept, &Kept{Facts: f, Place: i, Entry: f.Entry, Children: f.Children, name: f.Entry.Name()})
	}
	for i := range table {
		r := &table[i]
		if i == entryRules {
			s.wanted()
		}
		if r.holdsFor(c) && r.apply != nil && !(r.ArchiveOnly && o.Directory) {
			r.apply(s, r)
		}
	}
	result := Selection{Consumer: c, LeftOut: s.leftOut, Refused: s.refused}
	for _, k := range s.kept {
		s.settle(k)
		result.Kept = append(result.Kept, *k)
	}
	result.Changed = s.changed
	return result
}

// selecting is a selection while the rules are applied.
type selecting struct {
	c       Consumer
	o       Options
	kept    []*Kept
	leftOut []Remark
	changed []Remark
	refused []Remark
}

func (k *Kept) remark(r *Rule, reason string) Remark {
	return Remark{Rule: r.ID, Name: k.Facts.Entry.Name(), Digest: k.Facts.Entry.Digest, Reason: reason}
}

// dropIf leaves out the entries for which a reason is given, and refuses those that
// the user named.
func (s *selecting) dropIf(r *Rule, reason func(k *Kept) string) {
	s.kept = slices.DeleteFunc(s.kept, func(k *Kept) bool {
		why := reason(k)
		switch {
		case why == "":
			return false
		case k.Facts.Chosen:
			s.refused = append(s.refused, k.remark(r, why))
		default:
			s.leftOut = append(s.leftOut, k.remark(r, why))
		}
		return true
	})
}

// refuseIf refuses the entries for which a reason is given.
func (s *selecting) refuseIf(r *Rule, reason func(k *Kept) string) {
	for _, k := range s.kept {
		if why := reason(k); why != "" {
			s.refused = append(s.refused, k.remark(r, why))
		}
	}
}

func (s *selecting) say(r *Rule, k *Kept, text string) {
	s.changed = append(s.changed, k.remark(r, text))
}

// settle makes the entry that is written of what the rules decided.
func (s *selecting) settle(k *Kept) {
	if k.rename || k.Entry.Name() != k.name {
		k.Entry = k.Entry.WithName(k.name)
	}
	switch {
	case k.single && k.Facts.IsIndex() && len(k.Children) > 0:
		child := k.Children[0]
		k.Entry = k.Entry.WithContent(content.Descriptor{
			MediaType: child.MediaType, Digest: child.Digest, Size: child.Size, Platform: child.Platform})
	case k.Facts.IsIndex() && !k.sparse && len(k.Children) < len(k.Facts.Children) && len(k.Children) > 0:
		k.Content = indexOf(k.Facts.Index, k.Children)
		k.Entry = k.Entry.WithContent(content.Descriptor{MediaType: k.Facts.Entry.MediaType,
			Digest: digest.FromBytes(k.Content), Size: int64(len(k.Content))})
	}
	k.Shown = s.shown(k)
	if k.by != nil {
		s.say(k.by, k, k.how())
	}
}

// how says what became of an entry that lost children.
func (k *Kept) how() string {
	switch {
	case k.Content != nil:
		return "narrowed to " + platformsOf(k.Children) + ": the new index is " + string(k.Entry.Digest)
	case k.Sparse():
		return "only " + platformsOf(k.Children) + " is taken; the index keeps its digest"
	}
	return "narrowed to its manifest for " + platformsOf(k.Children) + ", " + string(k.Entry.Digest)
}

// shown is what the consumer calls an entry.
func (s *selecting) shown(k *Kept) string {
	name := k.Entry.Name()
	switch {
	case !s.c.Listed():
		return name
	case name == "":
		return "<none>:<none>"
	case s.c.is(DockerClassic) || s.c.is(DockerContainerd):
		return layout.FamiliarName(name)
	}
	return name
}

// indexOf is an index with other children, and all else that it has. Nested indexes
// were taken apart, so that it holds manifests alone.
func indexOf(index []byte, children []Child) []byte {
	raws := make([]json.RawMessage, len(children))
	for i, c := range children {
		raws[i] = json.RawMessage(c.Raw)
	}
	made, err := layout.WithManifests(index, raws)
	if err != nil { // Look read the same bytes
		panic(err)
	}
	return made
}
