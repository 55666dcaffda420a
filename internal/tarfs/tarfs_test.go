package tarfs_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarfs"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// entry is one member of a test archive; link makes it a symbolic link, and a
// name that ends in a slash a directory.
type entry struct {
	name, body, link string
	hard             bool
	format           tar.Format
}

func archive(tb testing.TB, entries ...entry) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Size: int64(len(e.body)), Mode: 0o644, Format: e.format, ModTime: time.Unix(1000, 0)}
		switch {
		case e.hard:
			h.Typeflag, h.Linkname = tar.TypeLink, e.link
		case e.link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		case strings.HasSuffix(e.name, "/"):
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func open(tb testing.TB, entries ...entry) *tarfs.FS {
	tb.Helper()
	b := archive(tb, entries...)
	f, err := tarfs.New(bytes.NewReader(b), int64(len(b)), tarfs.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func TestFSIsAFileSystem(t *testing.T) {
	long := strings.Repeat("long-", 30)
	f := open(t,
		entry{name: "./"},
		entry{name: "./oci-layout", body: "{}"},
		entry{name: "blobs/sha256/aa", body: strings.Repeat("a", 5000)}, // no directories of its own
		entry{name: "blobs/sha256/bb", body: ""},
		entry{name: "blobs/sha256/cc", link: "aa"},
		entry{name: "hard", link: "./blobs/sha256/aa", hard: true},
		entry{name: "latest", link: "blobs/sha256"},
		entry{name: "empty/"},
		entry{name: "pax/" + long + "/" + long, body: "pax", format: tar.FormatPAX},
		entry{name: "gnu/" + long + "/" + long, body: "gnu", format: tar.FormatGNU},
		entry{name: "non-ascii/ü", body: "utf-8"},
	)
	err := fstest.TestFS(f, "oci-layout", "blobs/sha256/aa", "blobs/sha256/cc", "hard", "latest", "empty", "pax/"+long+"/"+long, "gnu/"+long+"/"+long, "non-ascii/ü")
	if err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{
		"oci-layout":               "{}",
		"blobs/sha256/bb":          "",
		"blobs/sha256/cc":          strings.Repeat("a", 5000),
		"hard":                     strings.Repeat("a", 5000),
		"latest/aa":                strings.Repeat("a", 5000),
		"latest/cc":                strings.Repeat("a", 5000),
		"pax/" + long + "/" + long: "pax",
		"gnu/" + long + "/" + long: "gnu",
		"non-ascii/ü":              "utf-8",
	} {
		if got, err := fs.ReadFile(f, name); err != nil || string(got) != want {
			t.Errorf("%s reads %.20q, %v; want %.20q", name, got, err, want)
		}
		s, err := f.Section(name)
		if err != nil || s.Size() != int64(len(want)) {
			t.Errorf("section of %s: %v", name, err)
		}
	}
}

func TestOpenFilesSeekAndReadAt(t *testing.T) {
	f := open(t, entry{name: "a", body: "0123456789"})
	file, err := f.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := make([]byte, 3)
	if n, err := file.(io.ReaderAt).ReadAt(p, 4); n != 3 || err != nil || string(p) != "456" {
		t.Errorf("ReadAt: %d, %v, %q", n, err, p)
	}
	if n, err := file.(io.ReaderAt).ReadAt(p, 8); n != 2 || err != io.EOF {
		t.Errorf("ReadAt over the end: %d, %v: it must not see the padding", n, err)
	}
	if _, err := file.(io.Seeker).Seek(-1, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(file); string(rest) != "9" || err != nil {
		t.Errorf("after Seek: %q, %v", rest, err)
	}
}

func TestDuplicates(t *testing.T) {
	f := open(t, entry{name: "a", body: "first"}, entry{name: "b", body: "b"}, entry{name: "./a", body: "second"}, entry{name: "a", body: "3"})
	if got, err := fs.ReadFile(f, "a"); string(got) != "3" || err != nil {
		t.Errorf("a reads %q, %v; want the last member", got, err)
	}
	var bodies []string
	for _, m := range f.All("a") {
		b, err := io.ReadAll(f.SectionOf(m))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(b))
	}
	if want := []string{"first", "second", "3"}; !slices.Equal(bodies, want) {
		t.Errorf("All gives %q, want %q", bodies, want)
	}
	if all := f.All("c"); all != nil {
		t.Errorf("All of nothing is %v", all)
	}
	var names []string
	for m := range f.Members() {
		names = append(names, m.Name)
	}
	if want := []string{"a", "b", "a", "a"}; !slices.Equal(names, want) {
		t.Errorf("Members are %q, want %q", names, want)
	}
	for range f.Members() {
		break // stopping early must not panic
	}
	if entries, err := f.ReadDir("."); len(entries) != 2 || err != nil {
		t.Errorf("ReadDir lists %v, %v", entries, err)
	}
}

func TestLinksStayInside(t *testing.T) {
	f := open(t,
		entry{name: "secret", body: "s"},
		entry{name: "d/abs", link: "/secret"},
		entry{name: "d/up", link: "../../secret"},
		entry{name: "d/inside", link: "../secret"},
		entry{name: "d/dangling", link: "nothing"},
		entry{name: "d/dir", link: ".."},
		entry{name: "self", link: "self"},
		entry{name: "ping", link: "pong"},
		entry{name: "pong", link: "ping"},
		entry{name: "grow", link: "grow/x"},
		entry{name: "hardup", link: "../secret", hard: true},
		entry{name: "hardself", link: "hardself", hard: true},
		entry{name: "harddangling", link: "nothing", hard: true},
	)
	for name, want := range map[string]error{
		"d/abs":        content.ErrRefused,
		"d/up":         content.ErrRefused,
		"self":         content.ErrRefused,
		"ping":         content.ErrRefused,
		"grow":         content.ErrRefused,
		"hardup":       content.ErrRefused,
		"hardself":     content.ErrRefused,
		"d/dangling":   content.ErrNotFound,
		"harddangling": content.ErrNotFound,
		"d/dir/none":   fs.ErrNotExist,
		"secret/x":     fs.ErrNotExist,
		"none":         content.ErrNotFound,
		"d/dir":        content.ErrInvalid, // as a file
		".":            content.ErrInvalid,
		"../secret":    fs.ErrInvalid,
		"/secret":      content.ErrInvalid,
		"d/":           fs.ErrInvalid,
		"":             fs.ErrInvalid,
	} {
		_, err := f.Section(name)
		var pe *fs.PathError
		if !errors.Is(err, want) || !errors.As(err, &pe) || pe.Path != name {
			t.Errorf("Section(%q): %v; want %v", name, err, want)
		}
	}
	for _, name := range []string{"d/inside", "d/dir/secret", "d/dir/d/dir/d/dir/secret"} {
		if got, err := fs.ReadFile(f, name); string(got) != "s" || err != nil {
			t.Errorf("%s reads %q, %v", name, got, err)
		}
	}
}

func TestLongChainOfLinks(t *testing.T) {
	chain := []entry{{name: "l0", body: "end"}}
	for i := 1; i < 60; i++ {
		chain = append(chain, entry{name: fmt.Sprintf("l%d", i), link: fmt.Sprintf("l%d", i-1)})
	}
	f := open(t, chain...)
	if got, err := fs.ReadFile(f, "l40"); string(got) != "end" || err != nil {
		t.Errorf("40 links: %q, %v", got, err)
	}
	if _, err := f.Open("l41"); !errors.Is(err, content.ErrRefused) {
		t.Errorf("41 links: %v", err)
	}
}

func TestStatAndLstat(t *testing.T) {
	f := open(t, entry{name: "d/file", body: "four"}, entry{name: "link", link: "d/file"}, entry{name: "dir", link: "d"}, entry{name: "hard", link: "d/file", hard: true})
	for name, want := range map[string]fs.FileMode{"link": fs.ModeSymlink, "dir/file": 0, "d": fs.ModeDir, "hard": 0} {
		if info, err := f.Lstat(name); err != nil || info.Mode().Type() != want || info.Name() != name[strings.LastIndex(name, "/")+1:] {
			t.Errorf("Lstat(%s): %v, %v", name, info, err)
		}
	}
	for name, want := range map[string]int64{"link": 4, "hard": 4, "dir/file": 4} {
		if info, err := f.Stat(name); err != nil || info.Size() != want || !info.Mode().IsRegular() {
			t.Errorf("Stat(%s): %v, %v", name, info, err)
		}
	}
	if to, err := f.ReadLink("link"); to != "d/file" || err != nil {
		t.Errorf("ReadLink: %q, %v", to, err)
	}
	if _, err := f.ReadLink("d/file"); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("ReadLink of a file: %v", err)
	}
	if _, err := f.ReadDir("link"); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("ReadDir of a file: %v", err)
	}
	if _, err := f.ReadDir("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadDir of nothing: %v", err)
	}
}

func TestDevicesAreNotOpened(t *testing.T) {
	var b bytes.Buffer
	w := tarx.NewWriter(&b, time.Unix(0, 0))
	err := errors.Join(
		w.RawHeader(&tar.Header{Typeflag: tar.TypeChar, Name: "null", Devmajor: 1, Devminor: 3, Mode: 0o666}),
		w.RawHeader(&tar.Header{Typeflag: tar.TypeFifo, Name: "fifo", Mode: 0o666}),
		w.Symlink("link", "fifo"),
		w.Close())
	if err != nil {
		t.Fatal(err)
	}
	f, err := tarfs.New(bytes.NewReader(b.Bytes()), int64(b.Len()), tarfs.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"null", "fifo", "link"} {
		if _, err := f.Open(name); !errors.Is(err, content.ErrRefused) {
			t.Errorf("Open(%s): %v", name, err)
		}
		if info, err := f.Stat(name); err != nil || info.Mode().IsRegular() {
			t.Errorf("Stat(%s): %v, %v", name, info, err)
		}
	}
}

func TestHostileArchives(t *testing.T) {
	good := archive(t, entry{name: "a", body: strings.Repeat("x", 700)}, entry{name: "b", body: "y"})
	for name, c := range map[string]struct {
		data []byte
		lim  tarfs.Limits
		want error
	}{
		"empty":            {nil, tarfs.Limits{}, content.ErrUnsupported},
		"short":            {[]byte("short"), tarfs.Limits{}, content.ErrUnsupported},
		"text":             {bytes.Repeat([]byte("text "), 1000), tarfs.Limits{}, content.ErrUnsupported},
		"gzip":             {append([]byte{0x1f, 0x8b, 8}, make([]byte, 5000)...), tarfs.Limits{}, content.ErrUnsupported},
		"truncated body":   {good[:1000], tarfs.Limits{}, content.ErrCorrupt},
		"truncated header": {good[:1536+100], tarfs.Limits{}, content.ErrCorrupt},
		"damaged later":    {append(bytes.Clone(good[:1536]), bytes.Repeat([]byte("z"), 1024)...), tarfs.Limits{}, content.ErrCorrupt},
		"outside":          {archive(t, entry{name: "../a"}), tarfs.Limits{}, content.ErrRefused},
		"raw is ignored":   {archive(t, entry{name: "../a"}), tarfs.Limits{RawNames: true}, content.ErrRefused},
		"too many":         {good, tarfs.Limits{MaxMembers: 1}, content.ErrRefused},
		"root as a file":   {archive(t, entry{name: "."}), tarfs.Limits{}, content.ErrRefused},
	} {
		if _, err := tarfs.New(bytes.NewReader(c.data), int64(len(c.data)), c.lim); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", name, err, c.want)
		}
	}
	if _, err := tarfs.New(bytes.NewReader(good), int64(len(good))+5000, tarfs.Limits{}); err != nil && !errors.Is(err, content.ErrCorrupt) {
		t.Errorf("size is more than there is: %v", err)
	}
	if _, err := tarfs.New(bytes.NewReader(good[:1536]), int64(len(good)), tarfs.Limits{}); !errors.Is(err, content.ErrCorrupt) {
		t.Errorf("file shrank: %v", err)
	}
}

type failing struct{ io.ReaderAt }

var errDisk = errors.New("disk on fire")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off > 0 {
		return 0, errDisk
	}
	return f.ReaderAt.ReadAt(p, off)
}

func TestDiskErrorsPass(t *testing.T) {
	b := archive(t, entry{name: "a", body: strings.Repeat("x", 100_000)}, entry{name: "b"})
	if _, err := tarfs.New(failing{bytes.NewReader(b)}, int64(len(b)), tarfs.Limits{}); !errors.Is(err, errDisk) || errors.Is(err, content.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}
