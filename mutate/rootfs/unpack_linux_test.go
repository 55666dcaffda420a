package rootfs_test

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/umoci/oci/layer"
	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate/rootfs"
)

// images are layers that change what lower ones hold in every way that layers can.
var images = map[string][][]build.File{
	"plain": {
		{build.Dir("etc"), build.Text("etc/motd", "hello"), build.Symlink("etc/link", "motd"), build.Symlink("abs", "/etc/motd"), build.Text("etc/empty", "")},
	},
	"whiteouts": {
		{build.Dir("etc"), build.Text("etc/a", "a"), build.Text("etc/b", "b"), build.Dir("gone"), build.Text("gone/x", "x"), build.Dir("back"), build.Text("back/old", "old")},
		{build.Text("etc/.wh.a", ""), build.Text(".wh.gone", ""), build.Text(".wh.back", ""), build.Dir("back"), build.Text("back/new", "new"), build.Text(".wh.never", "")},
		{build.Text("etc/a", "again")},
	},
	"whiteouts after files": {
		{build.Dir("d"), build.Text("d/old", "old"), build.Dir("d/sub"), build.Text("d/sub/old", "old"), build.Text("f", "old")},
		{build.Dir("d"), build.Text("d/new", "new"), build.Dir("d/sub"), build.Text("d/sub/new", "new"), build.Text(".wh.d", ""), build.Text("f", "new"), build.Text(".wh.f", "")},
	},
	"opaque": {
		{build.Dir("d"), build.Text("d/old", "old"), build.Dir("d/sub"), build.Text("d/sub/old", "old"), build.Text("beside", "beside")},
		{build.Dir("d"), build.Text("d/.wh..wh..opq", ""), build.Text("d/new", "new"), build.Dir("d/sub"), build.Text("d/sub/new", "new")},
	},
	"opaque after files": {
		{build.Dir("d"), build.Text("d/old", "old"), build.Dir("d/sub"), build.Text("d/sub/old", "old")},
		{build.Dir("d"), build.Text("d/new", "new"), build.Dir("d/sub"), build.Text("d/sub/new", "new"), build.Text("d/.wh..wh..opq", "")},
	},
	"opaque root": {
		{build.Dir("d"), build.Text("d/old", "old"), build.Text("f", "f")},
		{build.Text(".wh..wh..opq", ""), build.Text("new", "new")},
	},
	"hardlinks": {
		{build.Text("a", "one"), build.Hardlink("b", "a"), build.Dir("d"), build.Text("d/x", "x"), build.Symlink("s", "a"), build.Hardlink("s2", "s")},
		{build.Hardlink("c", "a"), build.Hardlink("d/y", "d/x"), build.Hardlink("z", "/d/x")},
		{build.Text("a", "other"), build.Text("d/.wh.x", ""), build.Hardlink("c", "z")},
	},
	"replaced": {
		{build.Text("file", "f"), build.Dir("dir"), build.Dir("dir/sub"), build.Text("dir/sub/x", "x"), build.Symlink("link", "dir"), build.Dir("dir2"), build.Text("dir2/y", "y")},
		{build.Dir("file"), build.Text("file/in", "in"), build.Text("dir", "a file now"), build.Dir("link"), build.Text("link/new", "new"), build.Symlink("dir2", "link")},
		{build.Dir("dir"), build.Text("dir/again", "again")},
	},
	"links": {
		{build.Dir("usr"), build.Dir("usr/bin"), build.Symlink("bin", "usr/bin"), build.Text("usr/bin/sh", "sh"), build.Dir("srv"), build.Symlink("srv/abs", "/usr/bin"), build.Symlink("up", "../../../etc"), build.Dir("etc"), build.Dir("etc/x")},
		{build.Text("bin/new", "new"), build.Text("srv/abs/more", "more"), build.Text("up/conf", "conf"), build.Text("bin/.wh.sh", ""), build.Symlink("etc/x/y", ".././../usr/bin/.."), build.Text("etc/x/y/z", "z"), build.Hardlink("hl", "srv/abs/more")},
	},
	"links to nothing": {
		{build.Symlink("l", "/no/where")},
		{build.Text("l/x", "x")},
	},
	"a file in the way": {
		{build.Text("a", "file")},
		{build.Text("a/b/c", "c")},
	},
	"twice": {
		{build.Text("a", "first"), build.Text("a", "second"), build.Dir("a2"), build.Text("a2/x", "x"), build.Text("a2", "file")},
	},
	"attributes": {
		{
			{Name: "./", Type: tar.TypeDir, Mode: 0o751, Time: time.Unix(1_000_000_000, 5000)},
			{Name: "d", Type: tar.TypeDir, Mode: 0o555, Time: time.Unix(1_000_000_000, 0)},
			{Name: "d/set", Body: []byte("x"), Mode: 0o4755, Time: time.Unix(1_100_000_000, 0)},
			{Name: "d/none", Body: []byte("x"), Mode: 0o7000},
			{Name: "d/sticky", Type: tar.TypeDir, Mode: 0o1777, Time: time.Unix(1_200_000_000, 0)},
			{Name: "d/shut", Type: tar.TypeDir, Mode: 0o4, Time: time.Unix(1_200_000_000, 0)},
			{Name: "d/shut/in", Body: []byte("in"), Mode: 0o200},
			{Name: "pipe", Type: tar.TypeFifo, Mode: 0o640},
			{Name: "long", Body: []byte("x"), PAX: map[string]string{"SCHILY.xattr.user.color": "red\x00blue"}},
			{Name: "dx", Type: tar.TypeDir, Mode: 0o755, PAX: map[string]string{"SCHILY.xattr.user.one": "1", "SCHILY.xattr.user.two": "2"}},
		},
		{
			{Name: "d", Type: tar.TypeDir, Mode: 0o750, Time: time.Unix(1_300_000_000, 0)},
			{Name: "dx", Type: tar.TypeDir, Mode: 0o755, PAX: map[string]string{"SCHILY.xattr.user.two": "zwei"}},
			build.Text("new", "new"), build.Text("d/shut/more", "more"),
		},
	},
}

// owned needs root: it has owners and devices.
var owned = [][]build.File{
	{
		{Name: "d", Type: tar.TypeDir, Mode: 0o755, UID: 7, GID: 8},
		{Name: "d/owned", Body: make([]byte, 5000), UID: 1234, GID: 4321, Mode: 0o6755},
		{Name: "d/link", Type: tar.TypeSymlink, Link: "owned", UID: 9, GID: 10},
		{Name: "null", Type: tar.TypeChar, Major: 1, Mode: 0o666, UID: 5},
		{Name: "disk", Type: tar.TypeBlock, Major: 8, Mode: 0o660},
		{Name: "ping", Body: []byte("ping"), Mode: 0o755, PAX: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}},
	},
	{{Name: "d", Type: tar.TypeDir, Mode: 0o700, UID: 11}},
}

func isRoot() bool { return os.Geteuid() == 0 }

// TestUnpackIsWhatUmociUnpacks compares the trees with those of umoci's library.
func TestUnpackIsWhatUmociUnpacks(t *testing.T) {
	cases := map[string][][]build.File{}
	for name, layers := range images {
		cases[name] = layers
	}
	if isRoot() {
		cases["owned"] = owned
	}
	for name, layers := range cases {
		for _, mode := range []string{"root", "rootless", "keep-dirlinks", "mapped"} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				o := rootfs.UnpackOptions{NoSync: true, Warn: func(err error) { t.Log(err) }}
				maps := layer.MapOptions{}
				switch mode {
				case "rootless":
					o.Rootless, maps.Rootless = true, true
				case "keep-dirlinks":
					o.KeepDirlinks = true
				case "mapped":
					if !isRoot() {
						t.Skip("needs root")
					}
					if name == "links to nothing" || name == "a file in the way" {
						t.Skip("umoci maps no owner of directories that no layer lists")
					}
					o.UIDMap = []rootfs.IDMap{{Host: 1000, Size: 5000}}
					o.GIDMap = []rootfs.IDMap{{Host: 3000, Size: 4000}, {Container: 4000, Host: 9000, Size: 1000}}
					data, err := json.Marshal(map[string]any{"uid_mappings": o.UIDMap, "gid_mappings": o.GIDMap})
					if err != nil {
						t.Fatal(err)
					}
					if err := json.Unmarshal(data, &maps); err != nil {
						t.Fatal(err)
					}
				}
				if !isRoot() && !o.Rootless {
					t.Skip("needs root")
				}
				want := filepath.Join(t.TempDir(), "want")
				umociUnpacks(t, want, layers, &layer.UnpackOptions{KeepDirlinks: o.KeepDirlinks, OnDiskFormat: layer.DirRootfs{MapOptions: maps}})
				got := filepath.Join(t.TempDir(), "got")
				unpack(t, layers, got, o)
				compareTrees(t, got, want)
			})
		}
	}
}

func umociUnpacks(t *testing.T, dir string, layers [][]build.File, o *layer.UnpackOptions) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if maps := o.MapOptions(); !maps.Rootless && len(maps.UIDMappings) > 0 {
		if err := os.Chown(dir, int(maps.UIDMappings[0].HostID), int(maps.GIDMappings[0].HostID)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(dir, time.Unix(0, 0), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	for _, files := range layers {
		if err := layer.UnpackLayer(dir, strings.NewReader(string(build.Tar(files...))), o); err != nil {
			t.Fatal(err)
		}
	}
	openedWhenDone(t, dir)
}

// openedWhenDone makes a tree removable for who is not root.
func openedWhenDone(t *testing.T, dir string) {
	t.Cleanup(func() {
		for range 50 { // a level each
			again := false
			filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if d != nil && d.IsDir() {
					if fi, _ := d.Info(); fi != nil && fi.Mode().Perm()&0o700 != 0o700 {
						os.Chmod(path, 0o700)
						again = true
					}
				}
				return nil
			})
			if !again {
				return
			}
		}
	})
}

// store makes a layout of one image called app.
func store(t *testing.T, layers [][]build.File, edit func(*build.Image), options ...testkit.Option) string {
	t.Helper()
	l := build.NewLayout()
	i := build.Image{}
	for n, files := range layers {
		i.Layers = append(i.Layers, build.Layer{Files: files, Compression: []string{"gzip", "zstd", "none"}[n%3]})
	}
	if edit != nil {
		edit(&i)
	}
	l.Tag("app", l.Image(i))
	return testkit.Layout(t, l, options...)
}

func open(t *testing.T, dir string) (*layout.Layout, content.Descriptor) {
	t.Helper()
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	image, err := l.Resolve(context.Background(), "app")
	if err != nil {
		t.Fatal(err)
	}
	return l, image
}

func unpack(t *testing.T, layers [][]build.File, dir string, o rootfs.UnpackOptions) *layout.Layout {
	t.Helper()
	l, image := open(t, store(t, layers, nil))
	if _, err := rootfs.Unpack(context.Background(), l, image, dir, o); err != nil {
		t.Fatal(err)
	}
	openedWhenDone(t, dir)
	return l
}

func compareTrees(t *testing.T, got, want string) {
	t.Helper()
	have, should := facts(t, got), facts(t, want)
	for path, fact := range should {
		if fact.now {
			fact.time = have[path].time
		}
		fact.now = have[path].now
		if have[path] != fact {
			t.Errorf("%q is %v, umoci makes it %v", path, have[path], fact)
		}
		delete(have, path)
	}
	for path, fact := range have {
		t.Errorf("%q is %v, umoci makes nothing there", path, fact)
	}
}

// A fact is what a file in a tree is like.
type fact struct {
	text string
	time string
	// now says that the file is a directory whose time is that of its unpacking: umoci
	// leaves it so if no layer lists it, and after a whiteout in it.
	now bool
}

func facts(t *testing.T, root string) map[string]fact {
	t.Helper()
	all := map[string]fact{}
	first := map[uint64]string{}
	var walk func(path string)
	walk = func(path string) {
		full := filepath.Join(root, path)
		var st unix.Stat_t
		if err := unix.Lstat(full, &st); err != nil {
			t.Fatal(err)
		}
		f := fact{time: fmt.Sprintf("%d.%d", st.Mtim.Sec, st.Mtim.Nsec)}
		text := fmt.Sprintf("%o %d:%d %d", st.Mode, st.Uid, st.Gid, st.Rdev)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			f.now = st.Mtim.Sec > time.Now().Unix()-1000
		case unix.S_IFLNK:
			target, err := os.Readlink(full)
			text += fmt.Sprintf(" -> %q %v", target, err)
		default:
			if _, ok := first[st.Ino]; !ok {
				first[st.Ino] = path
			}
			text += fmt.Sprintf(" %d links like %s", st.Nlink, first[st.Ino])
			if st.Mode&unix.S_IFMT == unix.S_IFREG {
				text += " " + readAll(t, full, st.Mode)
			}
		}
		f.text = text + xattrs(t, full)
		all[path] = f
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return
		}
		if st.Mode&0o500 != 0o500 && !isRoot() {
			if err := os.Chmod(full, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		entries, err := os.ReadDir(full)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			walk(filepath.Join(path, e.Name()))
		}
	}
	walk(".")
	return all
}

func readAll(t *testing.T, path string, mode uint32) string {
	t.Helper()
	if mode&0o400 == 0 && !isRoot() {
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %.40q", len(data), data)
}

func xattrs(t *testing.T, path string) string {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Split(string(buf[:n]), "\x00")
	slices.Sort(names)
	text := ""
	for _, name := range names {
		if name == "" || name == "security.selinux" {
			continue
		}
		n, err := unix.Lgetxattr(path, name, buf)
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf(" %s=%q", name, buf[:n])
	}
	return text
}

// TestUnpackTwiceIsTheSame also proves that an earlier state goes.
func TestUnpackTwiceIsTheSame(t *testing.T) {
	l, image := open(t, store(t, images["whiteouts"], nil))
	dir := filepath.Join(t.TempDir(), "a", "root")
	o := rootfs.UnpackOptions{Rootless: true, NoSync: true}
	first, err := rootfs.Unpack(context.Background(), l, image, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if first.Files != 6 || first.Layers != 3 || first.Bytes != int64(len("again"+"b"+"new")) || first.Path != dir || first.Digest != image.Digest {
		t.Errorf("unpacked %+v", first)
	}
	if _, err := rootfs.Unpack(context.Background(), l, image, dir, o); !errors.Is(err, content.ErrAlreadyExists) || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("into a full directory: %v", err)
	}
	facts1 := facts(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := rootfs.Unpack(context.Background(), l, image, dir, o); err != nil {
		t.Fatal(err)
	}
	facts2 := facts(t, dir)
	for path, fact := range facts1 {
		if facts2[path] != fact {
			t.Errorf("%s was %v and is %v", path, fact, facts2[path])
		}
	}
}

// TestUnpackWhere covers the ways in which a directory can be named.
func TestUnpackWhere(t *testing.T) {
	l, image := open(t, store(t, images["plain"], nil))
	top := t.TempDir()
	t.Chdir(top)
	for _, err := range []error{os.Mkdir("there", 0o755), os.Symlink("there", "link"), os.WriteFile("file", nil, 0o644), os.Mkdir("cwd", 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	try := func(dir string, want error) {
		t.Helper()
		_, err := rootfs.Unpack(context.Background(), l, image, dir, rootfs.UnpackOptions{Rootless: true, NoSync: true})
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	try("new/", nil)
	try("./not/yet/../there/", nil)
	try("there", nil)
	try("there", content.ErrAlreadyExists)
	try("link", content.ErrAlreadyExists)
	try("file", content.ErrAlreadyExists)
	try("/", content.ErrAlreadyExists)
	t.Chdir("cwd")
	try("", nil)
	for _, state := range []string{"new", "not/there", "there", "cwd"} {
		if _, err := os.Stat(filepath.Join(top, state+".ocilayout", "state.json")); err != nil {
			t.Error(err)
		}
	}
}

// A counter counts how often each blob is fetched.
type counter struct {
	content.Fetcher
	mu    sync.Mutex
	times map[content.Digest]int
}

func (c *counter) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	c.mu.Lock()
	c.times[d.Digest]++
	c.mu.Unlock()
	return c.Fetcher.Fetch(ctx, d)
}

// TestUnpackReadsOnce holds the work down: each blob is read once.
func TestUnpackReadsOnce(t *testing.T) {
	l, image := open(t, store(t, images["whiteouts"], nil))
	c := &counter{Fetcher: l, times: map[content.Digest]int{}}
	if _, err := rootfs.Unpack(context.Background(), c, image, filepath.Join(t.TempDir(), "root"), rootfs.UnpackOptions{Rootless: true, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	if len(c.times) != 5 {
		t.Errorf("%d blobs are read, of a manifest, a config and three layers", len(c.times))
	}
	for d, n := range c.times {
		if n != 1 {
			t.Errorf("%s is read %d times", d, n)
		}
	}
}
