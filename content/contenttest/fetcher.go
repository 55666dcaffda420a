package contenttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/errdef"

	"github.com/ocilayout/ocilayout/content"
)

// Blobs are what a store under test holds: empty, small, of two algorithms, and
// one that is larger than buffers are.
func Blobs() map[content.Digest][]byte {
	large := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	blobs := map[content.Digest][]byte{}
	for _, data := range [][]byte{{}, []byte("{}"), []byte("one line\n"), large} {
		blobs[digest.SHA256.FromBytes(data)] = data
		blobs[digest.SHA512.FromBytes(data)] = data
	}
	return blobs
}

func describe(d content.Digest, data []byte) content.Descriptor {
	return content.Descriptor{MediaType: "application/octet-stream", Digest: d, Size: int64(len(data))}
}

// Fetcher holds f, a store of exactly the blobs that Blobs returns, to
// content.Fetcher and, if it is one, content.Exister.
func Fetcher(t *testing.T, f content.Fetcher) {
	ctx := context.Background()
	t.Run("every blob comes whole", func(t *testing.T) {
		for d, data := range Blobs() {
			fetchEqual(t, f, describe(d, data), data)
		}
	})
	t.Run("many at once", func(t *testing.T) {
		var wg sync.WaitGroup
		for d, data := range Blobs() {
			for range 4 {
				wg.Go(func() { fetchEqual(t, f, describe(d, data), data) })
			}
		}
		wg.Wait()
	})
	t.Run("a wrong size is an error, not an end", func(t *testing.T) {
		for d, data := range Blobs() {
			for _, size := range []int64{int64(len(data)) - 1, int64(len(data)) + 1, 1 << 60, -1 << 63} {
				want := describe(d, data)
				want.Size = size
				if err := readAll(ctx, f, want); !errors.Is(err, content.ErrSize) {
					t.Errorf("%s of %d bytes as %d: %v, want ErrSize", content.Short(d), len(data), size, err)
				}
			}
		}
	})
	t.Run("absent is not found", func(t *testing.T) {
		absent := describe(digest.SHA256.FromString("absent"), []byte("absent"))
		err := readAll(ctx, f, absent)
		if !errors.Is(err, content.ErrNotFound) || !errors.Is(err, errdef.ErrNotFound) {
			t.Errorf("%v, want ErrNotFound, that of oras-go too", err)
		}
	})
	t.Run("what is no digest is refused", func(t *testing.T) {
		for _, d := range badDigests {
			err := readAll(ctx, f, content.Descriptor{Digest: d, Size: 2})
			if !errors.Is(err, content.ErrInvalid) {
				t.Errorf("%q: %v, want ErrInvalid", d, err)
			}
		}
	})
	t.Run("closing early is fine", func(t *testing.T) {
		for d, data := range Blobs() {
			rc, err := f.Fetch(ctx, describe(d, data))
			if err != nil {
				t.Fatal(err)
			}
			if err := rc.Close(); err != nil {
				t.Errorf("%s: %v", content.Short(d), err)
			}
		}
	})
	if e, ok := f.(content.Exister); ok {
		t.Run("exists", func(t *testing.T) { exister(t, e) })
	}
}

// badDigests are none, and must never become paths.
var badDigests = []content.Digest{
	"", "sha256", "sha256:", ":" + content.Digest(strings.Repeat("0", 64)), "sha256:../../../../etc/passwd",
	"sha256:" + content.Digest(strings.Repeat("0", 63)), "sha256:" + content.Digest(strings.Repeat("A", 64)),
	"../blobs:" + content.Digest(strings.Repeat("0", 64)), "sha256:" + content.Digest(strings.Repeat("0", 63)) + "/",
	"sha256:" + content.Digest(strings.Repeat("0", 63)) + "\x00",
}

func exister(t *testing.T, e content.Exister) {
	ctx := context.Background()
	expect := func(d content.Descriptor, want bool) {
		t.Helper()
		if got, err := e.Exists(ctx, d); got != want || err != nil {
			t.Errorf("Exists(%s, %d bytes) = %v, %v, want %v", content.Short(d.Digest), d.Size, got, err, want)
		}
	}
	for d, data := range Blobs() {
		want := describe(d, data)
		expect(want, true)
		want.Size++
		expect(want, false)
	}
	expect(describe(digest.SHA256.FromString("absent"), []byte("absent")), false)
}

func fetchEqual(t *testing.T, f content.Fetcher, d content.Descriptor, want []byte) {
	t.Helper()
	got, err := content.FetchAll(context.Background(), f, d, 1<<30)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, %v, want %d bytes", content.Short(d.Digest), len(got), err, len(want))
	}
}

// readAll fetches d and reads it to its end.
func readAll(ctx context.Context, f content.Fetcher, d content.Descriptor) error {
	rc, err := f.Fetch(ctx, d)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, rc)
	if closeErr := rc.Close(); err == nil {
		err = closeErr
	}
	return err
}
