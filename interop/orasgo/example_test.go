package orasgo_test

// The code below the marker is shown in docs/library.md; TestLibraryPage compares.

// --- docs/library.md ---

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/registry"

	"github.com/ocilayout/ocilayout/layout"
)

// A layout.Layout is what oras-go calls a GraphTarget, and lists referrers.
var (
	_ oras.GraphTarget        = (*layout.Layout)(nil)
	_ registry.ReferrerLister = (*layout.Layout)(nil)
)

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := attachAndCopy(context.Background(), dir); err != nil {
		log.Fatal(err)
	}
	// Output:
	// example/report: {"passed":true}
}

// attachAndCopy attaches a report to an image in one layout, and copies the image
// with all that refers to it to another.
func attachAndCopy(ctx context.Context, dir string) error {
	from, err := layout.Init(ctx, filepath.Join(dir, "from"), layout.Options{})
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := layout.Init(ctx, filepath.Join(dir, "to"), layout.Options{})
	if err != nil {
		return err
	}
	defer to.Close()

	// Any manifest will do for an image here.
	image, err := oras.PackManifest(ctx, from, oras.PackManifestVersion1_1, "example/image", oras.PackManifestOptions{})
	if err != nil {
		return err
	}
	if err := from.Tag(ctx, image, "v1"); err != nil {
		return err
	}

	report, err := oras.PushBytes(ctx, from, "application/json", []byte(`{"passed":true}`))
	if err != nil {
		return err
	}
	// Pushing a manifest with a subject makes it a referrer, at once and durably.
	if _, err := oras.PackManifest(ctx, from, oras.PackManifestVersion1_1, "example/report", oras.PackManifestOptions{
		Subject: &image, Layers: []ocispec.Descriptor{report},
	}); err != nil {
		return err
	}

	if _, err := oras.ExtendedCopy(ctx, from, "v1", to, "v1", oras.ExtendedCopyOptions{}); err != nil {
		return err
	}
	found, err := to.FindReferrers(ctx, layout.ReferrerQuery{Subject: image})
	if err != nil {
		return err
	}
	for _, r := range found {
		_, text, err := oras.FetchBytes(ctx, to, report.Digest.String(), oras.FetchBytesOptions{})
		if err != nil {
			return err
		}
		fmt.Printf("%s: %s\n", r.ArtifactType, text)
	}
	return nil
}
