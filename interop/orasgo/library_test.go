// Package orasgo_test uses a Layout by way of oras-go, as its programs do.
package orasgo_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/memory"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/layout"
)

// TestLibraryPage: the page shows the program that is run as an example.
func TestLibraryPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/library.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, ok := strings.Cut(string(example), "// --- docs/library.md ---\n\n")
	if !ok || !strings.Contains(string(page), "```go\n"+code+"```") {
		t.Error("docs/library.md shows another program than interop/orasgo/example_test.go")
	}
}

// TestOrasGoReadsAndWrites copies graphs between a Layout and oras-go's own stores.
func TestOrasGoReadsAndWrites(t *testing.T) {
	ctx := t.Context()
	src := memory.New()
	image, err := oras.PackManifest(ctx, src, oras.PackManifestVersion1_1, "a/image", oras.PackManifestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Tag(ctx, image, "v1"); err != nil {
		t.Fatal(err)
	}
	subject := image
	var want []string
	for i := range 3 { // a chain of referrers
		text := fmt.Sprintf("a/%d", i)
		if subject, err = oras.PackManifest(ctx, src, oras.PackManifestVersion1_1, text, oras.PackManifestOptions{Subject: &subject}); err != nil {
			t.Fatal(err)
		}
		want = append(want, text)
	}
	l, err := layout.Open(testkit.Layout(t, nil), layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 2 { // the second time everything is there
		if _, err := oras.ExtendedCopy(ctx, src, "v1", l, "v1", oras.ExtendedCopyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	found, err := l.FindReferrers(ctx, layout.ReferrerQuery{Subject: image, Recursive: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range found {
		got = append(got, r.ArtifactType)
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	direct, err := registry.Referrers(ctx, l, image, "a/0")
	if err != nil || len(direct) != 1 {
		t.Errorf("registry.Referrers: %v, %v", direct, err)
	}
	theirs, err := oci.New(l.Path())
	if err != nil {
		t.Fatal(err)
	}
	seen, err := registry.Referrers(ctx, theirs, image, "")
	if err != nil || len(seen) != 1 || seen[0].ArtifactType != "a/0" {
		t.Errorf("oras-go's own store sees %v, %v", seen, err)
	}
	back := memory.New()
	if _, err := oras.ExtendedCopy(ctx, l, "v1", back, "v1", oras.ExtendedCopyOptions{}); err != nil {
		t.Fatal(err)
	}
	if ok, err := back.Exists(ctx, subject); err != nil || !ok {
		t.Errorf("the end of the chain is not copied out: %v", err)
	}
}

// TestOrasGoErrors are those that its callers decide by.
func TestOrasGoErrors(t *testing.T) {
	ctx := t.Context()
	l, err := layout.Open(testkit.Layout(t, nil), layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Resolve(ctx, "absent"); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("Resolve: %v", err)
	}
	absent := content.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: "sha256:" + content.Digest(strings.Repeat("a", 64)), Size: 1}
	if err := l.Tag(ctx, absent, "v1"); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("Tag of what is absent: %v", err)
	}
	if _, err := l.Fetch(ctx, absent); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("Fetch: %v", err)
	}
	d, err := oras.PushBytes(ctx, l, "text/plain", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Push(ctx, d, bytes.NewReader([]byte("x"))); err != nil && !errors.Is(err, errdef.ErrAlreadyExists) {
		t.Errorf("Push again: %v", err)
	}
	if err := l.Push(ctx, d, bytes.NewReader([]byte("y"))); err != nil { // it is there: the reader is not asked
		t.Errorf("Push of what is there: %v", err)
	}
}
