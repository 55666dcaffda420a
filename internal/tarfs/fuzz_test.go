package tarfs_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarfs"
	"github.com/ocilayout/ocilayout/internal/tarx"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// FuzzTarFS: no archive makes anything but an error or an FS whose members are
// within it, with the names and bytes that reading it as a stream gives.
func FuzzTarFS(f *testing.F) {
	f.Add(archive(f, entry{name: "a/b", body: "x"}, entry{name: "l", link: "a/b"}, entry{name: "h", link: "a/b", hard: true}))
	f.Add(archive(f, entry{name: "a", link: "b"}, entry{name: "b", link: "a"}, entry{name: "a/c", body: "x"}))
	f.Add(archive(f, entry{name: "a", body: "first"}, entry{name: "d/../a", body: "second"}, entry{name: "a/b", body: "x"}))
	f.Add(archive(f, entry{name: strings.Repeat("n", 150), body: "x", format: tar.FormatGNU}))
	f.Add(archive(f, entry{name: strings.Repeat("n", 300), body: "x", format: tar.FormatPAX}))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = build.MendSums(data)
		fsys, err := tarfs.New(bytes.NewReader(data), int64(len(data)), tarfs.Limits{MaxMembers: 1000})
		if err != nil {
			if !errors.Is(err, content.ErrCorrupt) && !errors.Is(err, content.ErrRefused) && !errors.Is(err, content.ErrUnsupported) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		asStream(t, fsys, data)
		walkAll(t, fsys)
	})
}

// asStream reads the archive from front to back and expects the members of fsys.
func asStream(t *testing.T, fsys *tarfs.FS, data []byte) {
	tr := tarx.NewReader(io.MultiReader(bytes.NewReader(data)), tarx.Limits{MaxMembers: 1000})
	for m := range fsys.Members() {
		if m.Offset < 0 || m.Size < 0 || m.Offset+m.Size > int64(len(data)) {
			t.Fatalf("member %+v is not within %d bytes", m, len(data))
		}
		h, err := tr.Next()
		if err != nil {
			t.Fatalf("member %q: as a stream: %v", m.Name, err)
		}
		body, err := io.ReadAll(tr)
		if err != nil {
			t.Fatalf("member %q: body as a stream: %v", m.Name, err)
		}
		if m.Name != h.Name || m.Linkname != h.Linkname || m.Type != h.Typeflag {
			t.Fatalf("member %+v is %+v as a stream", m, h)
		}
		if !bytes.Equal(body, data[m.Offset:m.Offset+m.Size]) {
			t.Fatalf("member %q: %d bytes in place, %d others as a stream", m.Name, m.Size, len(body))
		}
	}
	if _, err := tr.Next(); err != io.EOF {
		t.Fatalf("after the last member, as a stream: %v", err)
	}
}

// walkAll looks at everything that there is: what a directory lists is there.
func walkAll(t *testing.T, fsys *tarfs.FS) {
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Type() == fs.ModeSymlink {
			if _, err := fsys.ReadLink(name); err != nil {
				t.Errorf("ReadLink: %v", err)
			}
		}
		file, err := fsys.Open(name)
		if err != nil {
			var at *fs.PathError
			if !errors.As(err, &at) {
				t.Errorf("Open(%q): %v", name, err)
			}
			return nil // it may lead nowhere
		}
		info, err := file.Stat()
		if err != nil {
			t.Errorf("Stat of %q: %v", name, err)
		} else if n, err := io.Copy(io.Discard, file); info.Mode().IsRegular() && (err != nil || n != info.Size()) {
			t.Errorf("%q of %d bytes: %d read, %v", name, info.Size(), n, err)
		}
		return file.Close()
	})
	if err != nil {
		t.Errorf("walk: %v", err)
	}
}
