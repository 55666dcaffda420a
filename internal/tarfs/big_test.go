package tarfs_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarfs"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// TestHugeMembers has members beyond what ustar can say, in a file with holes.
func TestHugeMembers(t *testing.T) {
	const huge = 9<<30 + 5
	file, err := os.Create(filepath.Join(t.TempDir(), "huge.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var end int64
	for i, format := range []tar.Format{tar.FormatPAX, tar.FormatGNU} {
		var head bytes.Buffer
		h := &tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprint("huge", i), Size: huge, Mode: 0o644, Format: format}
		if err := tar.NewWriter(&head).WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(head.Bytes(), end); err != nil {
			t.Fatal(err)
		}
		end += int64(head.Len()) + huge + tarx.Padding(huge)
		if _, err := file.WriteAt([]byte("tail!"), end-tarx.Padding(huge)-5); err != nil {
			t.Skipf("no files of this size here: %v", err)
		}
	}
	if _, err := file.WriteAt(archive(t, entry{name: "after", body: "x"}), end); err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	counted := &counter{r: file}
	f, err := tarfs.New(counted, info.Size(), tarfs.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if counted.bytes > 1<<20 {
		t.Errorf("the index took %d bytes of reading", counted.bytes)
	}
	for _, name := range []string{"huge0", "huge1"} {
		s, err := f.Section(name)
		if err != nil || s.Size() != huge {
			t.Fatalf("%s: %v, %v", name, s, err)
		}
		tail := make([]byte, 6)
		if n, err := s.ReadAt(tail, huge-5); n != 5 || err != io.EOF || string(tail[:5]) != "tail!" {
			t.Errorf("%s ends in %q, %d, %v", name, tail, n, err)
		}
	}
	if got, err := fs.ReadFile(f, "after"); string(got) != "x" || err != nil {
		t.Errorf("after: %q, %v", got, err)
	}
	if _, err := tarfs.New(file, info.Size()-huge, tarfs.Limits{}); !errors.Is(err, content.ErrCorrupt) {
		t.Errorf("truncated: %v", err)
	}
}

type counter struct {
	r     io.ReaderAt
	calls int
	bytes int64
}

func (c *counter) ReadAt(p []byte, off int64) (int, error) {
	c.calls++
	n, err := c.r.ReadAt(p, off)
	c.bytes += int64(n)
	return n, err
}

// many is an archive of n small blobs.
func many(tb testing.TB, n int) []byte {
	var b bytes.Buffer
	w := tarx.NewWriter(&b, time.Unix(0, 0))
	for i := range n {
		if err := w.File(fmt.Sprintf("blobs/sha256/%064x", i*7919), 300); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 300)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestManyMembersAreReadInBigSteps(t *testing.T) {
	const n = 20_000
	data := many(t, n)
	c := &counter{r: bytes.NewReader(data)}
	f, err := tarfs.New(c, int64(len(data)), tarfs.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if c.calls > n/10 {
		t.Errorf("%d reads for %d members", c.calls, n)
	}
	entries, err := f.ReadDir("blobs/sha256")
	if err != nil || len(entries) != n {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	if !slices.IsSortedFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) }) {
		t.Error("entries are not sorted")
	}
}

func BenchmarkNew20k(b *testing.B) {
	data := many(b, 20_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tarfs.New(bytes.NewReader(data), int64(len(data)), tarfs.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadDir20k(b *testing.B) {
	data := many(b, 20_000)
	b.ReportAllocs()
	for b.Loop() {
		f, err := tarfs.New(bytes.NewReader(data), int64(len(data)), tarfs.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.ReadDir("blobs/sha256"); err != nil {
			b.Fatal(err)
		}
	}
}
