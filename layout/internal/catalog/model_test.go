package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout/internal/catalog"
)

// world is a layout in memory: what index.json leads to, and what is there.
type world struct {
	roots     []catalog.Root
	mu        sync.Mutex
	manifests map[content.Digest]content.Manifest
	reads     atomic.Int64
	state     catalog.State
}

func newWorld() *world {
	w := &world{manifests: map[content.Digest]content.Manifest{}}
	w.tick()
	return w
}

// tick makes the state a new one, and old enough to be believed.
func (w *world) tick() {
	w.state.Index.Ino++
	w.state.Blobs[0].Ino++
	w.state.At = time.Now()
}

func (w *world) Roots(_ context.Context, yield func(catalog.Root) error) error {
	for _, r := range w.roots {
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) Manifest(_ context.Context, ref catalog.Ref, _ bool) (content.Manifest, error) {
	w.reads.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	m, ok := w.manifests[ref.Digest]
	if !ok {
		return m, content.ErrNotFound
	}
	if m.MediaType != ref.MediaType || ref.Size != 100 {
		return m, content.ErrCorrupt
	}
	return m, nil
}

// name is a digest; every fifth is a sha512, and every eleventh of an algorithm that
// nobody knows.
func name(i int) content.Digest {
	text := fmt.Sprint(i)
	switch {
	case i%11 == 10:
		return content.Digest("odd+alg:" + strings.Repeat(text, 5))
	case i%5 == 4:
		return digest.SHA512.FromString(text)
	}
	return digest.FromString(text)
}

// refTo points at manifest i. Some are never pointed at with their right size.
func refTo(i int, mediaType string) catalog.Ref {
	if i%13 == 12 {
		return catalog.Ref{Digest: name(i), MediaType: mediaType, Size: 7}
	}
	return catalog.Ref{Digest: name(i), MediaType: mediaType, Size: 100}
}

func descriptor(i int, mediaType string) content.Descriptor {
	return refTo(i, mediaType).Descriptor()
}

// typeOfNumber: manifests are numbered, and an index lists only those below it.
func typeOfNumber(i int) string {
	switch {
	case i%3 == 0:
		return ocispec.MediaTypeImageIndex
	case i%7 == 0:
		return content.ORASArtifactManifest
	}
	return ocispec.MediaTypeImageManifest
}

const modelSize = 60

// make writes manifest i.
func (w *world) make(rng *rand.Rand, i int) {
	m := content.Manifest{MediaType: typeOfNumber(i)}
	if rng.IntN(2) == 0 {
		subject := descriptor(rng.IntN(modelSize), "")
		m.Subject = &subject
	}
	if !content.IsIndex(m.MediaType) {
		config := descriptor(1000+rng.IntN(5), "text/plain")
		m.Config = &config
		m.Layers = []content.Descriptor{descriptor(2000+rng.IntN(5), "text/plain")}
	}
	for range rng.IntN(6) {
		if i == 0 || !content.IsIndex(m.MediaType) {
			break
		}
		n := rng.IntN(i)
		child := descriptor(n, typeOfNumber(n))
		child.ArtifactType = []string{"", "a/b", "c/d"}[rng.IntN(3)]
		switch rng.IntN(8) {
		case 1:
			child.MediaType = "text/plain"
		case 2:
			child.Annotations = map[string]string{
				content.AnnotationReferenceType:   "attestation-manifest",
				content.AnnotationReferenceDigest: name(rng.IntN(modelSize)).String(),
			}
		}
		m.Manifests = append(m.Manifests, child)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.manifests[name(i)] = m
}

// randomRoot leads to a manifest in a random way.
func randomRoot(rng *rand.Rand) catalog.Root {
	n := rng.IntN(modelSize)
	r := catalog.Root{Ref: refTo(n, typeOfNumber(n)), Form: catalog.Form(rng.IntN(6))}
	if r.Form != catalog.Plain {
		r.About = name(rng.IntN(modelSize)).String()
	}
	return r
}

// answers is all that can be asked.
func answers(t *testing.T, f catalog.Facts) map[string]any {
	t.Helper()
	all := map[string]any{}
	note := func(key string, value any, err error) {
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		all[key] = value
	}
	sorted := func(refs []catalog.Ref, err error) ([]catalog.Ref, error) {
		slices.SortFunc(refs, func(a, b catalog.Ref) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
		return append([]catalog.Ref{}, refs...), err
	}
	for i := range modelSize {
		d := name(i)
		ref, ok, err := f.Manifest(d)
		note(fmt.Sprint(i, " manifest"), []any{ref, ok}, err)
		refs, err := sorted(f.Referrers(d))
		note(fmt.Sprint(i, " referrers"), refs, err)
		refs, err = sorted(f.Parents(d))
		note(fmt.Sprint(i, " parents"), refs, err)
		children, err := f.Children(d)
		note(fmt.Sprint(i, " children"), append([]catalog.Child{}, children...), err)
		attestations, err := f.Attestations(d)
		slices.SortFunc(attestations, func(a, b catalog.Attestation) int {
			return strings.Compare(string(a.Digest+a.Index.Digest), string(b.Digest+b.Index.Digest))
		})
		note(fmt.Sprint(i, " attestations"), append([]catalog.Attestation{}, attestations...), err)
		for form := catalog.Fallback; form <= catalog.Named; form++ {
			refs, err = sorted(f.Claims(form, d.String()))
			note(fmt.Sprint(i, " claims ", form), refs, err)
		}
	}
	for i := range 5 {
		refs, err := sorted(f.Users(name(2000 + i)))
		note(fmt.Sprint(i, " users"), refs, err)
	}
	return all
}

func computed(t *testing.T, w *world) map[string]any {
	t.Helper()
	f, err := catalog.Compute(t.Context(), w, 0, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return answers(t, f)
}

func stored(t *testing.T, c catalog.Catalog, w *world) map[string]any {
	t.Helper()
	s, err := c.Open(w.state, false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return answers(t, s.Facts)
}

func compare(t *testing.T, got, want map[string]any) {
	t.Helper()
	for key, value := range want {
		if !reflect.DeepEqual(got[key], value) {
			t.Errorf("%s: %v, want %v", key, got[key], value)
		}
	}
}

// TestModel changes a layout at random, tells the catalog of it in each of the ways
// that there are, and compares every answer with one from a full reading.
func TestModel(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newWorld()
		c := catalog.Catalog{Dir: t.TempDir(), NoSync: true}
		for i := range modelSize {
			if rng.IntN(4) > 0 {
				w.make(rng, i)
			}
		}
		for step := range 30 {
			before := w.state
			var added, gone []catalog.Root
			w.roots = slices.DeleteFunc(w.roots, func(r catalog.Root) bool {
				if rng.IntN(6) > 0 {
					return false
				}
				gone = append(gone, r)
				return true
			})
			for range rng.IntN(6) {
				r := randomRoot(rng)
				if slices.ContainsFunc(w.roots, sameRoot(r)) {
					continue
				}
				w.roots = append(w.roots, r)
				added = append(added, r)
			}
			gone = slices.DeleteFunc(gone, func(r catalog.Root) bool { return slices.ContainsFunc(w.roots, sameRoot(r)) })
			w.tick()
			if rng.IntN(4) == 0 { // something comes that was led to before
				if i := rng.IntN(modelSize); w.manifests[name(i)].MediaType == "" {
					w.make(rng, i)
				}
			}
			tell(t, rng, c, w, before, added, gone)
			compare(t, stored(t, c, w), computed(t, w))
			if t.Failed() {
				t.Fatalf("seed %d, step %d", seed, step)
			}
		}
	}
}

func sameRoot(r catalog.Root) func(catalog.Root) bool {
	return func(other catalog.Root) bool {
		return other.Digest == r.Digest && other.Form == r.Form && other.About == r.About
	}
}

// tell brings the catalog up to date.
func tell(t *testing.T, rng *rand.Rand, c catalog.Catalog, w *world, before catalog.State, added, gone []catalog.Root) {
	t.Helper()
	switch rng.IntN(10) {
	case 0:
		c.Discard()
	case 1, 2, 3, 4:
		after := w.state
		if err := c.Apply(t.Context(), before, after, added, gone, w); err != nil && !errors.Is(err, catalog.ErrStale) {
			t.Fatal(err)
		}
	}
	if s, err := c.Open(w.state, false); err == nil {
		s.Close()
		return // Apply was all that was needed
	} else if !errors.Is(err, catalog.ErrStale) {
		t.Fatal(err)
	}
	if err := c.Refresh(t.Context(), w.state, w); err != nil {
		t.Fatal(err)
	}
}
