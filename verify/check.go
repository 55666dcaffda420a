package verify

import (
	"bytes"
	"context"
	"errors"
	"runtime"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// Options say how Check works. The zero value is right for most.
type Options struct {
	// Workers is how many blobs are read at once; 0 is one for each core.
	Workers int
	// Limits bound what is read; zero fields mean the defaults.
	Limits content.Limits
}

// A Report is what Check found.
type Report struct {
	// OK says that no problem is an error.
	OK bool `json:"ok"`
	// Checked counts what was read.
	Checked Checked `json:"checked"`
	// Problems lists errors first; it is never nil.
	Problems []Problem `json:"problems"`
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
// that same pass. The error is of ctx; everything else is in the report.
func Check(ctx context.Context, r *layout.Reader, roots []content.Descriptor, o Options) (Report, error) {
	c := &checker{
		collector: newCollector(), r: r, limits: o.Limits.WithDefaults(), workers: o.Workers,
		targets: map[content.Digest]*target{}, manifests: map[content.Digest]*verdict{},
		lists: map[content.Digest]bool{}, words: map[string]string{},
	}
	if c.workers <= 0 {
		c.workers = runtime.GOMAXPROCS(0)
	}
	whole := roots == nil
	var entries []entry
	if whole {
		c.marker()
		entries = c.index()
	} else {
		for _, d := range roots {
			if c.descriptor(at{}, "the descriptor", d) {
				root := content.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
				entries = append(entries, entry{desc: root, n: -1, platform: childPlatform(d)})
			}
		}
	}
	if err := c.graph(ctx, entries); err != nil {
		return Report{}, err
	}
	if whole {
		if err := c.files(ctx); err != nil {
			return Report{}, err
		}
	}
	if err := c.blobs(ctx); err != nil {
		return Report{}, err
	}
	c.references()
	if whole {
		c.names(entries)
		c.referrers(entries)
	}
	problems := c.problems()
	return Report{OK: len(problems) == 0 || problems[0].Severity != SeverityError, Checked: c.checked, Problems: problems}, nil
}

// checker is the state of one Check. The maps are written by one goroutine at a
// time; only the collector is shared by the workers.
type checker struct {
	*collector
	r         *layout.Reader
	limits    content.Limits
	workers   int
	targets   map[content.Digest]*target
	manifests map[content.Digest]*verdict
	lists     map[content.Digest]bool // indexes under a fallback tag
	configs   configCache
	words     map[string]string // media types, each once
	checked   Checked
}

// entry is an entry of index.json, or a root that the caller named, with what is
// needed of it.
type entry struct {
	desc      content.Descriptor // media type, digest and size
	n         int                // its place in index.json; -1 for a root that was named
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

// index judges index.json and returns its entries.
func (c *checker) index() []entry {
	data, err := c.r.ReadFile("index.json", c.limits.Index)
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
	var entries []entry
	c.readIndex(bytes.NewReader(data), func(raw []byte, n int) {
		if e, ok := c.entry(raw, n); ok {
			entries = append(entries, e)
		}
	})
	return entries
}
