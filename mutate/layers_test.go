package mutate_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// layers is a layout whose image v1 has the layers.
func layers(list ...build.Layer) *build.Layout {
	l := build.NewLayout()
	l.Tag("v1", l.Image(build.Image{Layers: list, EditConfig: withHistory}))
	return l
}

// withHistory gives a config an entry for each layer and an empty one at the end.
func withHistory(c *ocispec.Image) {
	c.History = nil
	for i := range c.RootFS.DiffIDs {
		c.History = append(c.History, ocispec.History{Created: &build.Clock, CreatedBy: "step " + itoa(int64(i+1))})
	}
	c.History = append(c.History, ocispec.History{Created: &build.Clock, CreatedBy: "CMD", EmptyLayer: true})
}

// bodies lists the members of a tar, "name type=body" or "name type>link".
func bodies(t *testing.T, data []byte) []string {
	t.Helper()
	var list []string
	tr := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		s := h.Name + " " + string(h.Typeflag)
		switch {
		case h.Linkname != "":
			s += ">" + h.Linkname
		case len(body) > 20:
			s += "=" + itoa(int64(len(body)))
		case h.Typeflag == tar.TypeReg:
			s += "=" + string(body)
		}
		list = append(list, s)
	}
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
	}
}

// TestStripHardLinks strips files that hard links lead to.
func TestStripHardLinks(t *testing.T) {
	big := string(build.Random(1, 3<<20))
	one := build.Layer{Files: []build.File{
		{Name: "a/target", Body: []byte("hello"), Mode: 0o4711, UID: 7, PAX: map[string]string{"SCHILY.xattr.user.x": "y"}},
		build.Hardlink("a/chain", "a/target"),
		build.Hardlink("b/first", "a/target"),
		build.Hardlink("b/second", "./a/chain"),
		build.Text("a/big", big),
		build.Hardlink("c/big", "a/big"),
		build.Text("kept", "x"),
		build.Hardlink("a/gone", "kept"),
		build.Hardlink("d/kept", "a/gone"),
		build.Symlink("a/link", "to"),
		build.Hardlink("d/link", "a/link"),
	}}
	dst, r := edited(t, layers(one), flagged(t, "strip-file", "a"), flagged(t, "layer-time", "set=77"))
	data := plain(t, dst, r.Entry.Descriptor, 1)
	equal(t, "members", bodies(t, data), []string{
		"b/first 0=hello", "b/second 1>b/first", "c/big 0=3145728", "kept 0=x", "d/kept 1>kept", "d/link 2>to"})
	h := headers(t, data)[0]
	if h.Mode != 0o4711 || h.Uid != 7 || h.PAXRecords["SCHILY.xattr.user.x"] != "y" || h.ModTime.Unix() != 77 {
		t.Errorf("the link that became the file has %+v", h)
	}
	if !bytes.Contains(data, []byte(big)) {
		t.Error("the large file has other bytes")
	}
	if len(r.Layers) != 1 || r.Layers[0].Members != 6 || r.Layers[0].Dropped != 5 {
		t.Errorf("report: %+v", r.Layers)
	}
}

// TestStrip removes by patterns, with whiteouts, duplicate names and opaque marks after
// their siblings; layers that had nothing of it keep their digest.
func TestStrip(t *testing.T) {
	l := layers(
		build.Layer{Files: []build.File{build.Dir("usr"), build.Text("usr/a.pyc", "1"), build.Text("usr/b.py", "2"), build.Text("usr/a.pyc", "3"), build.Text("usrlocal", "4")}},
		build.Layer{Files: []build.File{build.Text("other", "5")}},
		build.Layer{Files: []build.File{build.Dir("usr"), build.Text("usr/c", "6"), build.Text("usr/.wh..wh..opq", ""), build.Text("usr/.wh.a.pyc", ""), build.Text("etc/.wh.b.py", "")}},
		build.Layer{Files: []build.File{build.Text("z.pyc", "7")}},
	)
	before, _ := image(t, opened(t, l), l.Entries[0])
	dst, r := edited(t, l, flagged(t, "strip-file", "**/*.pyc"))
	after, _ := image(t, dst, r.Entry.Descriptor)
	if len(after.Layers) != 3 || after.Layers[1].Digest != before.Layers[1].Digest {
		t.Fatalf("layers %v", after.Layers)
	}
	equal(t, "layer 1", bodies(t, plain(t, dst, r.Entry.Descriptor, 1)), []string{"usr/ 5", "usr/b.py 0=2", "usrlocal 0=4"})
	equal(t, "layer 3", bodies(t, plain(t, dst, r.Entry.Descriptor, 3)), []string{"usr/ 5", "usr/c 0=6", "usr/.wh..wh..opq 0=", "etc/.wh.b.py 0="})
	equal(t, "history", entriesOf(t, dst, r.Entry.Descriptor), []string{"step 1", "step 2", "step 3", "step 4 (empty)", "CMD (empty)"})

	_, r = edited(t, l, flagged(t, "strip-file", "/usr"))
	if r.LayersRead != 4 || len(r.Layers) != 2 || len(r.Warnings) != 0 {
		t.Errorf("report: %+v", r.Report)
	}
	_, r = edited(t, l, flagged(t, "strip-file", "nothing/here"))
	if r.Changed || len(r.Warnings) != 1 {
		t.Errorf("report of nothing: %+v", r.Report)
	}
}

// TestStripLinkBelow strips a file that a hard link of a higher layer leads to.
func TestStripLinkBelow(t *testing.T) {
	l := layers(build.Layer{Files: []build.File{build.Text("a/x", "1")}}, build.Layer{Files: []build.File{build.Hardlink("b", "a/x")}})
	if _, err := tryApply(t, opened(t, l), flagged(t, "strip-file", "a/x")); !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	_, r := edited(t, l, flagged(t, "strip-file", "a/x"), flagged(t, "strip-file", "b"))
	if len(r.Layers) != 2 {
		t.Errorf("both stripped: %+v", r.Layers)
	}
}

func entriesOf(t *testing.T, l *layout.Layout, d content.Descriptor) []string {
	t.Helper()
	m, _ := image(t, l, d)
	c, _, err := content.FetchConfig(t.Context(), l, *m.Config, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, h := range c.History {
		s := h.CreatedBy
		if h.EmptyLayer {
			s += " (empty)"
		}
		list = append(list, s)
	}
	return list
}

// counting is a fetcher that counts.
type counting struct {
	content.Fetcher
	mu sync.Mutex
	n  map[content.Digest]int
}

func (c *counting) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	c.mu.Lock()
	c.n[d.Digest]++
	c.mu.Unlock()
	return c.Fetcher.Fetch(ctx, d)
}

// TestReadOnce holds Apply to its work budget: whatever the edits, each blob is read once,
// one that images share too, and none that no edit touches.
func TestReadOnce(t *testing.T) {
	l := build.NewLayout()
	shared := build.Layer{Files: []build.File{build.Text("shared", "1")}}
	amd := l.Image(build.Image{Layers: []build.Layer{shared, {Files: []build.File{build.Text("amd", "1")}}}})
	arm := l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}, Layers: []build.Layer{shared, {Files: []build.File{build.Text("arm", "1")}}}})
	nested := l.Index(arm)
	l.Tag("v1", l.Index(amd, nested, amd))
	dst := opened(t, l)
	ctx := t.Context()
	root, err := dst.Lookup(ctx, layout.Reference{Name: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	run := func(edits ...mutate.Edit) (*mutate.Report, map[content.Digest]int) {
		b := dst.Batch()
		defer func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}()
		c := &counting{Fetcher: b, n: map[content.Digest]int{}}
		r, err := mutate.Apply(ctx, b, root, edits, mutate.Options{Source: c})
		if err != nil {
			t.Fatal(err)
		}
		return r, c.n
	}
	r, n := run(flagged(t, "time", "set=1"), flagged(t, "strip-file", "amd"), flagged(t, "layer-compress", "zstd"), flagged(t, "normalize", ""))
	for d, times := range n {
		if times != 1 {
			t.Errorf("%s was read %d times", d, times)
		}
	}
	// Two layers are rewritten, the shared one and arm's; amd's is emptied.
	if r.LayersRead != 3 || len(r.Layers) != 3 || len(r.Images) != 3 {
		t.Errorf("report: %+v", r)
	}
	r, n = run(flagged(t, "config-time", "set=1"))
	if len(n) != 6 || r.LayersRead != 0 {
		t.Errorf("an edit of configs read %d blobs", len(n))
	}
	r, n = run(flagged(t, "layer-time", "[linux/arm64]set=1"))
	if r.LayersRead != 2 || len(r.Images) != 1 || r.Images[0].Platform != "linux/arm64" || len(n) != 8 {
		t.Errorf("an edit of one platform read %d blobs: %+v", len(n), r)
	}
}

// TestSparse edits an index of which one image is absent, and an attestation is there.
func TestSparse(t *testing.T) {
	l := build.NewLayout()
	amd := l.Image(build.Image{})
	absent := build.Descriptor(ocispec.MediaTypeImageManifest, []byte("absent"))
	absent.Platform = &content.Platform{OS: "linux", Architecture: "arm64"}
	att := l.Artifact("application/x", nil, []byte("x"))
	att.Platform = &content.Platform{OS: "unknown", Architecture: "unknown"}
	att.Annotations = map[string]string{content.AnnotationReferenceType: "attestation-manifest", content.AnnotationReferenceDigest: amd.Digest.String()}
	l.Tag("v1", l.Index(amd, absent, att))
	dst, r := edited(t, l, flagged(t, "time", "set=1"))
	data := blob(t, dst, r.Entry.Descriptor)
	m, err := content.ParseManifest(r.Entry.MediaType, data)
	if err != nil {
		t.Fatal(err)
	}
	if m.Manifests[0].Digest == amd.Digest || m.Manifests[1].Digest != absent.Digest || m.Manifests[2].Digest != att.Digest {
		t.Errorf("children: %v", m.Manifests)
	}
	if r.Left != 0 {
		t.Errorf("%d referrers are said to stay behind", r.Left)
	}
	if m.Manifests[0].Platform == nil || m.Manifests[0].Platform.Architecture != "amd64" {
		t.Error("the child lost its platform")
	}
}

// raw is a layout whose image v1 has one layer, of the bytes as they are.
func raw(mediaType string, data, tarball []byte) *build.Layout {
	l := build.NewLayout()
	d := l.Put(mediaType, data)
	l.Tag("v1", l.Image(build.Image{Layers: []build.Layer{{Tar: tarball}}, EditManifest: func(m *ocispec.Manifest) { m.Layers[0] = d }}))
	return l
}

// comment is a PAX record of size bytes.
func comment(size int) string {
	record := itoa(int64(size)) + " comment="
	return record + strings.Repeat("x", size-len(record)-1) + "\n"
}

// paxHeader is a header with one record, without the member that it is for.
func paxHeader(record string) []byte {
	b := build.Tar(build.Text("PaxHeaders.0/a", record))
	b[156] = tar.TypeXHeader
	return build.MendSums(b[:len(b)-1024])
}

// TestHostileLayers gives Apply layers that it must refuse, or take for what they are.
func TestHostileLayers(t *testing.T) {
	good := build.Tar(build.Text("a", "1"), build.Text("b", "2"))
	big := strings.Repeat("x", 2<<20)
	bomb := append(paxHeader(comment(2<<20)), good...)
	bombs := bytes.Repeat(paxHeader(comment(900<<10)), 8) // before one member, each of a size that is allowed
	cases := []struct {
		name    string
		tar     []byte
		want    error
		members []string
	}{
		{"dot dot", build.Tar(build.Text("../../etc/passwd", "x")), content.ErrRefused, nil},
		{"dot dot inside", build.Tar(build.Text("a/../b", "x")), nil, []string{"a/../b 0=x"}},
		{"absolute", build.Tar(build.Text("/etc/passwd", "x")), nil, []string{"/etc/passwd 0=x"}},
		{"hard link outside", build.Tar(build.Hardlink("a", "../../etc/shadow")), content.ErrRefused, nil},
		{"large record", bomb, content.ErrRefused, nil},
		{"many records", append(bombs, good...), content.ErrRefused, nil},
		{"truncated", good[:700], content.ErrCorrupt, nil},
		{"garbage", append(bytes.Clone(good), "garbage after the end"...), nil, []string{"a 0=1", "b 0=2"}},
		{"no end", good[:len(good)-1024], nil, []string{"a 0=1", "b 0=2"}},
		{"more zeros", append(bytes.Clone(good), make([]byte, 10<<10)...), nil, []string{"a 0=1", "b 0=2"}},
		{"no tar", []byte(big), content.ErrCorrupt, nil},
		{"empty", nil, nil, nil},
		{"sparse", append(paxHeader("22 GNU.sparse.major=9\n"), good...), content.ErrUnsupported, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.tar == nil {
				c.tar = make([]byte, 1024)
			}
			l := layers(build.Layer{Tar: c.tar})
			dst, err := layout.Open(testkit.Layout(t, l, testkit.BrokenOK), layout.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := dst.Close(); err != nil {
					t.Error(err)
				}
			}()
			r, err := tryApply(t, dst, flagged(t, "layer-time", "set=1"))
			if !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil && c.members != nil {
				equal(t, "members", bodies(t, plain(t, dst, r.Entry.Descriptor, 1)), c.members)
			}
			if c.name == "garbage" && (len(r.Warnings) != 1 || bytes.Contains(plain(t, dst, r.Entry.Descriptor, 1), []byte("garbage"))) {
				t.Errorf("garbage stayed, or without a warning: %v", r.Warnings)
			}
		})
	}
}

// TestUnusualStreams gives Apply compressed layers in forms that are allowed and seldom.
func TestUnusualStreams(t *testing.T) {
	tarball := build.Tar(build.Text("a", "1"), build.Text("b", "2"))
	members := append(build.Compress("gzip", tarball[:700]), build.Compress("gzip", tarball[700:])...)
	frames := append([]byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 'a', 'b', 'c', 'd'}, build.Compress("zstd", tarball)...)
	for name, l := range map[string]*build.Layout{
		"members": raw(ocispec.MediaTypeImageLayerGzip, members, tarball),
		"frames":  raw(ocispec.MediaTypeImageLayerZstd, append(frames, frames[:12]...), tarball),
	} {
		dst, r := edited(t, l, flagged(t, "layer-time", "set=1"))
		equal(t, name, bodies(t, plain(t, dst, r.Entry.Descriptor, 1)), []string{"a 0=1", "b 0=2"})
	}
	dst, err := layout.Open(testkit.Layout(t, raw(ocispec.MediaTypeImageLayerGzip, append(build.Compress("gzip", tarball), "junk"...), tarball), testkit.BrokenOK), layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := dst.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := tryApply(t, dst, flagged(t, "layer-time", "set=1")); !errors.Is(err, content.ErrCorrupt) {
		t.Errorf("junk after the stream: %v", err)
	}
}

// TestWrongLayers gives layers that are not what their digest or diffID says; nothing is
// named then.
func TestWrongLayers(t *testing.T) {
	a, b := build.Tar(build.Text("a", "1")), build.Tar(build.Text("b", "1"))
	wrongID := raw(ocispec.MediaTypeImageLayer, a, b)
	wrongBlob := layers(build.Layer{Tar: a, Compression: "none"})
	for d, data := range wrongBlob.Blobs {
		if bytes.Equal(data, a) {
			wrongBlob.Blobs[d] = b
		}
	}
	missing := layers(build.Layer{Tar: a, Compression: "none"})
	maps.DeleteFunc(missing.Blobs, func(_ content.Digest, data []byte) bool { return bytes.Equal(data, a) })
	for name, c := range map[string]struct {
		l    *build.Layout
		want error
	}{"diffID": {wrongID, content.ErrDigest}, "digest": {wrongBlob, content.ErrDigest}, "missing": {missing, content.ErrMissing}} {
		dst, err := layout.Open(testkit.Layout(t, c.l, testkit.BrokenOK), layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tryApply(t, dst, flagged(t, "layer-compress", "zstd"), flagged(t, "layer-time", "set=1")); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if _, err := dst.Lookup(t.Context(), layout.Reference{Name: "new"}); !errors.Is(err, content.ErrNotFound) {
			t.Errorf("%s: a failed edit has left a name: %v", name, err)
		}
		if err := dst.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestManyOfOne edits an index that lists one image very often, so that little input would
// take much memory.
func TestManyOfOne(t *testing.T) {
	l := build.NewLayout()
	pad := strings.Repeat("x", 1<<20)
	d := l.Image(build.Image{EditManifest: func(m *ocispec.Manifest) { m.Annotations = map[string]string{"pad": pad} }})
	l.Tag("v1", l.Index(slices.Repeat([]content.Descriptor{d}, 100)...))
	if _, err := tryApply(t, opened(t, l), flagged(t, "config-time", "set=1")); !errors.Is(err, content.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

// TestCancel ends an Apply whose context is cancelled before the layers are read.
func TestCancel(t *testing.T) {
	dst := opened(t, build.Hello())
	ctx, cancel := context.WithCancel(t.Context())
	root, err := dst.Lookup(ctx, layout.Reference{Name: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	b := dst.Batch()
	stop := edit(func(*mutate.Image) error {
		cancel()
		return nil
	})
	if _, err := mutate.Apply(ctx, b, root, []mutate.Edit{flagged(t, "layer-time", "set=1"), stop}, mutate.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
