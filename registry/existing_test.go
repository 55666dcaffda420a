package registry_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/registry"
)

// TestExisting: a blob that the layout has is fetched anew if its size is wrong, and if
// its bytes are only where they are looked at.
func TestExisting(t *testing.T) {
	reg, ro, dst := fakeregistry.New(t), quick(t), writable(t)
	built, d := fiveLayers()
	from := at(t, reg, "app:v1")
	push(t, reader(t, built), "v1", from, ro, registry.PushOptions{})
	m, err := content.ParseManifest(d.MediaType, built.Blobs[d.Digest])
	if err != nil {
		t.Fatal(err)
	}
	layer := m.Layers[2].Digest
	path := filepath.Join(dst.Path(), "blobs", layer.Algorithm().String(), layer.Encoded())
	wrong := append([]byte(nil), built.Blobs[layer]...)
	wrong[len(wrong)/2] ^= 1
	for _, step := range []struct {
		name  string
		bytes []byte // in place of the layer's; nil leaves it
		look  bool
		blobs int
	}{
		{"at first, the manifest too", nil, false, 7},
		{"again", nil, false, 0},
		{"too short", wrong[:len(wrong)-1], false, 1},
		{"wrong, by size", wrong, false, 0},
		{"wrong", nil, true, 1},
		{"right", nil, true, 0},
	} {
		if step.bytes != nil {
			if err := os.WriteFile(path, step.bytes, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		done, err := registry.Pull(t.Context(), session(ro), from, dst, registry.PullOptions{NoReferrers: true, VerifyExisting: step.look})
		if err != nil || done.Blobs != step.blobs {
			t.Errorf("%s: %+v, %v", step.name, done.CopyReport, err)
		}
	}
}
