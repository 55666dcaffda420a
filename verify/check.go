package verify

import (
	"bufio"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A Report is what Check found.
type Report struct {
	// OK says that no problem is an error.
	OK bool `json:"ok"`
	// Checked counts what was read.
	Checked Checked `json:"checked"`
	// Problems lists errors first; it is never nil.
	Problems []Problem `json:"problems"`
	// For is what each consumer of Options.For sees.
	For []View `json:"for,omitempty"`
	// Repaired are the blobs that Repair replaced or brought in.
	Repaired []Repaired `json:"repaired,omitempty"`
}

// Checked counts what a check has read.
type Checked struct {
	Manifests int   `json:"manifests"` // manifests and indexes
	Blobs     int   `json:"blobs"`     // all blobs, manifests among them
	Bytes     int64 `json:"bytes"`     // of all blobs, as they are stored
}

// Check judges the layout r, or of it only what the roots reach: with roots nil
// index.json, names, and blobs that nothing refers to are judged too. Every blob
// is read once; of each layer of a type that is known the diffID is computed in
// that same pass. What Options ask for besides comes after that. The error is of ctx;
// everything else is in the report.
func Check(ctx context.Context, r *layout.Reader, roots []content.Descriptor, o Options) (Report, error) {
	return newChecker(r, o).check(ctx, roots)
}

func (c *checker) check(ctx context.Context, roots []content.Descriptor) (Report, error) {
	o, whole := c.o, roots == nil
	var entries []entry
	if whole {
		c.marker()
		entries = c.index()
	} else {
		entries = c.roots(roots)
	}
	named := entries
	if !whole && len(o.Referrers) > 0 {
		more, err := c.referrersOf(ctx, entries)
		if err != nil {
			return Report{}, err
		}
		entries = slices.Concat(entries, more)
	}
	if err := c.content(ctx, entries, whole); err != nil {
		return Report{}, err
	}
	c.references()
	if whole {
		c.names(entries)
		c.referrers(entries)
	}
	images := c.subjects(named, whole)
	c.requirements(images)
	views, err := c.consumers(ctx)
	if err == nil {
		err = c.expectations(ctx, images)
	}
	if err != nil {
		return Report{}, err
	}
	problems := c.problems()
	return Report{OK: len(problems) == 0 || problems[0].Severity != SeverityError, Checked: c.checked, Problems: problems, For: views}, nil
}

// content reads what there is, as far as the level says.
func (c *checker) content(ctx context.Context, entries []entry, whole bool) error {
	if err := c.graph(ctx, entries); err != nil {
		return err
	}
	if whole {
		if err := c.files(ctx); err != nil {
			return err
		}
	}
	return c.blobs(ctx)
}

// checker is the state of one Check. The maps are written by one goroutine at a
// time; only the collector, the configs and what is kept are shared by the workers.
type checker struct {
	*collector
	r         *layout.Reader
	limits    content.Limits
	workers   int
	level     Level
	o         Options
	targets   map[content.Digest]*target
	manifests map[content.Digest]*verdict
	lists     map[content.Digest]bool // indexes under a fallback tag
	configs   configs
	kept      keeper
	given     []layout.Entry    // what consumers get; empty without any
	words     map[string]string // media types, each once
	room      room
	checked   Checked
}

func newChecker(r *layout.Reader, o Options) *checker {
	c := &checker{
		collector: newCollector(), r: r, limits: o.Limits.WithDefaults(), workers: o.Workers, level: o.Level, o: o,
		targets: map[content.Digest]*target{}, manifests: map[content.Digest]*verdict{},
		lists: map[content.Digest]bool{}, words: map[string]string{},
		configs: configs{byID: map[content.Digest]*configReading{}},
	}
	if c.workers <= 0 {
		c.workers = runtime.GOMAXPROCS(0)
	}
	if len(o.For) > 0 {
		c.kept.blobs = map[content.Digest][]byte{}
	}
	return c
}

// roots are the entries made of descriptors that the caller named.
func (c *checker) roots(list []content.Descriptor) []entry {
	var entries []entry
	for _, d := range list {
		if !c.descriptor(at{}, "the descriptor", d) {
			continue
		}
		named := layout.NewEntry(d)
		entries = append(entries, entry{pointer: pointer{d.MediaType, d.Digest}, size: d.Size, n: -1,
			platform: childPlatform(d), name: named.Name(), image: true})
		c.give(named)
	}
	return entries
}

// entry is an entry of index.json, or a root that the caller named, with what is
// needed of it.
type entry struct {
	pointer
	size      int64
	n         int  // its place in index.json; -1 for a root that was named
	image     bool // and not an artifact, a list of referrers, or what cosign tagged
	platform  *content.Platform
	name, ref string // as layout.Entry has them
	subject   string // that io.containerd.manifest.subject claims
}

// intern gives equal words the same bytes. Of hostile ones it keeps no more than some.
func (c *checker) intern(word string) string {
	if kept, ok := c.words[word]; ok {
		return kept
	}
	if len(c.words) < 1000 {
		c.words[word] = word
	}
	return word
}

// marker judges the file oci-layout (image-spec image-layout.md, "oci-layout
// file"). A version that is unknown the store has refused to open.
func (c *checker) marker() {
	where := at{path: "oci-layout"}
	data, err := c.r.ReadFile("oci-layout", c.limits.Manifest)
	switch {
	case errors.Is(err, content.ErrNotFound):
		c.warnf(LayoutMissing, where, "the file is not there")
		return
	case err != nil:
		c.errorf(BlobUnreadable, where, "%s", reason(err))
		return
	}
	c.strict(where, data, c.limits.Depth)
}

// index judges index.json and returns its entries. It is read as a stream, since it may
// be large.
func (c *checker) index() []entry {
	f, err := c.r.OpenFile("index.json")
	switch {
	case errors.Is(err, content.ErrNotFound):
		c.errorf(IndexInvalid, indexFile, "the file is not there")
		return nil
	case errors.Is(err, content.ErrRefused):
		c.errorf(IndexInvalid, indexFile, "%s", reason(err))
		return nil
	case err != nil:
		c.errorf(BlobUnreadable, indexFile, "%s", reason(err))
		return nil
	}
	defer func() { _ = f.Close() }() // only read
	if f.Size() > c.limits.Index {
		c.errorf(TooLarge, indexFile, "%d bytes are over the limit of %d", f.Size(), c.limits.Index)
		return nil
	}
	entries := make([]entry, 0, min(f.Size()/leastEntry, 1<<16))
	c.readIndex(bufio.NewReaderSize(io.NewSectionReader(f, 0, f.Size()), 256<<10), func(raw []byte, n int) {
		if e, ok := c.entry(raw, n); ok {
			entries = append(entries, e)
		}
	})
	return entries
}

// leastEntry is about as many bytes as an entry has.
const leastEntry = 150
