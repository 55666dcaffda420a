package layout_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/layout"
)

// TestKindOfForeignEntries: crane and cosign write the type of an image's config as
// its artifactType, and the image is one all the same.
func TestKindOfForeignEntries(t *testing.T) {
	const digest = "sha256:c1b0cd7c057b4d1025a5848abd260e81ea858c974b715c81996e901e9e51bf47"
	for artifactType, want := range map[string]layout.Kind{
		"application/vnd.oci.image.config.v1+json":        layout.KindImage,
		"application/vnd.docker.container.image.v1+json":  layout.KindImage,
		"application/vnd.cncf.helm.config.v1+json":        layout.KindArtifact,
		"application/vnd.dev.sigstore.bundle.v0.3+json":   layout.KindArtifact,
		"application/vnd.oci.image.manifest.v1+json":      layout.KindArtifact,
		"application/vnd.oci.image.config.v1+json; q=0.5": layout.KindArtifact,
	} {
		raw := `{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":555,"digest":"` + digest + `","artifactType":"` + artifactType + `"}`
		e, err := layout.ParseEntry([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Kind(); got != want {
			t.Errorf("an entry of type %q is of kind %d, want %d", artifactType, got, want)
		}
		dir := t.TempDir()
		for name, text := range map[string]string{
			"oci-layout": `{"imageLayoutVersion":"1.0.0"}`,
			"index.json": `{"schemaVersion":2,"manifests":[` + raw + `]}`,
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		r, err := layout.OpenReader(dir, layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = r.View(context.Background(), func(x *layout.Index) error {
			for _, err := range x.EntriesIf(func(s layout.Summary) bool {
				if s.Kind != want {
					t.Errorf("of type %q is of kind %d when index.json is scanned, want %d", artifactType, s.Kind, want)
				}
				return true
			}) {
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
