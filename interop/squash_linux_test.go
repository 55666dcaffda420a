package interop

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// squashable are changingImages, one with extended attributes, and one whose layers
// list directories behind what is in them.
func squashable() map[string][][]build.File {
	images := maps.Clone(changingImages)
	attr := func(value string) map[string]string { return map[string]string{"SCHILY.xattr.user.a": value} }
	images["xattrs"] = [][]build.File{
		{{Name: "f", Body: []byte("f"), PAX: attr("1")}, {Name: "d", Type: tar.TypeDir, PAX: attr("1")}, build.Text("d/x", "x")},
		{{Name: "d", Type: tar.TypeDir, PAX: attr("2")}, build.Text("d/y", "y")},
		{build.Hardlink("g", "f"), build.Text("d/.wh.x", "")},
	}
	// In c, which is listed, lies a directory that is not.
	images["behind"] = [][]build.File{
		{build.Text("c/a/x", "x"), build.Dir("c"), build.Text("e/x", "x")},
		{build.Text("c/a/y", "y"), build.Dir("c"), build.Text(".wh.e", "")},
		{build.Text("c/a/z", "z"), build.Dir("c")},
	}
	return images
}

func squashName(image string, first, last int) string {
	return fmt.Sprintf("squash.test/%s:%d-%d", image, first, last)
}

// squashes makes a layout of the squashable images and of the squash of each range of
// their layers, and returns the ranges of each image.
func squashes(t *testing.T) (dir string, ranges map[string][][2]int) {
	t.Helper()
	dir, ranges = file(t, "layout"), map[string][][2]int{}
	l := build.NewLayout()
	for name, contents := range squashable() {
		var layers []build.Layer
		for i, files := range contents {
			layers = append(layers, build.Layer{Files: files, Compression: []string{"gzip", "none"}[i%2]})
		}
		l.Tag(name, l.Image(build.Image{Layers: layers}))
		for first := 1; first < len(contents); first++ {
			for last := first + 1; last <= len(contents); last++ {
				ranges[name] = append(ranges[name], [2]int{first, last})
			}
		}
	}
	if err := l.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	checked(t, dir)
	for name, list := range ranges {
		for _, r := range list {
			us(t, "squash", dir+":"+name, "--layers", fmt.Sprintf("%d-%d", r[0], r[1]), "--tag", squashName(name, r[0], r[1]), "-q")
		}
	}
	return dir, ranges
}

// TestSquashUnpacksTheSame unpacks images and their squashes with umoci, and those of
// one layer with tar.
func TestSquashUnpacksTheSame(t *testing.T) {
	needRoot(t)
	umoci, gnutar := testkit.Client(t, "umoci"), testkit.Client(t, "tar")
	dir, ranges := squashes(t)
	unpack := func(t *testing.T, name string) string {
		bundle := filepath.Join(t.TempDir(), "bundle")
		run(t, umoci, "unpack", "--image", dir+":"+name, bundle)
		return filepath.Join(bundle, "rootfs")
	}
	for name, list := range ranges {
		want := unpack(t, name)
		for _, r := range list {
			squash := squashName(name, r[0], r[1])
			t.Run(squash, func(t *testing.T) {
				var image struct{ Layers []struct{ Digest string } }
				decode(t, us(t, "inspect", dir+":"+squash, "--format", "json"), &image)
				if len(image.Layers) == 1 {
					root := t.TempDir()
					blob := filepath.Join(dir, "blobs", strings.Replace(image.Layers[0].Digest, ":", "/", 1))
					run(t, gnutar, "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", blob, "-C", root)
					sameFacts(t, root, want)
				}
				// umoci takes a tag alone for a name
				us(t, "tag", dir+":"+squash, "unpacked", "-q")
				sameFacts(t, unpack(t, "unpacked"), want)
			})
		}
	}
}

// TestPodmanMountsSquashes: podman's own code for layers leaves the same files of both.
func TestPodmanMountsSquashes(t *testing.T) {
	p := newPodman(t)
	dir, ranges := squashes(t)
	mount := func(t *testing.T, name string) string {
		p.t = t
		archive := file(t, "image.tar")
		us(t, "export", dir+":"+name, archive, "--to", "docker")
		p.run("load", "-q", "-i", archive)
		return strings.TrimSpace(p.run("image", "mount", name))
	}
	for name, list := range ranges {
		whole := squashName(name, 0, 0)
		us(t, "tag", dir+":"+name, whole, "-q")
		want := mount(t, whole)
		for _, r := range list {
			t.Run(squashName(name, r[0], r[1]), func(t *testing.T) {
				sameFacts(t, mount(t, squashName(name, r[0], r[1])), want)
			})
		}
		p.t = t
		p.run("rmi", "-a", "-f")
	}
}

// TestContainerdMountsSquashes: so does containerd's.
func TestContainerdMountsSquashes(t *testing.T) {
	c := startContainerd(t, "containerd2", "ctr2", 3)
	dir, ranges := squashes(t)
	mount := func(t *testing.T, name string) string {
		c.t = t
		archive, root := file(t, "image.tar"), t.TempDir()
		us(t, "export", dir+":"+name, archive, "--to", "docker")
		c.load(archive)
		c.run("images", "mount", "--snapshotter", "native", name, root)
		t.Cleanup(func() {
			c.t = t
			c.run("images", "unmount", "--snapshotter", "native", "--rm", root)
		})
		return root
	}
	for name, list := range ranges {
		whole := squashName(name, 0, 0)
		us(t, "tag", dir+":"+name, whole, "-q")
		want := mount(t, whole)
		for _, r := range list {
			t.Run(squashName(name, r[0], r[1]), func(t *testing.T) {
				sameFacts(t, mount(t, squashName(name, r[0], r[1])), want)
			})
		}
	}
}

// sameFacts compares all that a file has. The times of directories that no layer lists
// are those of unpacking, and any will do.
func sameFacts(t *testing.T, got, want string) {
	t.Helper()
	facts, wanted := onDisk(t, got), onDisk(t, want)
	for name, f := range wanted {
		if g, ok := facts[name]; ok && f.mode.IsDir() && f.mtime > build.Clock.Unix() {
			g.mtime = f.mtime
			facts[name] = g
		}
	}
	compareLists(t, facts, wanted)
	for name := range wanted {
		g, w := xattr(t, filepath.Join(got, name)), xattr(t, filepath.Join(want, name))
		if g != w {
			t.Errorf("%s: user.a is %q, want %q", name, g, w)
		}
	}
}

// xattr is the attribute user.a of a file, which links and devices don't have.
func xattr(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&(fs.ModeSymlink|fs.ModeDevice|fs.ModeNamedPipe) != 0 {
		return ""
	}
	value := make([]byte, 64)
	n, err := syscall.Getxattr(path, "user.a", value)
	if err != nil {
		return ""
	}
	return string(bytes.Clone(value[:n]))
}

// TestSkopeoCopiesSquashes: skopeo proves every blob on the way.
func TestSkopeoCopiesSquashes(t *testing.T) {
	skopeo := testkit.Client(t, "skopeo")
	dir := file(t, "layout")
	l := build.NewLayout()
	one := func(name string) build.Layer { return build.Layer{Files: []build.File{build.Text(name, name)}} }
	l.Tag("old", l.Image(build.Image{Layers: []build.Layer{one("os")}}))
	l.Tag("next", l.Image(build.Image{Layers: []build.Layer{one("system")}}))
	l.Tag("app", l.Image(build.Image{Layers: []build.Layer{one("os"), one("a"), one("b")}}))
	if err := l.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	checked(t, dir)
	us(t, "squash", dir+":app", "--layers", "2-", "--tag", "squashed", "-q")
	us(t, "rebase", dir+":squashed", "--old-base", ":old", "--new-base", ":next", "--tag", "rebased", "-q")
	us(t, "append", dir+":next", filepath.Dir(written(t, "tool", "a program\n")), "--tag", "appended", "-q")
	for _, name := range []string{"squashed", "rebased", "appended"} {
		copies(t, skopeo, "oci:"+dir+":"+name) // of two layers each
	}
}
