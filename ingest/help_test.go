package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/ingest"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// newLayout is an empty layout. What is in it at the end of the test is verified.
func newLayout(t testing.TB) *layout.Layout {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	l, err := layout.Init(context.Background(), dir, layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Watch(t, dir)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func entries(t testing.TB, l *layout.Layout) []layout.Entry {
	t.Helper()
	var all []layout.Entry
	err := l.View(context.Background(), func(x *layout.Index) error {
		for e, err := range x.Entries() {
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// names lists the names of a layout, sorted.
func names(t testing.TB, l *layout.Layout) []string {
	t.Helper()
	var all []string
	for _, e := range entries(t, l) {
		all = append(all, e.Name())
	}
	slices.Sort(all)
	return all
}

// blobs lists the digests of a layout's blobs.
func blobs(t testing.TB, l *layout.Layout) []content.Digest {
	t.Helper()
	var all []content.Digest
	for b, err := range l.Blobs(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b.Digest)
	}
	return all
}

func importBytes(l *layout.Layout, archive []byte, o ingest.Options) (ingest.Result, error) {
	return ingest.Import(context.Background(), l, ingest.Source{Reader: bytes.NewReader(archive), Name: "a.tar"}, o)
}

// mustImport imports an archive both from memory, with random access, and as a
// stream; both must do the same. It returns the layout of the former.
func mustImport(t *testing.T, archive []byte, o ingest.Options) (*layout.Layout, ingest.Result) {
	t.Helper()
	l, streamed := newLayout(t), newLayout(t)
	result, err := importBytes(l, archive, o)
	if err != nil {
		t.Fatal(err)
	}
	src := ingest.Source{Reader: io.MultiReader(bytes.NewReader(archive)), Name: "-"}
	second, err := ingest.Import(context.Background(), streamed, src, o)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := build.JSON(result), build.JSON(second); !bytes.Equal(a, b) {
		t.Errorf("as a stream\n%s\nand not\n%s", b, a)
	}
	if !slices.Equal(blobs(t, l), blobs(t, streamed)) || !bytes.Equal(indexFile(t, l), indexFile(t, streamed)) {
		t.Error("a stream makes another layout")
	}
	return l, result
}

func indexFile(t testing.TB, l *layout.Layout) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(l.Path(), "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// refuse imports an archive that must fail with an error of a kind, in one line
// that holds the words, and change no name. Nothing but blobs may stay behind.
func refuse(t *testing.T, archive []byte, o ingest.Options, kind error, words ...string) {
	t.Helper()
	l := newLayout(t)
	before := indexFile(t, l)
	for _, src := range []io.Reader{bytes.NewReader(archive), io.MultiReader(bytes.NewReader(archive))} {
		_, err := ingest.Import(context.Background(), l, ingest.Source{Reader: src, Name: "a.tar"}, o)
		if !errors.Is(err, kind) {
			t.Errorf("got %v, want %v", err, kind)
			continue
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q does not say %q", err, w)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("more than one line: %q", err)
		}
	}
	if !bytes.Equal(before, indexFile(t, l)) {
		t.Error("index.json changed")
	}
	if found := blobs(t, l); len(found) > 0 {
		t.Errorf("blobs were published: %v", found)
	}
	staging, err := filepath.Glob(filepath.Join(l.Path(), ".ocilayout", "staging", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range staging {
		if info, err := os.Stat(path); err != nil || info.Size() > 0 {
			t.Errorf("%s is left: %v", path, err)
		}
	}
}

// manifestOf resolves a name and reads the manifest.
func manifestOf(t testing.TB, l *layout.Layout, name string) content.Manifest {
	t.Helper()
	d, err := l.Resolve(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := content.FetchManifest(context.Background(), l, d, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// fetch reads a blob.
func fetch(t testing.TB, l *layout.Layout, d content.Descriptor) []byte {
	t.Helper()
	data, err := content.FetchAll(context.Background(), l, d, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// drain reads a blob to its verdict.
func drain(rc io.ReadCloser, err error) error {
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, rc)
	return errors.Join(err, rc.Close())
}
