package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// A difference from regctl image mod that is meant: docs/mutate.md lists it. When regctl
// changes, so must the page.
type difference struct {
	name         string
	on           string // what is edited: "one" or "multi"
	theirs, ours []string
	// fails says that the program must fail; then nothing is looked at.
	theyFail, weFail bool
	// holds is false of what regctl makes, and true of what we make.
	holds func(o outcome) bool
}

var differences = []difference{
	{name: "an annotation without a selector is not the index's", on: "multi",
		theirs: []string{"--annotation", "a=b"}, ours: []string{"--annotation", "a=b"},
		holds: func(o outcome) bool { return o.Annotations["a"] == "" && o.Manifests[1].Annotations["a"] == "b" }},
	{name: "edits are done in their order", on: "one",
		theirs: []string{"--label", "q=1", "--label-to-annotation"}, ours: []string{"--label", "q=1", "--label-to-annotation"},
		holds: func(o outcome) bool { return o.Annotations["q"] == "1" }},
	{name: "a symbolic link keeps its target", on: "one",
		theirs: []string{"--layer-add", "dir=DIR"}, ours: []string{"--layer-add", "dir=DIR"},
		holds: func(o outcome) bool {
			return strings.Contains(strings.Join(o.Layers[len(o.Layers)-1].Members, "\n"), `"../target/of"`)
		}},
	{name: "a layer of every image of an index goes", on: "multi",
		theirs: []string{"--layer-rm-index", "1"}, ours: []string{"--layer-rm", "2"}, theyFail: true,
		holds: func(o outcome) bool { return len(o.Manifests[0].Layers) == 2 && len(o.Manifests[1].Layers) == 2 }},
	{name: "fields that nobody knows stay", on: "odd",
		theirs: []string{"--label", "a=b"}, ours: []string{"--label", "a=b"},
		holds: func(o outcome) bool { return o.Config.(map[string]any)["later"] != nil }},
	{name: "classic docker's build arguments", on: "odd",
		theirs: []string{"--buildarg-rm", "TOKEN=s3cret"}, ours: []string{"--build-arg-rm", "TOKEN=s3cret"},
		holds: func(o outcome) bool { return !says(o, "|1 TOKEN=s3cret /bin/sh") && !says(o, "ARG TOKEN=s3cret") }},
	{name: "a build argument whose name or value is longer", on: "odd",
		theirs: []string{"--buildarg-rm", "TOKEN=s3cret"}, ours: []string{"--build-arg-rm", "TOKEN=s3cret"},
		holds: func(o outcome) bool { return says(o, "RUN |1 MY_TOKEN=s3cret2 /bin/sh") }},
	{name: "zstd in docker's form", on: "zstd", theirs: []string{"--to-docker"}, ours: []string{"--to-docker"}, weFail: true},
	{name: "a relative directory", on: "one", theirs: []string{"--workdir", "here"}, ours: []string{"--workdir", "here"}, weFail: true},
	{name: "a port that is none", on: "one", theirs: []string{"--expose-add", "http"}, ours: []string{"--expose", "http"}, weFail: true},
}

// says looks for a text in the history.
func says(o outcome, text string) bool {
	config, _ := o.Config.(map[string]any)
	list, _ := config["history"].([]any)
	for _, e := range list {
		if entry, ok := e.(map[string]any); ok {
			if s, ok := entry["created_by"].(string); ok && strings.Contains(s, text) {
				return true
			}
		}
	}
	return false
}

// oddLayout adds to a layout of editedLayout the images odd, whose config has a field
// of its own and texts of classic docker, and zstd.
func oddLayout(t testing.TB) string {
	t.Helper()
	dir := editedLayout(t, false)
	l := build.NewLayout()
	odd := l.Image(build.Image{EditConfig: func(c *ocispec.Image) {
		c.History = []ocispec.History{
			{CreatedBy: "/bin/sh -c #(nop)  ARG TOKEN=s3cret", EmptyLayer: true},
			{CreatedBy: "|1 TOKEN=s3cret /bin/sh -c make", EmptyLayer: true},
			{CreatedBy: "RUN |1 MY_TOKEN=s3cret2 /bin/sh -c make"},
		}
	}, EditManifest: func(m *ocispec.Manifest) {
		config := string(l.Blobs[m.Config.Digest])
		m.Config = l.Put(m.Config.MediaType, []byte(strings.TrimSuffix(config, "}")+`,"later":[1.50]}`))
	}})
	l.Tag("odd", odd)
	l.Tag("zstd", l.Image(build.Image{Layers: []build.Layer{{Compression: "zstd"}}}))
	other := filepath.Join(t.TempDir(), "other")
	if err := l.WriteDir(other); err != nil {
		t.Fatal(err)
	}
	us(t, "copy", other, dir)
	return dir
}

// TestMutateDiffers holds both programs to what docs/mutate.md says of them.
func TestMutateDiffers(t *testing.T) {
	regctl := testkit.Client(t, "regctl")
	t.Setenv("REGCTL_CONFIG", file(t, "config.json"))
	input := oddLayout(t)
	added := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(added, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../target/of", filepath.Join(added, "link")); err != nil {
		t.Fatal(err)
	}
	fill := func(args []string) []string {
		var filled []string
		for _, arg := range args {
			filled = append(filled, strings.ReplaceAll(arg, "DIR", added))
		}
		return filled
	}
	for _, d := range differences {
		t.Run(d.name, func(t *testing.T) {
			ours, theirs := filepath.Join(t.TempDir(), "ours"), filepath.Join(t.TempDir(), "theirs")
			for _, dir := range []string{ours, theirs} {
				if err := os.CopyFS(dir, os.DirFS(input)); err != nil {
					t.Fatal(err)
				}
			}
			checked(t, ours)
			err := exec.Command(ocilayout(t), append([]string{"mutate", ours + ":" + d.on, "--tag", "new"}, fill(d.ours)...)...).Run()
			if (err != nil) != d.weFail {
				t.Errorf("ours: %v", err)
			} else if err == nil && d.holds != nil && !d.holds(outcomeOf(t, ours, "new")) {
				t.Errorf("ours: %s", pretty(t, outcomeOf(t, ours, "new")))
			}
			err = exec.Command(regctl, append([]string{"image", "mod", "ocidir://" + theirs + ":" + d.on, "--create", "new"}, fill(d.theirs)...)...).Run()
			if (err != nil) != d.theyFail {
				t.Errorf("theirs: %v", err)
			} else if err == nil && d.holds != nil && d.holds(outcomeOf(t, theirs, "new")) {
				t.Errorf("regctl does it now as we do: %s", pretty(t, outcomeOf(t, theirs, "new")))
			}
		})
	}
}

// TestImageModLeavesEntries has regctl edit without a name, which leaves an untagged
// entry, and without a change, which gives no name.
func TestImageModLeavesEntries(t *testing.T) {
	regctl := regctl(t)
	dir := editedLayout(t, false)
	before := len(readIndex(t, dir))
	regctl(t, "image", "mod", "ocidir://"+dir+":one", "--label", "a=b")
	if got := len(readIndex(t, dir)); got != before+1 {
		t.Errorf("index.json has %d entries, and had %d", got, before)
	}
	regctl(t, "image", "mod", "ocidir://"+dir+":one", "--create", "same", "--user", "root")
	us(t, "mutate", dir+":one", "--tag", "ours", "--user", "root")
	wantNames(t, dir, "multi", "one", "ours")
	wantSame(t, "digest", digest(t, dir+":ours"), digest(t, dir+":one"))
}

// TestMutateReferrers makes referrers of attestations that BuildKit has put into an
// index, with both programs.
func TestMutateReferrers(t *testing.T) {
	regctl := regctl(t)
	l := build.NewLayout()
	image := l.Image(build.Image{})
	layer := l.Put("application/vnd.in-toto+json", []byte(`{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document","subject":[{"name":"_","digest":{"sha256":"`+image.Digest.Encoded()+`"}}]}`))
	unknown := content.Platform{OS: "unknown", Architecture: "unknown"}
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Layers: []content.Descriptor{layer},
		Config: l.JSON(ocispec.MediaTypeImageConfig, ocispec.Image{Platform: unknown, RootFS: ocispec.RootFS{Type: "layers", DiffIDs: []content.Digest{layer.Digest}}})}
	m.SchemaVersion = 2
	attestation := l.JSON(m.MediaType, m)
	attestation.Platform = &unknown
	attestation.Annotations = map[string]string{content.AnnotationReferenceType: "attestation-manifest", content.AnnotationReferenceDigest: image.Digest.String()}
	l.Tag("v1", l.Index(image, attestation))
	for _, who := range []string{"ours", "theirs"} {
		t.Run(who, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "layout")
			if err := l.WriteDir(dir); err != nil {
				t.Fatal(err)
			}
			checked(t, dir)
			if who == "ours" {
				us(t, "mutate", dir+":v1", "--tag", "new", "--to-oci-referrers")
			} else {
				regctl(t, "image", "mod", "ocidir://"+dir+":v1", "--create", "new", "--to-oci-referrers")
			}
			o := outcomeOf(t, dir, "new")
			if len(o.Manifests) != 1 || o.Manifests[0].Platform != "linux/amd64" {
				t.Errorf("%s", pretty(t, o))
			}
			var found struct{ Manifests []content.Descriptor }
			decode(t, us(t, "referrers", dir+"@"+image.Digest.String(), "--format", "json"), &found)
			if len(found.Manifests) != 1 {
				t.Errorf("%d referrers", len(found.Manifests))
			}
			if theirs := regctl(t, "artifact", "list", "ocidir://"+dir+"@"+image.Digest.String()); !strings.Contains(theirs, found.Manifests[0].Digest.String()) {
				t.Errorf("regctl lists %s", theirs)
			}
		})
	}
}

// TestMutateExternalURLs takes the urls off layers with both programs.
func TestMutateExternalURLs(t *testing.T) {
	regctl := regctl(t)
	l := build.NewLayout()
	l.Tag("v1", l.Image(build.Image{
		Layers: []build.Layer{{MediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"}, {Files: []build.File{build.Text("a", "a")}}},
		EditManifest: func(m *ocispec.Manifest) {
			m.Layers[0].URLs = []string{"https://layers.example/1"}
		},
	}))
	ours, theirs := filepath.Join(t.TempDir(), "ours"), filepath.Join(t.TempDir(), "theirs")
	for _, dir := range []string{ours, theirs} {
		if err := l.WriteDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	checked(t, ours)
	us(t, "mutate", ours+":v1", "--tag", "new", "--external-urls-rm")
	regctl(t, "image", "mod", "ocidir://"+theirs+":v1", "--create", "new", "--external-urls-rm")
	wantOutcome(t, outcomeOf(t, ours, "new"), outcomeOf(t, theirs, "new"))
}
