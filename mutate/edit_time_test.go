package mutate_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// flagged parses a flag as the command line would.
func flagged(t *testing.T, name, value string) mutate.Edit {
	t.Helper()
	e, err := parseFlag(name, value, mutate.FlagEnv{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func parseFlag(name, value string, env mutate.FlagEnv) (mutate.Edit, error) {
	for _, f := range mutate.Flags() {
		if f.Name == name {
			return f.Parse(value, env)
		}
	}
	return mutate.Edit{}, fmt.Errorf("no flag %s", name)
}

// image describes the image under a digest.
func image(t *testing.T, l *layout.Layout, d content.Descriptor) (m content.Manifest, ids []content.Digest) {
	t.Helper()
	m, _, err := content.FetchManifest(t.Context(), l, d, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	config, _, err := content.FetchConfig(t.Context(), l, *m.Config, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m, config.RootFS.DiffIDs
}

// plain is the tar of a layer of an image, from 1.
func plain(t *testing.T, l *layout.Layout, d content.Descriptor, number int) []byte {
	t.Helper()
	m, ids := image(t, l, d)
	rc, err := imagefs.OpenLayer(t.Context(), l, imagefs.Layer{Descriptor: m.Layers[number-1], DiffID: ids[number-1]}, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	if err := rc.Close(); err != nil {
		t.Fatal(err)
	}
	return data
}

// headers lists the members of a tar.
func headers(t *testing.T, data []byte) []*tar.Header {
	t.Helper()
	var list []*tar.Header
	tr := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, h)
	}
}

func TestTimeSet(t *testing.T) {
	want := time.Unix(1000000000, 0)
	dst, r := edited(t, build.Hello(), flagged(t, "time", "set=1000000000"))
	if !r.Changed {
		t.Fatal("nothing changed")
	}
	for _, h := range headers(t, plain(t, dst, r.Entry.Descriptor, 1)) {
		if !h.ModTime.Equal(want) {
			t.Errorf("%s: %s", h.Name, h.ModTime)
		}
	}
	_, again := edited(t, build.Hello(), flagged(t, "config-time", "set=2001-09-09T01:46:40Z"), flagged(t, "layer-time", "set=2001-09-09T01:46:40Z"))
	if r.New != again.New {
		t.Errorf("--time gives %s, its two parts %s", r.New, again.New)
	}
}
