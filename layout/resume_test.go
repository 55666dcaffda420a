package layout_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// afar is a blob that comes over a line which is cut after some bytes.
type afar struct {
	data    []byte
	cut     int // counted from the blob's start; 0 is never
	mu      sync.Mutex
	offsets []int64
}

var errCut = errors.New("the line was cut")

func (a *afar) open(offset int64) (io.ReadCloser, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.offsets = append(a.offsets, offset)
	if a.cut == 0 {
		return io.NopCloser(bytes.NewReader(a.data[offset:])), nil
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(a.data[min(int(offset), a.cut):a.cut]), iotest.ErrReader(errCut))), nil
}

func newAfar() (*afar, content.Descriptor) {
	data := build.Random(7, 3<<20)
	return &afar{data: data}, build.Descriptor("application/octet-stream", data)
}

// fetchOnce pushes the blob as one run would, and publishes it.
func fetchOnce(t *testing.T, dir string, from *afar, want content.Descriptor) error {
	t.Helper()
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	b := l.Batch()
	err = b.PushResumable(t.Context(), want, from.open)
	if err == nil {
		err = b.Publish(t.Context())
	}
	if closeErr := errors.Join(b.Close(), l.Close()); closeErr != nil {
		t.Fatal(closeErr)
	}
	return err
}

// staged lists the files that are in staging.
func staged(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, ".ocilayout", "staging", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// leftPartial is the file that a writer left, which died.
func leftPartial(t *testing.T, dir string) string {
	t.Helper()
	for _, file := range staged(t, dir) {
		if strings.HasPrefix(filepath.Base(file), "partial-") {
			return file
		}
	}
	t.Fatalf("no part of a blob is in %q", staged(t, dir))
	return ""
}

func wantBlob(t *testing.T, dir string, want content.Descriptor) {
	t.Helper()
	r, err := layout.OpenReader(dir, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := content.FetchAll(t.Context(), r, want, 1<<30); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if left := staged(t, dir); len(left) != 0 {
		t.Errorf("left in staging: %q", left)
	}
}

func TestPushResumable(t *testing.T) {
	dir := testkit.Layout(t, nil)
	from, want := newAfar()
	for _, cut := range []int{2 << 20, 2<<20 + 5, 1 << 20} { // and once it comes no further
		from.cut = cut
		if err := fetchOnce(t, dir, from, want); !errors.Is(err, errCut) {
			t.Fatalf("got %v", err)
		}
	}
	from.cut = 0
	if err := fetchOnce(t, dir, from, want); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(from.offsets); got != "[0 2097152 2097157 2097157]" {
		t.Errorf("opened at %s", got)
	}
	wantBlob(t, dir, want)
}

// TestPushResumableSmall: few bytes are not kept.
func TestPushResumableSmall(t *testing.T) {
	dir := testkit.Layout(t, nil)
	from, want := newAfar()
	from.cut = 1<<20 - 1
	if err := fetchOnce(t, dir, from, want); !errors.Is(err, errCut) {
		t.Fatalf("got %v", err)
	}
	if left := staged(t, dir); len(left) != 0 {
		t.Errorf("left in staging: %q", left)
	}
}

// TestPushResumableUnpublished: a whole blob that was not published is proven again, and
// not fetched; in the same writer, too.
func TestPushResumableUnpublished(t *testing.T) {
	for _, same := range []bool{false, true} {
		dir := testkit.Layout(t, nil)
		from, want := newAfar()
		l, err := layout.Open(dir, layout.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		b := l.Batch()
		if err := errors.Join(b.PushResumable(t.Context(), want, from.open), b.Close()); err != nil {
			t.Fatal(err)
		}
		if same {
			b = l.Batch()
			if err := errors.Join(b.PushResumable(t.Context(), want, from.open), b.Publish(t.Context()), b.Close()); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := fetchOnce(t, dir, from, want); err != nil {
			t.Fatal(err)
		}
		if len(from.offsets) != 1 {
			t.Errorf("opened at %v", from.offsets)
		}
		wantBlob(t, dir, want)
	}
}

// TestPoisonedPartial: what lies in staging is whatever somebody put there.
func TestPoisonedPartial(t *testing.T) {
	for name, poison := range map[string]func(t *testing.T, part, outside string) error{
		"other bytes": func(_ *testing.T, part, _ string) error {
			return os.WriteFile(part, build.Random(8, 2<<20), 0o644)
		},
		"too long": func(_ *testing.T, part, _ string) error {
			return os.WriteFile(part, build.Random(8, 4<<20), 0o644)
		},
		"torn": func(_ *testing.T, part, _ string) error {
			f, err := os.OpenFile(part, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt(make([]byte, 4096), 1<<20)
			return errors.Join(err, f.Close())
		},
		"whole and wrong": func(_ *testing.T, part, _ string) error {
			return os.WriteFile(part, build.Random(8, 3<<20), 0o644)
		},
		"a link": func(t *testing.T, part, outside string) error {
			if err := os.Symlink(outside, part); err != nil {
				t.Skip(err)
			}
			return nil
		},
		"another file's name": func(t *testing.T, part, outside string) error {
			if err := os.Link(outside, part); err != nil {
				t.Skip(err)
			}
			return nil
		},
		"a directory": func(_ *testing.T, part, _ string) error { return os.MkdirAll(filepath.Join(part, "x"), 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, outside := testkit.Layout(t, nil), filepath.Join(t.TempDir(), "precious")
			precious := build.Random(9, 2<<20)
			if err := os.WriteFile(outside, precious, 0o644); err != nil {
				t.Fatal(err)
			}
			from, want := newAfar()
			from.cut = 2 << 20
			if err := fetchOnce(t, dir, from, want); !errors.Is(err, errCut) {
				t.Fatal(err)
			}
			part := leftPartial(t, dir)
			if name != "torn" {
				if err := os.Remove(part); err != nil {
					t.Fatal(err)
				}
			}
			if err := poison(t, part, outside); err != nil {
				t.Fatal(err)
			}
			from.cut = 0
			if err := fetchOnce(t, dir, from, want); err != nil {
				t.Fatal(err)
			}
			if last := from.offsets[len(from.offsets)-1]; last != 0 {
				t.Errorf("begun at %v", from.offsets)
			}
			if got, err := os.ReadFile(outside); err != nil || !bytes.Equal(got, precious) {
				t.Errorf("a file outside was written to, %v", err)
			}
			l, err := layout.Open(dir, layout.Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.GC(t.Context(), layout.GCOptions{Grace: time.Hour}); err != nil {
				t.Error(err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			wantBlob(t, dir, want)
		})
	}
}

// TestWrongBytesAgain: bytes that are wrong from the start on are asked for twice at
// most, and nothing of them stays.
func TestWrongBytesAgain(t *testing.T) {
	dir := testkit.Layout(t, nil)
	from, want := newAfar()
	from.cut = 2 << 20
	if err := fetchOnce(t, dir, from, want); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	from.cut, from.data = 0, build.Random(8, 3<<20)
	if err := fetchOnce(t, dir, from, want); !errors.Is(err, content.ErrDigest) {
		t.Errorf("got %v", err)
	}
	if got := fmt.Sprint(from.offsets); got != "[0 2097152 0]" {
		t.Errorf("opened at %s", got)
	}
	if left := staged(t, dir); len(left) != 0 {
		t.Errorf("left in staging: %q", left)
	}
}

// TestResumeTogether: of writers that run at once one goes on with what is left, and
// none takes what another one is at.
func TestResumeTogether(t *testing.T) {
	dir := testkit.Layout(t, nil)
	from, want := newAfar()
	from.cut = 2 << 20
	if err := fetchOnce(t, dir, from, want); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	from.cut, from.offsets = 0, nil
	var batches []*layout.Batch
	for range 4 {
		l, err := layout.Open(dir, layout.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}()
		batches = append(batches, l.Batch(), l.Batch())
	}
	errs := make(chan error)
	for _, b := range batches {
		go func() { errs <- b.PushResumable(t.Context(), want, from.open) }()
	}
	for range batches {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	resumed := 0
	for _, offset := range from.offsets {
		if offset > 0 {
			resumed++
		}
	}
	if resumed != 1 || len(from.offsets) != len(batches) {
		t.Errorf("opened at %v", from.offsets)
	}
	for _, b := range batches {
		if err := errors.Join(b.Publish(t.Context()), b.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestGCKeepsYoungPartials: gc leaves what the next pull goes on with, for its grace.
func TestGCKeepsYoungPartials(t *testing.T) {
	dir := testkit.Layout(t, nil)
	from, want := newAfar()
	from.cut = 2 << 20
	if err := fetchOnce(t, dir, from, want); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	kept := layout.Amount{Count: 1, Bytes: 2 << 20}
	if got := collect(t, l, layout.GCOptions{Grace: time.Hour}); got.KeptByGrace != kept || got.Changed() {
		t.Errorf("got %+v", got)
	}
	leftPartial(t, dir)
	if got := collect(t, l, layout.GCOptions{DryRun: true}); got.Staging != kept {
		t.Errorf("as a dry run: %+v", got)
	}
	if got := collect(t, l, layout.GCOptions{}); got.Staging != kept {
		t.Errorf("got %+v", got)
	}
	if left := staged(t, dir); len(left) != 0 {
		t.Errorf("left in staging: %q", left)
	}
}
