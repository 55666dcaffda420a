package mutate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// tryFlag reads "NAME VALUE", or the name alone, as the command line does.
func tryFlag(text string, env mutate.FlagEnv) (mutate.Edit, error) {
	name, value, _ := strings.Cut(text, " ")
	return parseFlag(name, value, env)
}

// testEnv has a clock that stands.
var testEnv = mutate.FlagEnv{Created: build.Clock, Now: func() time.Time { return build.Clock }}

func flags(t *testing.T, texts ...string) []mutate.Edit {
	t.Helper()
	var edits []mutate.Edit
	for _, text := range texts {
		e, err := tryFlag(text, testEnv)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		edits = append(edits, e)
	}
	return edits
}

// diffID stands for the digest of the one layer in the configs below.
const diffID = "DIFFID"

// rawImage is a layout with the image v1 of one layer, whose config and manifest are
// spelled as here: in config diffID is replaced, and fields are added to the manifest.
func rawImage(config, fields string) *build.Layout {
	l := build.NewLayout()
	l.Tag("v1", rawManifest(l, config, fields))
	return l
}

func rawManifest(l *build.Layout, config, fields string) content.Descriptor {
	layer := l.Put("application/vnd.oci.image.layer.v1.tar", build.Layer{Files: []build.File{build.Text("a", "a")}}.Plain())
	c := l.Put("application/vnd.oci.image.config.v1+json", []byte(strings.ReplaceAll(config, diffID, layer.Digest.String())))
	manifest := `{"schemaVersion": 2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":` + string(build.JSON(c)) +
		`,"layers":[` + string(build.JSON(layer)) + `]` + fields + `}`
	return l.Put("application/vnd.oci.image.manifest.v1+json", []byte(manifest))
}

// configOf is the text of an image's config, with diffID in place of the digest.
func configOf(t *testing.T, l *layout.Layout, d content.Descriptor) string {
	t.Helper()
	m := manifestOf(t, l, d)
	text := string(blob(t, l, *m.Config))
	if len(m.Layers) > 0 {
		text = strings.ReplaceAll(text, m.Layers[0].Digest.String(), diffID)
	}
	return text
}

func manifestOf(t *testing.T, l *layout.Layout, d content.Descriptor) content.Manifest {
	t.Helper()
	m, err := content.ParseManifest(d.MediaType, blob(t, l, d))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// field is the text of a field of an image's manifest, or of an index.
func field(t *testing.T, l *layout.Layout, d content.Descriptor, key string) string {
	t.Helper()
	o, err := rawjson.Parse(blob(t, l, d))
	if err != nil {
		t.Fatal(err)
	}
	return string(o.Get(key))
}

// openedBroken is a layout that need not be right.
func openedBroken(t *testing.T, l *build.Layout) *layout.Layout {
	t.Helper()
	dst, err := layout.Open(testkit.Layout(t, l, testkit.BrokenOK), layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dst.Close(); err != nil {
			t.Error(err)
		}
	})
	return dst
}
