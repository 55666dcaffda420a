package interop

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// rootfsImages makes a layout of changingImages.
func rootfsImages(t *testing.T) string {
	t.Helper()
	dir := file(t, "layout")
	l := build.NewLayout()
	for name, contents := range changingImages {
		var layers []build.Layer
		for i, files := range contents {
			layers = append(layers, build.Layer{Files: files, Compression: []string{"gzip", "none"}[i%2]})
		}
		l.Tag(name, l.Image(build.Image{Layers: layers}))
	}
	if err := l.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	checked(t, dir)
	return dir
}

// unpackArgs adds what is needed without root.
func unpackArgs(args ...string) []string {
	if os.Geteuid() != 0 {
		args = slices.Insert(args, 1, "--rootless")
	}
	return args
}

// found lists a tree as find and the kernel see it, by path: the time apart.
func found(t *testing.T, root string) (what, when map[string]string) {
	t.Helper()
	what, when = map[string]string{}, map[string]string{}
	out := run(t, "find", root, "-type", "d", "-printf", `%P\t%T@\t%y %m %U:%G\n`, "-o", "-printf", `%P\t%T@\t%y %m %U:%G %s %n %l\n`)
	for line := range strings.Lines(out) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		what[fields[0]], when[fields[0]] = fields[2]+extended(t, filepath.Join(root, fields[0])), fields[1]
	}
	return what, when
}

func extended(t *testing.T, path string) string {
	t.Helper()
	buf := make([]byte, 4096)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for name := range strings.SplitSeq(string(buf[:n]), "\x00") {
		if name == "" || name == "security.selinux" {
			continue
		}
		value := make([]byte, 4096)
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf(" %s=%q", name, value[:n])
	}
	return text
}

// sameTree compares two trees and the bytes in them. Times count in whole seconds
// if cut is set, and not where want has that of its unpacking: of directories that
// no layer lists, or in which a whiteout removed something, by all but us.
func sameTree(t *testing.T, got, want string, cut bool) {
	t.Helper()
	gotWhat, gotWhen := found(t, got)
	wantWhat, wantWhen := found(t, want)
	for _, name := range slices.Sorted(maps.Keys(wantWhat)) {
		g, w := gotWhen[name], wantWhen[name]
		if cut {
			g, _, _ = strings.Cut(g, ".")
			w, _, _ = strings.Cut(w, ".")
		}
		recent := strings.HasPrefix(wantWhat[name], "d ") && w > fmt.Sprint(time.Now().Unix()-1000)
		if gotWhat[name] != wantWhat[name] || g != w && !recent {
			t.Errorf("%q is %q of %s, want %q of %s", name, gotWhat[name], g, wantWhat[name], w)
		}
		if strings.HasPrefix(wantWhat[name], "f ") {
			a, errA := os.ReadFile(filepath.Join(got, name))
			b, errB := os.ReadFile(filepath.Join(want, name))
			if errA != nil || errB != nil || string(a) != string(b) {
				t.Errorf("%q holds %.40q (%v), want %.40q (%v)", name, a, errA, b, errB)
			}
		}
	}
	for name := range gotWhat {
		if _, ok := wantWhat[name]; !ok {
			t.Errorf("%q is there, and should not be", name)
		}
	}
}

func TestUnpackIsWhatUmociUnpacks(t *testing.T) {
	umoci := testkit.Client(t, "umoci")
	images := rootfsImages(t)
	for name := range changingImages {
		t.Run(name, func(t *testing.T) {
			if name == "attributes" {
				needRoot(t)
			}
			dir := t.TempDir()
			theirs, ours, bundle := filepath.Join(dir, "theirs"), filepath.Join(dir, "ours"), filepath.Join(dir, "bundle")
			run(t, umoci, unpackArgs("unpack", "--image", images+":"+name, theirs)...)
			us(t, unpackArgs("unpack", images+":"+name, ours)...)
			sameTree(t, ours, filepath.Join(theirs, "rootfs"), false)
			us(t, unpackArgs("unpack", "--bundle", images+":"+name, bundle)...)
			sameTree(t, filepath.Join(bundle, "rootfs"), filepath.Join(theirs, "rootfs"), false)
			spec := func(dir string) (text string) {
				data, err := os.ReadFile(filepath.Join(dir, "config.json"))
				if err != nil {
					t.Fatal(err)
				}
				return strings.TrimSpace(string(data))
			}
			wantSame(t, "config.json", spec(bundle), spec(theirs))
		})
	}
}

// TestUnpackIsWhatTarUnpacks lets tar put the layers into a directory in order, and
// removes what whiteouts remove before each. Images with files behind links are left
// out: tar would follow those out of the directory.
func TestUnpackIsWhatTarUnpacks(t *testing.T) {
	needRoot(t)
	tar := testkit.Client(t, "tar")
	images := rootfsImages(t)
	for _, name := range []string{"whiteouts", "opaque", "hardlinks", "replaced", "attributes"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			theirs, ours := filepath.Join(dir, "theirs"), filepath.Join(dir, "ours")
			if err := os.Mkdir(theirs, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, files := range changingImages[name] {
				for _, f := range files {
					hide(t, theirs, f, files)
				}
				layer := file(t, "layer.tar")
				write(t, layer, string(build.Tar(files...)))
				run(t, tar, "-x", "-p", "--numeric-owner", "--same-owner", "--xattrs", "--exclude=.wh.*", "-C", theirs, "-f", layer)
			}
			us(t, "unpack", images+":"+name, ours)
			sameTree(t, ours, theirs, false)
		})
	}
}

// hide removes what a member of a layer hides, or what would be in its way.
func hide(t *testing.T, root string, f build.File, layer []build.File) {
	t.Helper()
	path := filepath.Join(root, f.Name)
	dir, base := filepath.Split(path)
	switch target, mark := strings.CutPrefix(base, ".wh."); {
	case base == ".wh..wh..opq":
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	case mark:
		if err := os.RemoveAll(filepath.Join(dir, target)); err != nil {
			t.Fatal(err)
		}
	default:
		if fi, err := os.Lstat(path); err == nil && fi.IsDir() != (f.Type == '5') {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// changeTree changes a tree of the image "whiteouts" in all the usual ways.
func changeTree(t *testing.T, root string) {
	t.Helper()
	write(t, filepath.Join(root, "etc/a"), "changed")
	write(t, filepath.Join(root, "etc/new"), "new")
	for _, err := range []error{
		os.Remove(filepath.Join(root, "etc/b")),
		os.RemoveAll(filepath.Join(root, "back")),
		os.MkdirAll(filepath.Join(root, "more/and/more"), 0o750),
		os.Link(filepath.Join(root, "etc/new"), filepath.Join(root, "more/link")),
		os.Symlink("../etc", filepath.Join(root, "more/symlink")),
		unix.Setxattr(filepath.Join(root, "more/and"), "user.x", []byte("y"), 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestUmociUnpacksWhatWeRepack covers the image, and that umoci's own list of our
// bundle says what ours does.
func TestUmociUnpacksWhatWeRepack(t *testing.T) {
	umoci := testkit.Client(t, "umoci")
	images := rootfsImages(t)
	dir := t.TempDir()
	root, theirs := filepath.Join(dir, "root"), filepath.Join(dir, "theirs")
	us(t, unpackArgs("unpack", images+":whiteouts", root)...)
	changeTree(t, root)
	us(t, "repack", root, images+":repacked")
	run(t, umoci, unpackArgs("unpack", "--image", images+":repacked", theirs)...)
	sameTree(t, filepath.Join(theirs, "rootfs"), root, true)
}

func TestWeRepackWhatUmociUnpacked(t *testing.T) {
	umoci := testkit.Client(t, "umoci")
	images := rootfsImages(t)
	dir := t.TempDir()
	bundle, again, more := filepath.Join(dir, "bundle"), filepath.Join(dir, "again"), filepath.Join(dir, "more")
	run(t, umoci, unpackArgs("unpack", "--image", images+":whiteouts", bundle)...)
	before := digest(t, images+":whiteouts")
	us(t, "repack", bundle, images+":same")
	wantSame(t, "an image that did not change", digest(t, images+":same"), before)
	changeTree(t, filepath.Join(bundle, "rootfs"))
	us(t, "repack", bundle, images+":repacked")
	us(t, unpackArgs("unpack", images+":repacked", again)...)
	sameTree(t, again, filepath.Join(bundle, "rootfs"), true)
	// umoci notes what it has repacked, and our next layer lies on that.
	run(t, umoci, "repack", "--refresh-bundle", "--image", images+":theirs", bundle)
	write(t, filepath.Join(bundle, "rootfs/more/file"), "more")
	us(t, "repack", bundle, images+":ours")
	if got := us(t, "files", images+":ours", "--layer", "-1"); got != "more\nmore/file\n" {
		t.Errorf("on umoci's image our layer holds %q", got)
	}
	us(t, unpackArgs("unpack", images+":ours", more)...)
	sameTree(t, more, filepath.Join(bundle, "rootfs"), true)
}

func TestUmociRepacksOurBundle(t *testing.T) {
	umoci := testkit.Client(t, "umoci")
	images := rootfsImages(t)
	dir := t.TempDir()
	bundle, again, more := filepath.Join(dir, "bundle"), filepath.Join(dir, "again"), filepath.Join(dir, "more")
	us(t, unpackArgs("unpack", "--bundle", images+":whiteouts", bundle)...)
	changeTree(t, filepath.Join(bundle, "rootfs"))
	us(t, "repack", bundle, images+":ours")
	run(t, umoci, "repack", "--refresh-bundle", "--image", images+":theirs", bundle)
	us(t, unpackArgs("unpack", images+":theirs", again)...)
	sameTree(t, again, filepath.Join(bundle, "rootfs"), true)
	wantSame(t, "the files of both layers", us(t, "files", images+":ours", "--layer", "-1"), strings.TrimSpace(us(t, "files", images+":theirs", "--layer", "-1")))
	// What umoci noted counts more than our list, which is of the image before.
	write(t, filepath.Join(bundle, "rootfs/more/file"), "more")
	us(t, "repack", bundle, images+":both")
	us(t, unpackArgs("unpack", images+":both", more)...)
	sameTree(t, more, filepath.Join(bundle, "rootfs"), true)
	if got := us(t, "files", images+":both", "--layer", "-1"); got != "more\nmore/file\n" {
		t.Errorf("on umoci's image our layer holds %q", got)
	}
}
