package export_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/export"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// open writes l to a directory and opens it.
func open(t *testing.T, l *build.Layout) *layout.Reader {
	t.Helper()
	dir := t.TempDir()
	if err := l.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	return openPath(t, dir)
}

func openPath(t *testing.T, path string) *layout.Reader {
	t.Helper()
	r, err := layout.OpenReader(path, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// roots finds what the names mean; none is the whole layout.
func roots(t *testing.T, r *layout.Reader, names ...string) []export.Root {
	t.Helper()
	if len(names) == 0 {
		names = []string{""}
	}
	var all []export.Root
	for _, name := range names {
		found, err := export.Select(context.Background(), r, layout.Reference{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

// both exports to a file and to a stream, which must give the same.
func both(t *testing.T, roots []export.Root, o export.Options) ([]byte, export.Result) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "out.tar")
	result, err := export.ToFile(context.Background(), path, roots, o)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	streamed, err := export.ToWriter(context.Background(), &stream, roots, o)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stream.Bytes(), data) {
		t.Errorf("the stream differs from the file (%d and %d bytes)", stream.Len(), len(data))
	}
	if !reflect.DeepEqual(streamed, result) {
		t.Errorf("results differ: %+v and %+v", streamed, result)
	}
	if int64(len(data)) != result.Bytes {
		t.Errorf("the result says %d bytes, the file has %d", result.Bytes, len(data))
	}
	return data, result
}

// fails exports to a file and to a stream, which must both fail with want and
// leave nothing.
func fails(t *testing.T, roots []export.Root, o export.Options, want error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "out.tar")
	if _, err := export.ToFile(context.Background(), path, roots, o); !errors.Is(err, want) {
		t.Errorf("to a file: %v; want %v", err, want)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	if _, err := export.ToWriter(context.Background(), io.Discard, roots, o); !errors.Is(err, want) {
		t.Errorf("to a stream: %v; want %v", err, want)
	}
}

// members lists an archive's headers and bodies in order.
func members(t *testing.T, data []byte) (headers []*tar.Header, bodies map[string][]byte) {
	t.Helper()
	bodies = map[string][]byte{}
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return headers, bodies
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		headers = append(headers, h)
		bodies[h.Name] = body
	}
}

func names(headers []*tar.Header) []string {
	var list []string
	for _, h := range headers {
		list = append(list, h.Name)
	}
	return list
}

// multi is a layout with an index of two platforms, a single image, an artifact of
// each and a tag of cosign.
func multi() (l *build.Layout, amd, arm, index content.Descriptor) {
	l = build.NewLayout()
	amd = l.Image(build.Image{})
	arm = l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"},
		Layers: []build.Layer{{Compression: "zstd"}, {Compression: "none", Files: []build.File{build.Text("x", "y")}}}})
	index = l.Index(amd, arm)
	l.Tag("docker.io/library/app:v1", index)
	l.Tag("single", l.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("only", "one")}}}}))
	l.Attach(index, "text/plain", []byte("sbom"))
	l.Tag(build.FallbackTag(amd.Digest)+".sig", l.Artifact("application/vnd.cosign", nil, []byte("sig")))
	return l, amd, arm, index
}

func TestOCI(t *testing.T) {
	l, amd, _, index := multi()
	data, result := both(t, roots(t, open(t, l)), export.Options{})
	headers, bodies := members(t, data)

	var want []string
	for _, d := range l.Digests() {
		if !bytes.Contains(l.Blobs[d], []byte(`"manifests"`)) || d == index.Digest {
			want = append(want, build.BlobPath(d))
		}
	}
	want = append(append([]string{"oci-layout", "manifest.json"}, want...), "index.json")
	if got := names(headers); !slices.Equal(got, want) {
		t.Errorf("members\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, h := range headers {
		if h.Mode != 0o644 || h.Uid != 0 || h.Gid != 0 || h.ModTime.Unix() != 0 || h.Uname != "" || h.Format&tar.FormatUSTAR == 0 {
			t.Errorf("header %+v", h)
		}
	}
	for _, d := range l.Digests() {
		if body, ok := bodies[build.BlobPath(d)]; ok && !bytes.Equal(body, l.Blobs[d]) {
			t.Errorf("%s has other bytes", d)
		}
	}
	config := func(manifest []byte) string {
		m, err := content.ParseManifest("", manifest)
		if err != nil {
			t.Fatal(err)
		}
		return build.BlobPath(m.Config.Digest)
	}
	if want := `"Config":"` + config(l.Blobs[amd.Digest]) + `","RepoTags":["app:v1"]`; !bytes.Contains(bodies["manifest.json"], []byte(want)) {
		t.Errorf("manifest.json\n%s\nlacks %s", bodies["manifest.json"], want)
	}
	if n := bytes.Count(bodies["manifest.json"], []byte(`"Config"`)); n != 2 {
		t.Errorf("manifest.json has %d images, want 2:\n%s", n, bodies["manifest.json"])
	}
	if bytes.Contains(bodies["manifest.json"], []byte("single")) {
		t.Errorf("manifest.json has a bare tag:\n%s", bodies["manifest.json"])
	}
	if n := len(result.Images); n != 2 {
		t.Errorf("%d images, want 2: %+v", n, result.Images)
	}
	if n := len(result.Artifacts); n != 2 {
		t.Errorf("%d artifacts, want 2: %+v", n, result.Artifacts)
	}
}

// TestIndex: the archive's index.json is canonical, has no fallback tags, and says
// of a referrer what it belongs to.
func TestIndex(t *testing.T) {
	l, _, _, index := multi()
	data, _ := both(t, roots(t, open(t, l)), export.Options{})
	_, bodies := members(t, data)
	text := string(bodies["index.json"])
	order := []string{
		`"io.containerd.image.name":"docker.io/library/app:v1"`,
		`"org.opencontainers.image.ref.name":"single"`,
		`"io.containerd.manifest.subject":"` + index.Digest.String() + `"`,
		`.sig"`,
	}
	at := -1
	for _, piece := range order {
		next := strings.Index(text, piece)
		if next <= at && piece != order[3] {
			t.Errorf("%s is not there or not in its place:\n%s", piece, text)
		}
		at = next
	}
	if strings.Contains(text, `"`+build.FallbackTag(index.Digest)+`"`) {
		t.Errorf("the fallback tag is in the archive:\n%s", text)
	}
	if strings.ContainsAny(text[:len(text)-1], " \n\t") {
		t.Errorf("index.json is not compact:\n%s", text)
	}
	if !strings.Contains(text, `"platform":{"architecture":"amd64","os":"linux"}`) {
		t.Errorf("the platform of an image is not there:\n%s", text)
	}
}

func TestPlatforms(t *testing.T) {
	platform := func(s string) content.Platform {
		p, err := content.ParsePlatform(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	l, amd, arm, index := multi()
	r := open(t, l)

	_, one := both(t, roots(t, r, "app:v1"), export.Options{Platforms: []content.Platform{platform("linux/arm64")}})
	if len(one.Images) != 1 || one.Images[0].Digest != arm.Digest || one.Images[0].Name != "docker.io/library/app:v1" {
		t.Errorf("one platform gives %+v, want the arm64 manifest", one.Images)
	}

	third := l.Image(build.Image{Platform: platform("linux/s390x"), Layers: []build.Layer{{Files: []build.File{build.Text("z", "z")}}}})
	l.Tag("three", l.Index(amd, arm, third))
	data, two := both(t, roots(t, open(t, l), "three"), export.Options{Platforms: []content.Platform{platform("amd64"), platform("arm64")}})
	_, bodies := members(t, data)
	if bodies[build.BlobPath(third.Digest)] != nil || bodies[build.BlobPath(arm.Digest)] == nil {
		t.Errorf("two platforms of three: the wrong manifests are there")
	}
	if len(two.LeftOut) != 1 || two.LeftOut[0].Digest != third.Digest || len(two.Absent) != 0 {
		t.Errorf("left out %v, absent %v; want s390x left out", two.LeftOut, two.Absent)
	}

	fails(t, roots(t, r, "app:v1"), export.Options{Platforms: []content.Platform{platform("riscv64")}}, content.ErrNotFound)
	fails(t, roots(t, r, "app:v1"), export.Options{Platforms: []content.Platform{platform("amd64"), platform("riscv64")}}, content.ErrNotFound)

	delete(l.Blobs, arm.Digest)
	_, sparse := both(t, roots(t, open(t, l), "app:v1"), export.Options{})
	if len(sparse.Absent) != 1 || sparse.Absent[0].Digest != arm.Digest {
		t.Errorf("absent %v, want %s", sparse.Absent, arm.Digest)
	}
	if sparse.Images[0].Digest != index.Digest {
		t.Errorf("a sparse index is exported as %s", sparse.Images[0].Digest)
	}
}

func TestNames(t *testing.T) {
	l, _, _, _ := multi()
	r := open(t, l)
	data, result := both(t, roots(t, r, "single"), export.Options{Name: "other:v2"})
	_, bodies := members(t, data)
	if result.Images[0].Name != "docker.io/library/other:v2" || !bytes.Contains(bodies["manifest.json"], []byte(`["other:v2"]`)) {
		t.Errorf("renamed to %q, manifest.json %s", result.Images[0].Name, bodies["manifest.json"])
	}
	fails(t, roots(t, r), export.Options{Name: "other:v2"}, content.ErrInvalid)
	fails(t, roots(t, r, "single"), export.Options{Name: "a b"}, content.ErrInvalid)

	elsewhere := build.NewLayout()
	elsewhere.Tag("single", elsewhere.Image(build.Image{Layers: []build.Layer{}}))
	fails(t, append(roots(t, r, "single"), roots(t, open(t, elsewhere), "single")...), export.Options{}, content.ErrConflict)
	_, several := both(t, append(roots(t, r, "app:v1"), roots(t, open(t, build.Hello()), "v1")...), export.Options{})
	if len(several.Images) != 2 {
		t.Errorf("two layouts give %+v", several.Images)
	}
}

func TestNoReferrers(t *testing.T) {
	l, _, _, _ := multi()
	r := open(t, l)
	_, result := both(t, roots(t, r), export.Options{NoReferrers: true})
	if len(result.Artifacts) != 0 || len(result.Images) != 2 || len(result.LeftOut) != 2 {
		t.Errorf("without referrers: %+v", result)
	}
}

func TestOptions(t *testing.T) {
	r := open(t, build.Hello())
	for name, o := range map[string]export.Options{
		"form":             {Form: "zip"},
		"docker platforms": {Form: export.Docker, Platforms: make([]content.Platform, 2)},
		"rootfs name":      {Form: export.RootFS, Name: "a:b"},
	} {
		t.Run(name, func(t *testing.T) { fails(t, roots(t, r), o, content.ErrInvalid) })
	}
	if _, err := export.Select(context.Background(), open(t, build.NewLayout()), layout.Reference{}); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("an empty layout: %v", err)
	}
}
