package rootfs

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
)

// someFiles has paths whose order as text is another one.
func someFiles() []file {
	return []file{
		{path: "", mode: 0o40755, links: 3, ino: 2, dev: 1, mtime: -5, ctime: 1 << 62},
		{path: "a", mode: 0o40755},
		{path: "a/b", mode: 0o100644, size: 1 << 40, uid: 1<<32 - 1, gid: 5, xattrs: 1<<64 - 1},
		{path: "a/b/c", mode: 0o100644},
		{path: "a-", mode: 0o120777, target: "../\xff\n"},
		{path: "a.b/\xff", mode: 0o20666, device: 1 << 63},
		{path: "ab", mode: 0o100644},
	}
}

func TestListComesBack(t *testing.T) {
	files := someFiles()
	if !slices.IsSortedFunc(files, func(a, b file) int { return imagefs.ComparePaths(a.path, b.path) }) {
		t.Fatal("the files are not in order")
	}
	got, err := decodeList(encodeList(files))
	if err != nil || !reflect.DeepEqual(got, files) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestBadLists cuts a list at every byte, which is found where it is not the end of a
// record, and lists what must not be in one.
func TestBadLists(t *testing.T) {
	files := someFiles()
	good := encodeList(files)
	ends := map[int]bool{}
	for i := range files {
		ends[len(encodeList(files[:i+1]))] = true
	}
	for n := range good {
		if _, err := decodeList(good[:n]); !ends[n] && !errors.Is(err, content.ErrCorrupt) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	for _, paths := range [][]string{{}, {"a"}, {"", ""}, {"", "b", "a"}, {"", "a", "a"}, {"", ".."}, {"", "a/../../b"}, {"", "/a"}, {"", "a/"}, {"", "a//b"}, {"", "."}, {"", "a\x00b"}} {
		var list []file
		for _, path := range paths {
			list = append(list, file{path: path})
		}
		if _, err := decodeList(encodeList(list)); !errors.Is(err, content.ErrCorrupt) {
			t.Errorf("a list of %q: %v", paths, err)
		}
	}
}

func FuzzList(f *testing.F) {
	f.Add(encodeList(someFiles()))
	f.Add([]byte(listHead + "\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		files, err := decodeList(data)
		if err != nil {
			return
		}
		again, err := decodeList(encodeList(files))
		if err != nil || !reflect.DeepEqual(again, files) {
			t.Errorf("%+v comes back as %+v, %v", files, again, err)
		}
	})
}

func TestOwnerXattr(t *testing.T) {
	for _, want := range [][2]int{{0, 0}, {1, 0}, {0, 1}, {1000, 1 << 31}, {1<<32 - 2, 300}} {
		uid, gid, err := decodeOwner(encodeOwner(want[0], want[1]))
		if err != nil || uid != want[0] || gid != want[1] {
			t.Errorf("%v comes back as %d, %d, %v", want, uid, gid, err)
		}
	}
	// What rootlesscontainers.Resource{Uid: 1000, Gid: NoopID} is.
	if got := encodeOwner(1000, 0); !bytes.Equal(got, []byte{8, 0xe8, 7, 16, 0xff, 0xff, 0xff, 0xff, 0xf}) {
		t.Errorf("user 1000 is written as %v", got)
	}
	if uid, gid, err := decodeOwner(nil); uid != 0 || gid != 0 || err != nil {
		t.Errorf("nothing is read as %d, %d, %v", uid, gid, err)
	}
	for _, bad := range [][]byte{{8}, {16, 0x80}, {24, 1}, {10, 1, 1}, {8, 0xff, 0xff, 0xff, 0xff, 0x1f}, bytes.Repeat([]byte{0xff}, 12)} {
		if _, _, err := decodeOwner(bad); !errors.Is(err, content.ErrCorrupt) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
