package export_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/export"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// TestRootFS: the merged files with everything that belongs to them.
func TestRootFS(t *testing.T) {
	lower := []build.File{
		build.Dir("etc"), build.Text("etc/gone", "gone"), build.Text("etc/kept", "kept"),
		{Name: "z", Body: build.Random(1, 2<<20), Mode: 0o4755, UID: 7, GID: 8,
			PAX: map[string]string{"SCHILY.xattr.security.capability": "cap\x00x"}},
		{Name: "dev/null", Type: tar.TypeChar, Major: 1},
		build.Symlink("lib", "usr/lib"), build.Dir("usr"), build.Dir("usr/lib"),
	}
	upper := []build.File{
		build.Text("etc/.wh.gone", ""), build.Hardlink("a", "z"), build.Text("lib/so", "so"),
		build.Text(strings.Repeat("long/", 60)+"name", "deep"),
	}
	l := build.NewLayout()
	l.Tag("v1", l.Image(build.Image{Layers: []build.Layer{{Files: lower}, {Tar: exactTime(t)}, {Files: upper, Compression: "zstd"}}}))
	data, result := both(t, roots(t, open(t, l)), export.Options{Form: export.RootFS})
	headers, bodies := members(t, data)

	var got []string
	byName := map[string]*tar.Header{}
	for _, h := range headers {
		byName[h.Name] = h
		if !strings.HasPrefix(h.Name, "long/") {
			got = append(got, h.Name)
		}
	}
	want := []string{"a", "dev/", "dev/null", "etc/", "etc/kept", "exact", "lib", "usr/", "usr/lib/", "usr/lib/so", "z"}
	if !slices.Equal(got, want) {
		t.Errorf("members %q\nwant    %q", got, want)
	}
	if result.Blobs != len(headers) {
		t.Errorf("the result says %d files, there are %d", result.Blobs, len(headers))
	}
	a := byName["a"]
	if a.Typeflag != tar.TypeReg || a.Mode != 0o4755 || a.Uid != 7 || a.Gid != 8 || !a.ModTime.Equal(build.Clock) ||
		a.PAXRecords["SCHILY.xattr.security.capability"] != "cap\x00x" || string(bodies["a"]) != string(build.Random(1, 2<<20)) {
		t.Errorf("a: %+v", a)
	}
	if z := byName["z"]; z.Typeflag != tar.TypeLink || z.Linkname != "a" {
		t.Errorf("z: %+v", z)
	}
	if dev := byName["dev/null"]; dev.Typeflag != tar.TypeChar || dev.Devmajor != 1 {
		t.Errorf("dev/null: %+v", dev)
	}
	if exact := byName["exact"]; exact.ModTime.UnixNano() != 1700000000123456789 {
		t.Errorf("exact: %v", exact.ModTime)
	}
	if string(bodies[strings.Repeat("long/", 60)+"name"]) != "deep" {
		t.Errorf("the file with the long name is not there")
	}
}

// exactTime is a layer of one file whose time has a fraction.
func exactTime(t *testing.T) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	h := &tar.Header{Name: "exact", Typeflag: tar.TypeReg, ModTime: time.Unix(1700000000, 123456789), Format: tar.FormatPAX}
	if err := errors.Join(w.WriteHeader(h), w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRootFSOfOneImage(t *testing.T) {
	l, _, arm, _ := multi()
	r := open(t, l)
	fails(t, roots(t, r), export.Options{Form: export.RootFS}, content.ErrInvalid)
	data, _ := both(t, roots(t, r, "app:v1"), export.Options{Form: export.RootFS, Platforms: []content.Platform{*arm.Platform}})
	if _, bodies := members(t, data); string(bodies["x"]) != "y" {
		t.Errorf("not the arm64 image: %v", bodies)
	}
	artifact := build.NewLayout()
	artifact.Tag("chart", artifact.Artifact("application/helm", nil, []byte("x")))
	fails(t, roots(t, open(t, artifact), "chart"), export.Options{Form: export.RootFS}, content.ErrUnsupported)
}
