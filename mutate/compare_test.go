package mutate_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// comparePair compares the entries a and b of a layout.
func comparePair(t *testing.T, l *build.Layout, o mutate.CompareOptions) (mutate.Comparison, error) {
	t.Helper()
	r, err := layout.OpenReader(testkit.Layout(t, l, testkit.BrokenOK), layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	side := func(name string) mutate.CompareSide {
		d, err := r.Resolve(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return mutate.CompareSide{Reader: r, Target: d}
	}
	return mutate.Compare(t.Context(), side("a"), side("b"), o)
}

func mustCompare(t *testing.T, l *build.Layout, o mutate.CompareOptions) mutate.Comparison {
	t.Helper()
	d, err := comparePair(t, l, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// twoImages is a layout with two images called a and b.
func twoImages(a, b build.Image) *build.Layout {
	l := build.NewLayout()
	l.Tag("a", l.Image(a))
	l.Tag("b", l.Image(b))
	return l
}

func ignoring(t *testing.T, words string) mutate.CompareOptions {
	t.Helper()
	set, err := mutate.ParseIgnored(words)
	if err != nil {
		t.Fatal(err)
	}
	return mutate.CompareOptions{Ignore: set}
}

func fieldPaths(fields []mutate.FieldDifference) string {
	var paths []string
	for _, f := range fields {
		paths = append(paths, f.Group+" "+f.Path)
	}
	slices.Sort(paths)
	return strings.Join(paths, "\n")
}

func TestCompareFindsFields(t *testing.T) {
	later := build.Clock.Add(time.Hour)
	l := twoImages(
		build.Image{Annotations: map[string]string{"org.example/a.b": "1", "gone": "x"}, EditConfig: func(c *ocispec.Image) {
			c.Config.Labels = map[string]string{"same": "1", "v/~": "1"}
		}},
		build.Image{Annotations: map[string]string{"org.example/a.b": "2", ocispec.AnnotationCreated: "2024-01-01T00:00:00Z"}, EditConfig: func(c *ocispec.Image) {
			c.Created = &later
			c.Config.Labels = map[string]string{"same": "1", "v/~": "2"}
			c.Config.Env = []string{"NEW=1", "PATH=/bin"}
			c.Architecture = "arm64"
			c.History[0].Created = &later
			c.History = append(c.History, ocispec.History{CreatedBy: "LABEL", EmptyLayer: true})
		}},
	)
	d := mustCompare(t, l, mutate.CompareOptions{})
	want := strings.Join([]string{
		"annotations /annotations/gone", "annotations /annotations/org.example~1a.b", "env /config/Env/NEW", "history /history/2",
		"labels /config/Labels/v~1~0", "platform /architecture", "time /annotations/org.opencontainers.image.created", "time /created", "time /history/0/created",
	}, "\n")
	if got := fieldPaths(d.Fields); got != want {
		t.Errorf("fields:\n%s\nwant:\n%s", got, want)
	}
	if d.Equal || d.Files.State != mutate.FilesSame || d.SameLayers != 1 || len(d.Layers) != 0 {
		t.Errorf("equal %v, files %q, %d same layers, %d others", d.Equal, d.Files.State, d.SameLayers, len(d.Layers))
	}
	d = mustCompare(t, l, ignoring(t, "time,history,annotations,config,platform"))
	if !d.Equal || strings.Join(d.Ignored, " ") != "annotations config history platform time" {
		t.Errorf("differs all the same: %s, ignored %v", fieldPaths(d.Fields), d.Ignored)
	}
	if d = mustCompare(t, l, ignoring(t, "time,history,annotations,labels,env")); fieldPaths(d.Fields) != "platform /architecture" {
		t.Errorf("fields %s", fieldPaths(d.Fields))
	}
}

// Fields that nobody here knows count, and the spelling of JSON is told apart from its
// values.
func TestCompareByValue(t *testing.T) {
	l := build.NewLayout()
	plain := l.Image(build.Image{})
	m := ocispec.Manifest{}
	if err := json.Unmarshal(l.Blobs[plain.Digest], &m); err != nil {
		t.Fatal(err)
	}
	respelled := bytes.ReplaceAll(l.Blobs[m.Config.Digest], []byte(`"linux"`), []byte(` "\u006cinux" `))
	unknown := bytes.Replace(l.Blobs[m.Config.Digest], []byte(`"config":{`), []byte(`"config":{"Healthcheck":{"Interval":1e9},`), 1)
	withConfig := func(config []byte) content.Descriptor {
		n := m
		n.Config = l.Put(ocispec.MediaTypeImageConfig, config)
		return l.JSON(ocispec.MediaTypeImageManifest, n)
	}
	l.Tag("a", plain)
	l.Tag("b", withConfig(respelled))
	if d := mustCompare(t, l, mutate.CompareOptions{}); fieldPaths(d.Fields) != "encoding /config" || d.Equal {
		t.Errorf("fields %q, equal %v", fieldPaths(d.Fields), d.Equal)
	}
	if d := mustCompare(t, l, ignoring(t, "encoding")); !d.Equal {
		t.Errorf("fields %q", fieldPaths(d.Fields))
	}
	l.Entries = nil
	l.Tag("a", withConfig(unknown))
	l.Tag("b", withConfig(bytes.Replace(unknown, []byte("1e9"), []byte("2000000000"), 1)))
	d := mustCompare(t, l, mutate.CompareOptions{})
	if fieldPaths(d.Fields) != "config /config/Healthcheck/Interval" || string(d.Fields[0].From) != "1e9" {
		t.Errorf("fields %+v", d.Fields)
	}
	l.Entries = l.Entries[:1]
	l.Tag("b", withConfig(bytes.Replace(unknown, []byte("1e9"), []byte("1000000000"), 1)))
	if d := mustCompare(t, l, mutate.CompareOptions{}); fieldPaths(d.Fields) != "encoding /config" {
		t.Errorf("1e9 and 1000000000: %+v", d.Fields)
	}
	l.Entries = l.Entries[:1]
	l.Tag("b", withConfig(bytes.Replace(unknown, []byte(`"config":{`), []byte(`"os":"plan9","config":{`), 1)))
	if _, err := comparePair(t, l, mutate.CompareOptions{}); !errors.Is(err, content.ErrCorrupt) {
		t.Errorf("a key twice: %v", err)
	}
}

func TestCompareLayers(t *testing.T) {
	base := build.Layer{Files: []build.File{build.Text("etc/base", "base\n")}}
	app := func(text string) build.Layer { return build.Layer{Files: []build.File{build.Text("app", text)}} }
	zstd := base
	zstd.Compression = "zstd"
	top := build.Layer{Files: []build.File{build.Text("top", "top\n")}}
	l := twoImages(build.Image{Layers: []build.Layer{base, app("one"), top}}, build.Image{Layers: []build.Layer{zstd, app("two"), build.Layer{Files: []build.File{build.Text("new", "")}}, top}})
	d := mustCompare(t, l, mutate.CompareOptions{})
	var got []string
	for _, x := range d.Layers {
		got = append(got, x.Change)
	}
	if strings.Join(got, " ") != "recompressed changed added" || d.SameLayers != 1 {
		t.Fatalf("layers %v, %d same", got, d.SameLayers)
	}
	if d.Layers[2].To.Number != 3 || d.Layers[2].From != nil || d.Layers[0].From.DiffID != d.Layers[0].To.DiffID {
		t.Errorf("layers %+v", d.Layers)
	}
	if d.Files.Changed != 1 || d.Files.Added != 1 || d.Files.Changes[0].Path != "app" || strings.Join(d.Files.Changes[0].What, " ") != "content" {
		t.Errorf("files %+v", d.Files)
	}
	if d = mustCompare(t, l, ignoring(t, "layers,history,files")); !d.Equal {
		t.Errorf("differs: %+v", d)
	}
}

func TestCompareFiles(t *testing.T) {
	base := build.Layer{Files: []build.File{
		build.Dir("etc"), build.Text("etc/hidden", "h"), build.Text("etc/kept", "k"), build.Text("etc/owner", "o"), build.Text("etc/mode", "m"), build.Text("etc/size", "s"),
		build.Text("etc/time", "t"), build.Text("etc/content", "c"), build.Symlink("etc/link", "kept"), build.Text("etc/type", "x"), build.Text("etc/x", "x"), build.Hardlink("etc/hard", "etc/kept"),
		{Name: "dev/null", Type: '3', Major: 1},
	}}
	top := build.Layer{Files: []build.File{
		{Name: "etc/.wh.hidden"}, {Name: "etc/owner", Body: []byte("o"), UID: 7}, {Name: "etc/mode", Body: []byte("m"), Mode: 0o755}, build.Text("etc/size", "sss"),
		{Name: "etc/time", Body: []byte("t"), Time: build.Clock.Add(time.Minute)}, build.Text("etc/content", "C"), build.Symlink("etc/link", "other"), build.Symlink("etc/type", "x"),
		{Name: "etc/x", Body: []byte("x"), PAX: map[string]string{"SCHILY.xattr.user.a": "1"}}, build.Text("etc/hard", "k"), {Name: "dev/null", Type: '3', Major: 2}, build.Text("etc/same", "new"), build.Text("etc/kept", "k"),
	}}
	l := twoImages(build.Image{Layers: []build.Layer{base}}, build.Image{Layers: []build.Layer{base, top}})
	d := mustCompare(t, l, mutate.CompareOptions{})
	got := map[string]string{}
	for _, f := range d.Files.Changes {
		got[f.Path] = strings.TrimSpace(f.Change + " " + strings.Join(f.What, ","))
	}
	want := map[string]string{
		"etc/hidden": "removed", "etc/same": "added", "etc/owner": "changed owner", "etc/mode": "changed mode", "etc/size": "changed size,content", "etc/time": "changed time",
		"etc/content": "changed content", "etc/link": "changed target", "etc/type": "changed type", "etc/x": "changed xattrs", "dev/null": "changed device",
		"etc/kept": "changed hardlink", "etc/hard": "",
	}
	// etc/hard is the first path, so that etc/kept is the link in the first image.
	delete(want, "etc/hard")
	for path, what := range want {
		if got[path] != what {
			t.Errorf("%s: %q, want %q", path, got[path], what)
		}
		delete(got, path)
	}
	if len(got) > 0 {
		t.Errorf("too many: %v", got)
	}
	if d.Files.Added != 1 || d.Files.Removed != 1 || d.Files.Changed != len(want)-2 {
		t.Errorf("counts %d %d %d", d.Files.Added, d.Files.Removed, d.Files.Changed)
	}
	d = mustCompare(t, l, ignoring(t, "owner,mode,content,time,xattrs"))
	for _, f := range d.Files.Changes {
		if f.Change == "changed" && slices.ContainsFunc(f.What, func(w string) bool {
			return slices.Contains([]string{"owner", "mode", "content", "size", "time", "xattrs"}, w)
		}) {
			t.Errorf("%s: %v", f.Path, f.What)
		}
	}
}

// Two builds that differ in times alone are the same but for their layers.
func TestCompareBuildsOfOtherTimes(t *testing.T) {
	built := func(at time.Time) build.Image {
		return build.Image{Layers: []build.Layer{{Files: []build.File{{Name: "app", Body: []byte("x"), Time: at}}}}, EditConfig: func(c *ocispec.Image) { c.Created = &at }}
	}
	l := twoImages(built(build.Clock), built(build.Clock.Add(time.Hour)))
	d := mustCompare(t, l, mutate.CompareOptions{Explain: true})
	if fieldPaths(d.Fields) != "time /created" || d.Files.Changed != 1 || d.Layers[0].Why[0].Reason != "time" {
		t.Errorf("%+v", d)
	}
	if d = mustCompare(t, l, ignoring(t, "time,layers")); !d.Equal {
		t.Errorf("%+v", d)
	}
	if d = mustCompare(t, l, ignoring(t, "time")); d.Equal || len(d.Layers) != 1 || len(d.Fields) != 0 || len(d.Files.Changes) != 0 {
		t.Errorf("%+v", d)
	}
	// the same with equal configs but for the diffIDs
	same := func(at time.Time) build.Image { i := built(at); i.EditConfig = nil; return i }
	if d = mustCompare(t, twoImages(same(build.Clock), same(build.Clock.Add(time.Hour))), ignoring(t, "time,layers")); !d.Equal {
		t.Errorf("%+v", d.Fields)
	}
	// and a config with a diffID too many
	l = twoImages(build.Image{}, build.Image{EditConfig: func(c *ocispec.Image) { c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, build.Descriptor("", nil).Digest) }})
	if d = mustCompare(t, l, ignoring(t, "history")); fieldPaths(d.Fields) != "layers /rootfs/diff_ids" {
		t.Errorf("%+v", d.Fields)
	}
}

// What both have in full is not opened: a damaged layer goes unnoticed.
func TestCompareReadsNoMoreThanItMust(t *testing.T) {
	base := build.Layer{Files: []build.File{build.Text("base", "base\n")}}
	l := twoImages(build.Image{Layers: []build.Layer{base}}, build.Image{Layers: []build.Layer{base}, EditConfig: func(c *ocispec.Image) { c.Author = "me" }})
	m := ocispec.Manifest{}
	if err := json.Unmarshal(l.Blobs[l.Entries[0].Digest], &m); err != nil {
		t.Fatal(err)
	}
	l.Blobs[m.Layers[0].Digest][12] ^= 1
	if d := mustCompare(t, l, mutate.CompareOptions{}); fieldPaths(d.Fields) != "config /author" || d.Files.State != mutate.FilesSame {
		t.Errorf("%+v", d)
	}
	l = twoImages(build.Image{Layers: []build.Layer{base}}, build.Image{Layers: []build.Layer{base, {Files: []build.File{build.Text("x", "x")}}}})
	l.Blobs[m.Layers[0].Digest][12] ^= 1
	if _, err := comparePair(t, l, mutate.CompareOptions{}); !errors.Is(err, content.ErrCorrupt) {
		t.Errorf("a damaged layer: %v", err)
	}
	if _, err := comparePair(t, l, ignoring(t, "files")); err != nil {
		t.Errorf("files are ignored: %v", err)
	}
}

// A layer that nobody can read leaves the files open, and never makes them equal.
func TestCompareUnreadable(t *testing.T) {
	secret := func(s string) build.Layer {
		return build.Layer{Files: []build.File{build.Text("x", s)}, MediaType: "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"}
	}
	l := twoImages(build.Image{Layers: []build.Layer{secret("1")}}, build.Image{Layers: []build.Layer{secret("2")}})
	d := mustCompare(t, l, mutate.CompareOptions{Explain: true})
	if d.Equal || d.Files.State != mutate.FilesUnreadable || d.Files.Reason == "" {
		t.Errorf("%+v", d.Files)
	}
	if _, err := comparePair(t, l, ignoring(t, "layers")); !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("layers ignored: %v", err)
	}
}

func TestCompareLimits(t *testing.T) {
	var files []build.File
	for range 50 {
		files = append(files, build.Text(strings.Repeat("d/", 20)+string(rune('a'+len(files))), "x"))
	}
	l := twoImages(build.Image{}, build.Image{Layers: []build.Layer{{Files: files}}})
	if _, err := comparePair(t, l, mutate.CompareOptions{Limits: content.Limits{Tree: 32 << 10}}); !errors.Is(err, content.ErrRefused) {
		t.Errorf("limit of memory: %v", err)
	}
}

func TestCompareIndexes(t *testing.T) {
	image := func(arch, text string) build.Image {
		return build.Image{Platform: content.Platform{OS: "linux", Architecture: arch}, Layers: []build.Layer{{Files: []build.File{build.Text("f", text)}}}}
	}
	l := build.NewLayout()
	attest := func(of content.Descriptor, text string) content.Descriptor {
		d := l.Artifact("", nil, []byte(text))
		d.ArtifactType, d.Platform = "", &content.Platform{OS: "unknown", Architecture: "unknown"}
		d.Annotations = map[string]string{content.AnnotationReferenceDigest: of.Digest.String(), content.AnnotationReferenceType: "attestation-manifest"}
		return d
	}
	amd, arm := l.Image(image("amd64", "1")), l.Image(image("arm64", "1"))
	arm.Platform.Variant = "v8"
	arm2 := l.Image(image("arm64", "2"))
	ppc, s390 := l.Image(image("ppc64le", "1")), l.Image(image("s390x", "1"))
	l.Tag("a", l.Index(amd, arm, ppc, attest(amd, "1")))
	l.Tag("b", l.Index(l.Index(arm2), attest(amd, "2"), amd, s390))
	d := mustCompare(t, l, mutate.CompareOptions{})
	var got []string
	for _, p := range d.Platforms {
		got = append(got, p.Platform)
	}
	if strings.Join(got, " ") != "linux/arm64 linux/ppc64le linux/s390x" || d.SamePlatforms != 1 {
		t.Fatalf("platforms %v, %d same", got, d.SamePlatforms)
	}
	if arm := d.Platforms[0]; arm.Files.Changed != 1 || arm.Files.Changes[0].Path != "f" {
		t.Errorf("arm64: %+v", arm.Files)
	}
	if d.Platforms[1].To != nil || d.Platforms[2].From != nil {
		t.Errorf("on one side only: %+v", d.Platforms[1:])
	}
	if want := "attestations /manifests/attestation of linux~1amd64\nmanifest /manifests/linux~1arm64/platform/variant"; fieldPaths(d.Fields) != want {
		t.Errorf("fields %q", fieldPaths(d.Fields))
	}
	// an image against an index is one platform of it
	l.Entries = l.Entries[:1]
	l.Tag("b", amd)
	d = mustCompare(t, l, mutate.CompareOptions{})
	if len(d.Platforms) != 2 || d.SamePlatforms != 1 || d.Equal {
		t.Errorf("index and image: %+v", d)
	}
	// a child that is absent is compared by its digest
	l.Entries = l.Entries[:1]
	l.Tag("b", l.Index(amd, arm2, ppc, attest(amd, "1")))
	delete(l.Blobs, arm2.Digest)
	d = mustCompare(t, l, mutate.CompareOptions{})
	if len(d.Platforms) != 1 || !d.Platforms[0].To.Absent || fieldPaths(d.Platforms[0].Fields) != "manifest " {
		t.Errorf("absent child: %+v", d.Platforms)
	}
}

func TestExplain(t *testing.T) {
	one := []build.File{
		build.Dir("etc"), build.Text("etc/a", "a"), build.Text("etc/b", "b"), build.Text("etc/c", "c"), build.Text("etc/d", "d"), build.Text("gone", "x"),
	}
	two := []build.File{
		{Name: "./etc", Type: '5', Mode: 0o755}, {Name: "etc/b", Body: []byte("b"), UID: 5}, {Name: "etc/a", Body: []byte("a"), Time: build.Clock.Add(time.Second)}, {Name: "etc/c", Body: []byte("C"), Mode: 0o600},
		{Name: "etc/d", Body: []byte("d"), PAX: map[string]string{"VENDOR.note": "x"}}, build.Text("new", "x"),
	}
	l := twoImages(build.Image{Layers: []build.Layer{{Files: one}}}, build.Image{Layers: []build.Layer{{Files: two, Compression: "zstd"}}})
	d := mustCompare(t, l, mutate.CompareOptions{Explain: true})
	got := map[string]mutate.LayerReason{}
	for _, r := range d.Layers[0].Why {
		got[r.Reason] = r
	}
	for reason, example := range map[string]string{
		"compression": "", "order": "etc/b", "time": "etc/a", "owner": "etc/b", "mode": "etc/c", "content": "etc/c", "pax": "etc/d", "format": "etc/d", "added": "new", "removed": "gone", "name": "etc",
	} {
		r, ok := got[reason]
		if !ok || r.Example != example && strings.TrimSuffix(r.Example, "/") != example {
			t.Errorf("%s: %+v, want %q", reason, r, example)
		}
		delete(got, reason)
	}
	if len(got) > 0 {
		t.Errorf("besides: %+v", got)
	}
}

func TestExplainCompression(t *testing.T) {
	plain := build.Tar(build.Text("a", strings.Repeat("text ", 1000)))
	packed := func(level int, edit func(*gzip.Writer)) []byte {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, level)
		if err != nil {
			t.Fatal(err)
		}
		edit(w)
		if _, err := w.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	l := build.NewLayout()
	image := func(tag string, layer []byte) {
		d := l.Put(ocispec.MediaTypeImageLayerGzip, layer)
		l.Tag(tag, l.Image(build.Image{Layers: []build.Layer{{Tar: plain}}, EditManifest: func(m *ocispec.Manifest) { m.Layers = []content.Descriptor{d} }}))
	}
	reasons := func() string {
		d := mustCompare(t, l, mutate.CompareOptions{Explain: true})
		var words []string
		for _, r := range d.Layers[0].Why {
			words = append(words, r.Reason)
		}
		if d.Layers[0].Change != mutate.LayerRecompressed || len(d.Files.Changes) != 0 {
			t.Errorf("change %q, files %+v", d.Layers[0].Change, d.Files)
		}
		return strings.Join(words, ", ")
	}
	image("a", packed(9, func(*gzip.Writer) {}))
	image("b", packed(9, func(w *gzip.Writer) { w.ModTime, w.Name = build.Clock, "layer.tar" }))
	if got := reasons(); got != "gzip header" {
		t.Errorf("another header: %s", got)
	}
	l.Entries = l.Entries[:1]
	image("b", packed(0, func(*gzip.Writer) {}))
	if got := reasons(); !strings.HasSuffix(got, "compressor") {
		t.Errorf("another level: %s", got)
	}
	// the same members and more empty blocks
	l.Entries = l.Entries[:1]
	l.Tag("b", l.Image(build.Image{Layers: []build.Layer{{Tar: append(slices.Clone(plain), make([]byte, 1024)...)}}}))
	d := mustCompare(t, l, mutate.CompareOptions{Explain: true})
	if why := d.Layers[0].Why; why[len(why)-1].Reason != "encoding" || d.Layers[0].Change != mutate.LayerChanged {
		t.Errorf("padding: %+v", d.Layers[0])
	}
}

func TestParseIgnored(t *testing.T) {
	if _, err := mutate.ParseIgnored("time,colour"); !errors.Is(err, content.ErrInvalid) || !strings.Contains(err.Error(), `"colour"`) {
		t.Errorf("an unknown word: %v", err)
	}
	set, err := mutate.ParseIgnored("time, mode", "time")
	if err != nil || strings.Join(set.Words(), " ") != "mode time" {
		t.Errorf("%v %v", set, err)
	}
}
