package mutate_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/mutate"
)

// three is an image of three layers in three forms.
func three() *build.Layout {
	return layers(
		build.Layer{Files: []build.File{build.Dir("opt"), {Name: "srv/", Type: tar.TypeDir, Mode: 0o750, UID: 5}, build.Text("opt/one", "1")}},
		build.Layer{Files: []build.File{build.Text("two", "2")}, Compression: "zstd"},
		build.Layer{Files: []build.File{build.Symlink("lib", "usr/lib"), build.Text("three", "3")}, Compression: "none"},
	)
}

func TestLayerRemove(t *testing.T) {
	l := three()
	before, ids := image(t, opened(t, l), l.Entries[0])
	dst, r := edited(t, l, flagged(t, "layer-rm", "1"), flagged(t, "layer-rm", "3"))
	after, left := image(t, dst, r.Entry.Descriptor)
	if len(after.Layers) != 1 || after.Layers[0].Digest != before.Layers[1].Digest || len(left) != 1 || left[0] != ids[1] {
		t.Errorf("layers %v, diffIDs %v", after.Layers, left)
	}
	equal(t, "history", entriesOf(t, dst, r.Entry.Descriptor), []string{"step 1 (empty)", "step 2", "step 3 (empty)", "CMD (empty)"})
	if r.LayersRead != 0 {
		t.Errorf("%d layers were read", r.LayersRead)
	}
	_, again := edited(t, l, flagged(t, "layer-rm-created-by", "^step [13]$"))
	if again.New != r.New {
		t.Errorf("by number it is %s, by created_by %s", r.New, again.New)
	}
	if _, r := edited(t, l, flagged(t, "layer-rm-created-by", "none")); r.Changed || len(r.Warnings) != 1 {
		t.Errorf("report of nothing: %+v", r.Report)
	}
	if _, err := tryApply(t, opened(t, l), flagged(t, "layer-rm", "4")); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("a layer that is not there: %v", err)
	}
}

// TestLayerRemoveLinks: without the file that a layer above links to nobody could
// unpack the image.
func TestLayerRemoveLinks(t *testing.T) {
	l := layers(
		build.Layer{Files: []build.File{build.Text("one", "1"), build.Text("two", "2")}},
		build.Layer{Files: []build.File{build.Text("two", "2 again")}},
		build.Layer{Files: []build.File{build.Hardlink("link", "one"), build.Hardlink("other", "two")}},
	)
	for _, flags := range [][]string{{"1"}, {"2", "1"}, {"1", "2"}} {
		var edits []mutate.Edit
		for _, n := range flags {
			edits = append(edits, flagged(t, "layer-rm", n))
		}
		if _, err := tryApply(t, opened(t, l), edits...); !errors.Is(err, content.ErrCorrupt) || !strings.Contains(err.Error(), `"one"`) {
			t.Errorf("without layers %v: %v", flags, err)
		}
	}
	for _, n := range []string{"2", "3"} { // layer 1 has both files
		if _, err := tryApply(t, opened(t, l), flagged(t, "layer-rm", n)); err != nil {
			t.Errorf("without layer %s: %v", n, err)
		}
	}
}

func TestRecompress(t *testing.T) {
	l := three()
	before, ids := image(t, opened(t, l), l.Entries[0])
	for form, want := range map[string]string{"gzip": ocispec.MediaTypeImageLayerGzip, "zstd": ocispec.MediaTypeImageLayerZstd, "none": ocispec.MediaTypeImageLayer} {
		dst, r := edited(t, l, flagged(t, "layer-compress", form))
		after, same := image(t, dst, r.Entry.Descriptor)
		for i, d := range after.Layers {
			if d.MediaType != want || same[i] != ids[i] {
				t.Errorf("%s: layer %d is %s with diffID %s", form, i+1, d.MediaType, same[i])
			}
			if before.Layers[i].MediaType == want && before.Layers[i].Digest != d.Digest {
				t.Errorf("%s: layer %d was in this form and changed", form, i+1)
			}
		}
		if r.LayersRead != 2 {
			t.Errorf("%s: %d layers were read", form, r.LayersRead)
		}
	}
	_, r := edited(t, l, flagged(t, "layer-compress", "gzip:9"))
	if len(r.Layers) != 3 {
		t.Errorf("with a level %d layers were written", len(r.Layers))
	}
	docker := build.NewLayout()
	docker.Tag("v1", docker.Image(build.Image{Docker: true}))
	dst, r := edited(t, docker, flagged(t, "layer-compress", "zstd"))
	if m, _ := image(t, dst, r.Entry.Descriptor); m.Layers[0].MediaType != content.DockerLayerZstd {
		t.Errorf("docker's layer is %s", m.Layers[0].MediaType)
	}
}

// TestDescriptorOfNewBytes holds a layer's descriptor to what stays true of other bytes.
func TestDescriptorOfNewBytes(t *testing.T) {
	l := build.NewLayout()
	l.Tag("v1", l.Image(build.Image{EditManifest: func(m *ocispec.Manifest) {
		m.Layers[0].URLs = []string{"https://example.com/x"}
		m.Layers[0].Annotations = map[string]string{"containerd.io/snapshot/stargz/toc.digest": "sha256:1", "io.github.containers.zstd-chunked.manifest-checksum": "x", "mine": "stays"}
	}}))
	dst, r := edited(t, l, flagged(t, "layer-time", "set=1"))
	m, _ := image(t, dst, r.Entry.Descriptor)
	d := m.Layers[0]
	if d.URLs != nil || len(d.Annotations) != 1 || d.Annotations["mine"] != "stays" {
		t.Errorf("descriptor: %+v", d)
	}
	dst, r = edited(t, l, flagged(t, "config-time", "set=1"))
	if m, _ = image(t, dst, r.Entry.Descriptor); len(m.Layers[0].Annotations) != 3 || len(m.Layers[0].URLs) != 1 {
		t.Errorf("descriptor of a layer that stayed: %+v", m.Layers[0])
	}
}

// TestNormalize makes equal layers of the same files by different writers.
func TestNormalize(t *testing.T) {
	write := func(prefix string, format tar.Format, more func(*tar.Header)) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range []*tar.Header{
			{Typeflag: tar.TypeDir, Name: prefix + "a/", Mode: 0o755, Uid: 1},
			{Typeflag: tar.TypeReg, Name: prefix + "a/" + strings.Repeat("long", 40), Mode: 0o644, Size: 3},
			{Typeflag: tar.TypeLink, Name: prefix + "b", Linkname: prefix + "a/" + strings.Repeat("long", 40), Mode: 0o644},
			{Typeflag: tar.TypeSymlink, Name: prefix + "c", Linkname: "./to", Mode: 0o777},
		} {
			h.Format, h.ModTime = format, time.Unix(1e9, 0)
			more(h)
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
			if h.Typeflag == tar.TypeReg {
				if _, err := w.Write([]byte("abc")); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	gnu := append(write("./", tar.FormatGNU, func(h *tar.Header) { h.Uname = "root"; h.AccessTime = time.Unix(5, 0) }), make([]byte, 9000)...)
	pax := write("", tar.FormatPAX, func(h *tar.Header) { h.ChangeTime = time.Unix(6, 0); h.Mode |= 0o100000 })
	a, ra := edited(t, layers(build.Layer{Tar: gnu}), flagged(t, "normalize", ""))
	b, rb := edited(t, layers(build.Layer{Tar: pax[:len(pax)-1024], Compression: "zstd"}), flagged(t, "normalize", ""), flagged(t, "layer-compress", "gzip"))
	ma, _ := image(t, a, ra.Entry.Descriptor)
	mb, _ := image(t, b, rb.Entry.Descriptor)
	if ma.Layers[0].Digest != mb.Layers[0].Digest {
		t.Errorf("layers differ:\n%+v\n%+v", headers(t, plain(t, a, ra.Entry.Descriptor, 1)), headers(t, plain(t, b, rb.Entry.Descriptor, 1)))
	}
	if _, r := edited(t, layers(build.Layer{Tar: plain(t, a, ra.Entry.Descriptor, 1)}), flagged(t, "normalize", "")); r.Changed {
		t.Error("a layer in the form changed")
	}
}

func TestWhiteout(t *testing.T) {
	dst, r := edited(t, three(), flagged(t, "whiteout", "/opt/one"), flagged(t, "opaque", "srv"), flagged(t, "whiteout", "two"))
	data := plain(t, dst, r.Entry.Descriptor, 4)
	equal(t, "members", bodies(t, data), []string{"opt/ 5", "opt/.wh.one 0=", "srv/ 5", "srv/.wh..wh..opq 0=", ".wh.two 0="})
	if h := headers(t, data)[2]; h.Mode != 0o750 || h.Uid != 5 {
		t.Errorf("the directory on the way has %+v", h)
	}
	equal(t, "history", entriesOf(t, dst, r.Entry.Descriptor), []string{"step 1", "step 2", "step 3", "CMD (empty)", "ocilayout mutate: whiteout"})
	implied := layers(build.Layer{Files: []build.File{{Name: "a/", Type: tar.TypeDir, Mode: 0o700}, build.Text("a/b/c", "1")}}, build.Layer{Files: []build.File{build.Text("a/d", "2")}})
	dst, r = edited(t, implied, flagged(t, "whiteout", "a/b/c"))
	data = plain(t, dst, r.Entry.Descriptor, 3)
	equal(t, "in a directory that is not listed", bodies(t, data), []string{"a/ 5", "a/b/ 5", "a/b/.wh.c 0="})
	if hs := headers(t, data); hs[0].Mode != 0o700 || hs[1].Mode != 0o755 {
		t.Errorf("%+v %+v", hs[0], hs[1])
	}
	gone := layers(build.Layer{Files: []build.File{build.Text("a/b/c", "1")}}, build.Layer{Files: []build.File{build.Text("a/.wh.b", "")}})
	for _, missing := range []string{"a/b/c", "x/y"} {
		if _, err := tryApply(t, opened(t, gone), flagged(t, "whiteout", missing)); !errors.Is(err, content.ErrNotFound) {
			t.Errorf("%s: got %v", missing, err)
		}
	}
	for _, bad := range []string{"lib/x", "/", "a/../../b", "opt/.wh.b", ""} {
		e, err := parseFlag("whiteout", bad, mutate.FlagEnv{})
		if err == nil {
			_, err = tryApply(t, opened(t, three()), e)
		}
		if !errors.Is(err, content.ErrInvalid) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

func TestLayerAddTar(t *testing.T) {
	tarball := build.Tar(build.Dir("./"), build.Text("./x", "1"), build.Hardlink("./y", "./x"))
	zipped := build.Compress("gzip", tarball)
	kept := testkit.File(t, "x.tar.gz", zipped)
	dst, r := edited(t, three(), flagged(t, "layer-add", "tar="+kept))
	m, ids := image(t, dst, r.Entry.Descriptor)
	if got := m.Layers[3]; got.Digest != digest.FromBytes(zipped) || got.MediaType != ocispec.MediaTypeImageLayerGzip || ids[3] != digest.FromBytes(tarball) {
		t.Errorf("the layer is %+v with diffID %s", got, ids[3])
	}
	for _, name := range []string{"x.tar", "x.tar.xz", "x.tar.zst"} {
		path := testkit.Archive(t, name, build.Text("x", "1"))
		dst, r := edited(t, three(), flagged(t, "layer-add", "tar="+path))
		m, _ := image(t, dst, r.Entry.Descriptor)
		want := ocispec.MediaTypeImageLayerGzip
		if strings.HasSuffix(name, "zst") {
			want = ocispec.MediaTypeImageLayerZstd
		}
		if m.Layers[3].MediaType != want {
			t.Errorf("%s: %s", name, m.Layers[3].MediaType)
		}
		equal(t, name, bodies(t, plain(t, dst, r.Entry.Descriptor, 4)), []string{"x 0=1"})
	}
	dst, r = edited(t, three(), flagged(t, "layer-add", "tar="+kept+",dest=/srv/app,owner=3:4,mode=640"), flagged(t, "layer-time", "set=9"))
	data := plain(t, dst, r.Entry.Descriptor, 4)
	equal(t, "moved", bodies(t, data), []string{"srv/ 5", "srv/app/ 5", "srv/app/x 0=1", "srv/app/y 1>srv/app/x"})
	hs := headers(t, data)
	if hs[0].Mode != 0o750 || hs[0].Uid != 5 || hs[0].ModTime.Unix() != 9 || hs[1].Mode != 0o750 || hs[2].Mode != 0o640 || hs[2].Uid != 3 || hs[2].Gid != 4 {
		t.Errorf("attributes: %+v %+v %+v", hs[0], hs[1], hs[2])
	}
	bare := testkit.Archive(t, "bare.tar", build.Text("x", "1"))
	dst, r = edited(t, three(), flagged(t, "layer-add", "tar="+bare+",dest=/new/app,owner=3:4"), flagged(t, "layer-time", "set=9"))
	data = plain(t, dst, r.Entry.Descriptor, 4)
	equal(t, "without a root", bodies(t, data), []string{"new/ 5", "new/app/ 5", "new/app/x 0=1"})
	if hs := headers(t, data); hs[0].Uid != 0 || hs[1].Uid != 3 || hs[1].Mode != 0o755 || hs[1].ModTime.Unix() != 9 {
		t.Errorf("directories: %+v %+v", hs[0], hs[1])
	}
	if _, r := edited(t, three(), flagged(t, "layer-add", "tar="+kept+",platform=linux/arm64")); r.Changed {
		t.Error("an image for another platform got the layer")
	}
}

// TestLayerAddRefuses adds what is no layer, or not the one that was said.
func TestLayerAddRefuses(t *testing.T) {
	text := testkit.File(t, "x.tar", []byte(strings.Repeat("no tar", 500)))
	good := testkit.Archive(t, "y.tar", build.Text("x", "1"))
	other := digest.FromString("other").String()
	for spec, want := range map[string]error{
		"tar=" + text:                       content.ErrCorrupt,
		"tar=" + good + ",digest=" + other:  content.ErrDigest,
		"tar=" + good + ",diff-id=" + other: content.ErrDigest,
		"tar=/nowhere.tar":                  os.ErrNotExist,
		"digest=" + other:                   content.ErrInvalid,
		"dir=/a,tar=b":                      content.ErrInvalid,
		"tar":                               content.ErrInvalid,
		"tar=a,dest=../x":                   content.ErrInvalid,
		"tar=a,owner=root":                  content.ErrInvalid,
		"tar=a,mode=9":                      content.ErrInvalid,
		"tar=a,media-type=text/plain":       content.ErrInvalid,
		"tar=a,color=red":                   content.ErrInvalid,
		"tar=" + good + ",dest=lib/x":       content.ErrInvalid,
		"digest=" + other + ",diff-id=" + other + ",media-type=" + ocispec.MediaTypeImageLayer: content.ErrNotFound,
	} {
		e, err := parseFlag("layer-add", spec, mutate.FlagEnv{})
		if err == nil {
			_, err = tryApply(t, opened(t, three()), e)
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", spec, err, want)
		}
	}
}

// TestLayerAddKnown adds a layer that is in the layout, which is not read.
func TestLayerAddKnown(t *testing.T) {
	l := three()
	data := build.Layer{Files: []build.File{build.Text("known", "1")}}.Plain()
	d := l.Put(ocispec.MediaTypeImageLayer, data)
	dst, r := edited(t, l, flagged(t, "layer-add", "digest="+d.Digest.String()+",diff-id="+d.Digest.String()+",media-type="+d.MediaType))
	m, ids := image(t, dst, r.Entry.Descriptor)
	if m.Layers[3].Digest != d.Digest || m.Layers[3].Size != d.Size || ids[3] != d.Digest || r.LayersRead != 0 {
		t.Errorf("layer %+v, diffID %s, %d read", m.Layers[3], ids[3], r.LayersRead)
	}
}

func TestLayerAddDir(t *testing.T) {
	dir := t.TempDir()
	if err := build.WriteDir(dir, build.Text("b/c", "1"), build.Text("b-d", "2"), build.Symlink("a", "/outside/../x"), build.Dir("e"), build.File{Name: "run", Body: []byte("3"), Mode: 0o755}); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1e9, 5)
	for _, name := range []string{"b/c", "b-d", "b", "e", "run", "."} {
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	spec := "dir=" + dir + ",owner=0:0,dest=/opt/new"
	dst, r := edited(t, three(), flagged(t, "layer-add", spec))
	data := plain(t, dst, r.Entry.Descriptor, 4)
	equal(t, "members", bodies(t, data), []string{"opt/ 5", "opt/new/ 5", "opt/new/a 2>/outside/../x", "opt/new/b/ 5", "opt/new/b/c 0=1", "opt/new/b-d 0=2", "opt/new/e/ 5", "opt/new/run 0=3"})
	for _, h := range headers(t, data)[3:] {
		if h.Uid != 0 || h.Uname != "" || h.ModTime.Nanosecond() != 0 || h.Typeflag != tar.TypeSymlink && h.ModTime.Unix() != 1e9 {
			t.Errorf("%+v", h)
		}
	}
	// A directory that the image has keeps its attributes.
	dst, r = edited(t, three(), flagged(t, "layer-add", "dir="+dir+",owner=0:0,dest=/srv"))
	if h := headers(t, plain(t, dst, r.Entry.Descriptor, 4)); h[0].Name != "srv/" || h[0].Mode != 0o750 || h[1].Name != "srv/a" {
		t.Errorf("first members: %+v %+v", h[0], h[1])
	}
}

func TestReplaceFile(t *testing.T) {
	l := layers(build.Layer{Files: []build.File{{Name: "etc/x", Body: []byte("old"), Mode: 0o600}, build.Hardlink("y", "etc/x")}}, build.Layer{})
	dst, r := edited(t, l, mutate.Edit{Change: mutate.ReplaceFile{Path: "/etc/x", Data: []byte("newer")}})
	data := plain(t, dst, r.Entry.Descriptor, 1)
	equal(t, "members", bodies(t, data), []string{"etc/x 0=newer", "y 1>etc/x"})
	if h := headers(t, data)[0]; h.Mode != 0o600 || !h.ModTime.Equal(build.Clock) {
		t.Errorf("attributes: %+v", h)
	}
	if _, r := edited(t, l, mutate.Edit{Change: mutate.ReplaceFile{Path: "etc/x", Data: []byte("old")}}); r.Changed {
		t.Error("the same bytes changed the layer")
	}
	if _, err := tryApply(t, opened(t, l), mutate.Edit{Change: mutate.ReplaceFile{Path: "y"}}); !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("a hard link: %v", err)
	}
}

func TestFileTarTime(t *testing.T) {
	inner := build.Tar(build.Text("in", "1"))
	l := layers(build.Layer{Files: []build.File{
		{Name: "data/a.tar", Body: inner}, {Name: "data/b.tar.gz", Body: build.Compress("gzip", inner)}, {Name: "data/c.tar.zst", Body: build.Compress("zstd", inner)},
		build.Text("data/text", "x")}})
	dst, r := edited(t, l, flagged(t, "file-tar-time", "data/*.tar*=set=5"))
	tr := tar.NewReader(bytes.NewReader(plain(t, dst, r.Entry.Descriptor, 1)))
	for _, name := range []string{"data/a.tar", "data/b.tar.gz", "data/c.tar.zst"} {
		h, err := tr.Next()
		if err != nil || h.Name != name || !h.ModTime.Equal(build.Clock) {
			t.Fatalf("%+v %v", h, err)
		}
		br := bufio.NewReader(tr)
		format, err := compress.Sniff(br)
		if err != nil {
			t.Fatal(err)
		}
		rc, err := compress.NewReader(br, format, compress.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(rc)
		if err != nil {
			t.Fatal(err)
		}
		if got := headers(t, data); !strings.Contains(name, map[compress.Format]string{compress.None: ".tar", compress.Gzip: ".gz", compress.Zstd: ".zst"}[format]) || got[0].ModTime.Unix() != 5 {
			t.Errorf("%s, %s: %+v", name, format, got[0])
		}
	}
	if _, r := edited(t, l, flagged(t, "file-tar-time", "data/*.tar*=max=2099-01-01")); r.Changed {
		t.Error("times that stay change a file")
	}
	if _, err := tryApply(t, opened(t, l), flagged(t, "file-tar-time", "data/text=set=5")); !errors.Is(err, content.ErrCorrupt) {
		t.Errorf("a file that is no tar: %v", err)
	}
	if _, r := edited(t, l, flagged(t, "file-tar-time", "none=set=5")); r.Changed || len(r.Warnings) != 1 {
		t.Errorf("report of nothing: %+v", r.Report)
	}
}

// TestAlgorithm gives what is written, and all layers, another algorithm.
func TestAlgorithm(t *testing.T) {
	dst, r := edited(t, three(), edit(func(im *mutate.Image) error {
		im.Algorithm = digest.SHA512
		return nil
	}))
	m, _ := image(t, dst, r.Entry.Descriptor)
	for _, d := range append(m.Layers, *m.Config, r.Entry.Descriptor) {
		if d.Digest.Algorithm() != digest.SHA512 {
			t.Errorf("%s", d.Digest)
		}
	}
}

// TestDataMax embeds what is small, and follows the content.
func TestDataMax(t *testing.T) {
	most := int64(1 << 20)
	embed := edit(func(im *mutate.Image) error {
		im.DataMax = &most
		return nil
	})
	dst, r := edited(t, three(), embed)
	m, _ := image(t, dst, r.Entry.Descriptor)
	for _, d := range append(m.Layers, *m.Config) {
		if digest.FromBytes(d.Data) != d.Digest {
			t.Errorf("%s has data of %s", d.Digest, digest.FromBytes(d.Data))
		}
	}
	l := build.NewLayout()
	l.Tag("v1", l.Image(build.Image{EditManifest: func(m *ocispec.Manifest) { m.Config.Data = l.Blobs[m.Config.Digest] }}))
	dst, r = edited(t, l, flagged(t, "config-time", "set=1"))
	if m, _ = image(t, dst, r.Entry.Descriptor); m.Config.Data != nil {
		t.Error("the data of the old config stayed")
	}
}

// TestSave names the result, replaces the old entry, and counts what stays behind.
func TestSave(t *testing.T) {
	l := build.Hello()
	l.Attach(l.Entries[0], "application/x", []byte("sbom"))
	_, r := edited(t, l, flagged(t, "time", "set=1"))
	if r.Name != "new" || r.Left != 1 {
		t.Errorf("saved %+v", r)
	}
	data, err := json.Marshal(r)
	if err != nil || !bytes.Contains(data, []byte(`"referrersLeft":1`)) {
		t.Errorf("%s %v", data, err)
	}
}

// TestNoDirectory puts nothing below a file that a layer has in the place of a directory
// of a lower one.
func TestNoDirectory(t *testing.T) {
	l := layers(build.Layer{Files: []build.File{build.Dir("x"), build.Text("x/a", "a")}}, build.Layer{Files: []build.File{build.Text("x", "file")}})
	for _, e := range []mutate.Edit{flagged(t, "whiteout", "/x/a"), flagged(t, "opaque", "/x"), flagged(t, "layer-add", "dir="+t.TempDir()+",dest=/x/y")} {
		if _, err := tryApply(t, opened(t, l), e); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("%T: got %v", e.Change, err)
		}
	}
}

// TestDirectoryMadeAgain does not take what a directory held before it was removed, or
// was a file for a while, for what it has now.
func TestDirectoryMadeAgain(t *testing.T) {
	old := build.Layer{Files: []build.File{build.Dir("x"), build.Dir("x/y"), build.Text("x/y/a", "a")}}
	for name, upper := range map[string][]build.Layer{
		"in one layer": {{Files: []build.File{build.Text(".wh.x", ""), build.Dir("x")}}},
		"after a file": {{Files: []build.File{build.Text("x", "file")}}, {Files: []build.File{build.Dir("x")}}},
		"implied":      {{Files: []build.File{build.Text(".wh.x", ""), build.Text("x/b", "b")}}},
	} {
		l := opened(t, layers(append([]build.Layer{old}, upper...)...))
		if _, err := tryApply(t, l, flagged(t, "whiteout", "/x/y/a")); !errors.Is(err, content.ErrNotFound) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
