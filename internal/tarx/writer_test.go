package tarx_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

var someTime = time.Unix(1_700_000_000, 999)

func TestWriter(t *testing.T) {
	var b bytes.Buffer
	w := tarx.NewWriter(&b, someTime)
	steps := []error{
		w.Dir("blobs/"),
		w.File("./blobs/a", 5),
		write(w, "he", "llo"),
		w.File("empty", 0),
		w.Symlink("x/link", "../blobs/a"),
		w.File("block", 512),
		write(w, strings.Repeat("b", 512)),
		w.Close(),
	}
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
	if b.Len() != 512+1024+512+512+1024+1024 {
		t.Errorf("archive has %d bytes", b.Len())
	}
	type member struct {
		name, link, body string
		typ              byte
		mode             int64
	}
	tr := tar.NewReader(&b)
	for _, want := range []member{
		{"blobs/", "", "", tar.TypeDir, 0o755},
		{"blobs/a", "", "hello", tar.TypeReg, 0o644},
		{"empty", "", "", tar.TypeReg, 0o644},
		{"x/link", "../blobs/a", "", tar.TypeSymlink, 0o777},
		{"block", "", strings.Repeat("b", 512), tar.TypeReg, 0o644},
	} {
		h, err := tr.Next()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(tr)
		if got := (member{h.Name, h.Linkname, string(body), h.Typeflag, h.Mode}); got != want || err != nil {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" || !h.ModTime.Equal(time.Unix(1_700_000_000, 0)) || h.Format != tar.FormatUSTAR {
			t.Errorf("%s: header is not neutral: %+v", want.name, h)
		}
	}
	if _, err := tr.Next(); err != io.EOF {
		t.Errorf("after the last member: %v", err)
	}
}

func write(w io.Writer, parts ...string) error {
	for _, p := range parts {
		if _, err := io.WriteString(w, p); err != nil {
			return err
		}
	}
	return nil
}

func TestWriterMisuse(t *testing.T) {
	for name, use := range map[string]func(w *tarx.Writer) error{
		"short body":          func(w *tarx.Writer) error { return errors.Join(w.File("a", 5), write(w, "hell"), w.File("b", 0)) },
		"short body at end":   func(w *tarx.Writer) error { return errors.Join(w.File("a", 5), write(w, "hell"), w.Close()) },
		"long body":           func(w *tarx.Writer) error { return errors.Join(w.File("a", 5), write(w, "hello", "!")) },
		"body of a directory": func(w *tarx.Writer) error { return errors.Join(w.Dir("a"), write(w, "x")) },
		"negative size":       func(w *tarx.Writer) error { return w.File("a", -1) },
		"file as root":        func(w *tarx.Writer) error { return w.File("./", 1) },
		"after close":         func(w *tarx.Writer) error { return errors.Join(w.Close(), w.File("a", 0)) },
		"closed twice":        func(w *tarx.Writer) error { return errors.Join(w.Close(), w.Close()) },
	} {
		if err := use(tarx.NewWriter(io.Discard, someTime)); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, use := range map[string]func(w *tarx.Writer) error{
		"file outside":      func(w *tarx.Writer) error { return w.File("../a", 0) },
		"directory outside": func(w *tarx.Writer) error { return w.Dir("/a") },
		"link outside":      func(w *tarx.Writer) error { return w.Symlink("a", "../b") },
	} {
		w := tarx.NewWriter(io.Discard, someTime)
		if err := use(w); !errors.Is(err, content.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
		if err := w.Close(); !errors.Is(err, content.ErrRefused) {
			t.Errorf("%s: the error did not stay: %v", name, err)
		}
	}
}

// stingy fails once it has taken so many bytes.
type stingy struct{ left int }

var errFull = errors.New("no space")

func (s *stingy) Write(p []byte) (int, error) {
	n := min(len(p), s.left)
	s.left -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestWriterFullDisk(t *testing.T) {
	const whole = 512 + 1024 + 1024
	for room := 0; room <= whole; room += 100 {
		w := tarx.NewWriter(&stingy{room}, someTime)
		err := errors.Join(w.Dir("d"), w.File("d/a", 300), write(w, strings.Repeat("x", 300)), w.Close())
		if full := room < whole; errors.Is(err, errFull) != full {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
}

func TestHeaderLayout(t *testing.T) {
	long := strings.Repeat("n", 300)
	for _, c := range []struct {
		name string
		size int64
		len  int
	}{
		{"blobs/sha256/" + strings.Repeat("a", 64), 1 << 20, 512},
		{"blobs/sha512/" + strings.Repeat("a", 128), 1 << 20, 1536}, // no prefix and name that short
		{"a", 8<<30 - 1, 512},
		{"a", 8 << 30, 1536},
		{"a", 9 << 30, 1536},
		{long, 0, 1536},
	} {
		h, err := tarx.Header(c.name, c.size, someTime)
		if err != nil || len(h) != c.len {
			t.Errorf("Header(%q, %d) has %d bytes, %v; want %d", c.name, c.size, len(h), err, c.len)
		}
		got, err := tar.NewReader(bytes.NewReader(h)).Next()
		if err != nil || got.Name != c.name || got.Size != c.size {
			t.Errorf("Header(%q, %d) reads as %+v, %v", c.name, c.size, got, err)
		}
		for key := range got.PAXRecords {
			if key != "path" && key != "size" {
				t.Errorf("Header(%q, %d) has a needless record %q", c.name, c.size, key)
			}
		}
		var b bytes.Buffer
		if err := tarx.NewWriter(&b, someTime).File(c.name, c.size); err != nil || !bytes.Equal(b.Bytes(), h) {
			t.Errorf("Writer.File(%q, %d) differs from Header: %v", c.name, c.size, err)
		}
	}
	for size, want := range map[int64]int64{0: 0, 1: 511, 511: 1, 512: 0, 513: 511, 9<<30 + 5: 507} {
		if got := tarx.Padding(size); got != want {
			t.Errorf("Padding(%d) = %d", size, got)
		}
	}
}

func TestRawHeader(t *testing.T) {
	when := time.Unix(1_600_000_000, 123456789)
	for name, in := range map[string]tar.Header{
		"file":     {Typeflag: tar.TypeReg, Name: "a", Size: 0, Mode: 0o4755, Uid: 12, Gid: 34, ModTime: when},
		"absolute": {Typeflag: tar.TypeReg, Name: "/a", Mode: 0o600, ModTime: when},
		"dir":      {Typeflag: tar.TypeDir, Name: "d/", Mode: 0o1777, ModTime: when.Truncate(time.Second)},
		"symlink":  {Typeflag: tar.TypeSymlink, Name: "l", Linkname: "/etc/x", Mode: 0o777, ModTime: when},
		"hardlink": {Typeflag: tar.TypeLink, Name: "h", Linkname: "a", Mode: 0o644, ModTime: when},
		"device":   {Typeflag: tar.TypeChar, Name: "null", Mode: 0o666, Devmajor: 1, Devminor: 3, ModTime: when},
		"fifo":     {Typeflag: tar.TypeFifo, Name: "p", Mode: 0o600, ModTime: when},
		"xattr": {Typeflag: tar.TypeReg, Name: "ping", Mode: 0o755, ModTime: when.Truncate(time.Second),
			PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02", "MSWINDOWS.fileattr": "32"}},
		"big owner": {Typeflag: tar.TypeReg, Name: "a", Mode: 0o644, Uid: 4_000_000_000, Gid: 4_000_000_000, ModTime: when},
	} {
		var b bytes.Buffer
		w := tarx.NewWriter(&b, someTime)
		noisy := in
		noisy.Uname, noisy.Gname = "root", "wheel"
		noisy.AccessTime, noisy.ChangeTime = when, when
		if err := errors.Join(w.RawHeader(&noisy), w.Close()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := tar.NewReader(&b).Next()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Typeflag != in.Typeflag || got.Name != in.Name || got.Linkname != in.Linkname || got.Mode != in.Mode ||
			got.Uid != in.Uid || got.Gid != in.Gid || !got.ModTime.Equal(in.ModTime) ||
			got.Devmajor != in.Devmajor || got.Devminor != in.Devminor {
			t.Errorf("%s: got %+v, want %+v", name, got, in)
		}
		if got.Uname != "" || got.Gname != "" || !got.AccessTime.IsZero() || !got.ChangeTime.IsZero() {
			t.Errorf("%s: names or times were kept: %+v", name, got)
		}
		maps.DeleteFunc(got.PAXRecords, func(k, _ string) bool { return !strings.Contains(k, ".") })
		if len(got.PAXRecords) != len(in.PAXRecords) || (len(in.PAXRecords) > 0 && !maps.Equal(got.PAXRecords, in.PAXRecords)) {
			t.Errorf("%s: attributes are %q", name, got.PAXRecords)
		}
	}
	w := tarx.NewWriter(io.Discard, someTime)
	if err := w.RawHeader(&tar.Header{Typeflag: 'V', Name: "volume"}); !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("volume label: %v", err)
	}
}

func BenchmarkWriterSmallFiles(b *testing.B) {
	body := make([]byte, 1000)
	b.ReportAllocs()
	w := tarx.NewWriter(io.Discard, someTime)
	name := "blobs/sha256/" + strings.Repeat("a", 64)
	for b.Loop() {
		if err := w.File(name, int64(len(body))); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			b.Fatal(err)
		}
	}
}
