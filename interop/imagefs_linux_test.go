package interop

import (
	"archive/tar"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// changingImages are images whose upper layers change what lower ones hold in every
// way that layers can.
var changingImages = map[string][][]build.File{
	"whiteouts": {
		{build.Dir("etc"), build.Text("etc/a", "a"), build.Text("etc/b", "b"), build.Dir("gone"), build.Text("gone/x", "x"), build.Dir("back"), build.Text("back/old", "old")},
		{build.Text("etc/.wh.a", ""), build.Text(".wh.gone", ""), build.Text(".wh.back", ""), build.Dir("back"), build.Text("back/new", "new"), build.Text(".wh.never", "")},
		{build.Text("etc/a", "again")},
	},
	"opaque": {
		{build.Dir("d"), build.Text("d/old", "old"), build.Dir("d/sub"), build.Text("d/sub/old", "old"), build.Text("beside", "beside")},
		{build.Dir("d"), build.Text("d/.wh..wh..opq", ""), build.Text("d/new", "new"), build.Dir("d/sub"), build.Text("d/sub/new", "new")},
	},
	"hardlinks": {
		{build.Text("a", "one"), build.Hardlink("b", "a"), build.Dir("d"), build.Text("d/x", "x")},
		{build.Hardlink("c", "a"), build.Hardlink("d/y", "d/x"), build.Hardlink("z", "d/x")},
		{build.Text("a", "other"), build.Text("d/.wh.x", "")},
	},
	"replaced": {
		{build.Text("file", "f"), build.Dir("dir"), build.Text("dir/x", "x"), build.Symlink("link", "dir"), build.Dir("dir2"), build.Text("dir2/y", "y")},
		{build.Dir("file"), build.Text("file/in", "in"), build.Text("dir", "a file now"), build.Dir("link"), build.Text("link/new", "new"), build.Symlink("dir2", "link")},
	},
	"links": {
		{build.Dir("usr"), build.Dir("usr/bin"), build.Symlink("bin", "usr/bin"), build.Text("usr/bin/sh", "sh"), build.Dir("srv"), build.Symlink("srv/abs", "/usr/bin"), build.Symlink("up", "../../../etc"), build.Dir("etc")},
		{build.Text("bin/new", "new"), build.Text("srv/abs/more", "more"), build.Text("up/conf", "conf"), build.Text("bin/.wh.sh", "")},
	},
	"xattrs": {
		{
			{Name: "d", Type: tar.TypeDir, PAX: map[string]string{"SCHILY.xattr.user.one": "1", "SCHILY.xattr.user.two": "2"}},
			{Name: "d/f", Body: []byte("f"), PAX: map[string]string{"SCHILY.xattr.user.bytes": "\xff\x01"}}, build.Hardlink("g", "d/f"),
		},
		{{Name: "d", Type: tar.TypeDir, PAX: map[string]string{"SCHILY.xattr.user.two": "zwei"}}, build.Text("d/new", "new")},
	},
	"attributes": {
		{
			{Name: "d", Type: tar.TypeDir, Mode: 0o711, Time: time.Unix(1_000_000_000, 0)},
			{Name: "d/set", Body: []byte("x"), Mode: 0o4755, Time: time.Unix(1_100_000_000, 0)},
			{Name: "d/sticky", Type: tar.TypeDir, Mode: 0o1777, Time: time.Unix(1_200_000_000, 0)},
			{Name: "d/owned", Body: make([]byte, 5000), UID: 1234, GID: 4321, Mode: 0o600},
			{Name: "pipe", Type: tar.TypeFifo, Mode: 0o640},
			{Name: "null", Type: tar.TypeChar, Major: 1, Mode: 0o666},
		},
		{{Name: "d", Type: tar.TypeDir, Mode: 0o750, UID: 7, Time: time.Unix(1_300_000_000, 0)}, build.Text("new", "new")},
	},
}

// TestFilesIsWhatUmociUnpacks compares our list with the tree on the disk. Without
// root umoci can't give files away or make devices: owners and devices are then
// left out.
func TestFilesIsWhatUmociUnpacks(t *testing.T) {
	umoci := testkit.Client(t, "umoci")
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
	for name := range changingImages {
		t.Run(name, func(t *testing.T) {
			if name == "attributes" {
				needRoot(t)
			}
			bundle := filepath.Join(t.TempDir(), "bundle")
			args := []string{"unpack", "--image", dir + ":" + name, bundle}
			if os.Geteuid() != 0 {
				args = slices.Insert(args, 1, "--rootless")
			}
			run(t, umoci, args...)
			want := onDisk(t, filepath.Join(bundle, "rootfs"))
			compareLists(t, inImage(t, dir+":"+name), want)
			for path, f := range want {
				if !f.mode.IsRegular() {
					continue
				}
				data, err := os.ReadFile(filepath.Join(bundle, "rootfs", path))
				if err != nil {
					t.Fatal(err)
				}
				if got := us(t, "cat", dir+":"+name, path); got != string(data) {
					t.Errorf("cat %s gives %.40q, on the disk is %.40q", path, got, data)
				}
			}
		})
	}
}

// A fileFact is what is compared of a file.
type fileFact struct {
	mode     fs.FileMode
	uid, gid int
	size     int64
	mtime    int64
	link     string
	inode    string // equal for hard links
}

func onDisk(t *testing.T, root string) map[string]fileFact {
	t.Helper()
	facts := map[string]fileFact{}
	first := map[uint64]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		stat := info.Sys().(*syscall.Stat_t)
		f := fileFact{mode: info.Mode(), uid: int(stat.Uid), gid: int(stat.Gid), mtime: info.ModTime().Unix()}
		if info.Mode().IsRegular() {
			f.size = info.Size()
			if _, ok := first[stat.Ino]; !ok {
				first[stat.Ino] = name
			}
			f.inode = first[stat.Ino]
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			f.link, err = os.Readlink(path)
		}
		facts[name] = f
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func inImage(t *testing.T, ref string) map[string]fileFact {
	t.Helper()
	var list []struct {
		Path, Type, Mode, Target, Hardlink string
		UID, GID                           int
		Size                               int64
		Mtime                              time.Time
	}
	decode(t, us(t, "files", ref, "--format", "json"), &list)
	facts := map[string]fileFact{}
	kinds := map[string]byte{"file": tar.TypeReg, "dir": tar.TypeDir, "symlink": tar.TypeSymlink, "char": tar.TypeChar, "block": tar.TypeBlock, "fifo": tar.TypeFifo}
	for _, f := range list {
		var bits int64
		if _, err := fmt.Sscanf(f.Mode, "%o", &bits); err != nil {
			t.Fatal(err)
		}
		mode := (&tar.Header{Typeflag: kinds[f.Type], Mode: bits}).FileInfo().Mode()
		fact := fileFact{mode: mode, uid: f.UID, gid: f.GID, size: f.Size, mtime: f.Mtime.Unix(), link: f.Target}
		if f.Type == "file" {
			fact.inode = f.Path
			if f.Hardlink != "" {
				fact.inode = f.Hardlink
			}
		}
		facts[f.Path] = fact
	}
	return facts
}

// compareLists leaves out what the disk can't tell: the permissions of a link, and
// without root the owners.
func compareLists(t *testing.T, got, want map[string]fileFact) {
	t.Helper()
	var names []string
	for name := range want {
		names = append(names, name)
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		g, inGot := got[name]
		w, inWant := want[name]
		if inGot != inWant {
			t.Errorf("%s: in our list: %t, on the disk: %t", name, inGot, inWant)
			continue
		}
		if w.mode&fs.ModeSymlink != 0 {
			g.mode, w.mode = g.mode.Type(), w.mode.Type()
		}
		if os.Geteuid() != 0 {
			g.uid, g.gid, w.uid, w.gid = 0, 0, 0, 0
		}
		if g != w {
			t.Errorf("%s\n ours %s\n disk %s", name, fact(g), fact(w))
		}
	}
}

func fact(f fileFact) string {
	return strings.TrimSpace(fmt.Sprintf("%v %d:%d %d bytes, time %d %s %s", f.mode, f.uid, f.gid, f.size, f.mtime, f.link, f.inode))
}
