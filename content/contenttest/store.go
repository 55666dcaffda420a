package contenttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
)

// Store holds a store to content.Store. empty returns a new and empty one that can
// be written; it is called often.
func Store(t *testing.T, empty func(t *testing.T) content.Store) {
	t.Run("what was pushed is fetched", func(t *testing.T) {
		s := empty(t)
		for d, data := range Blobs() {
			push(t, s, d, data)
		}
		Fetcher(t, s)
	})
	t.Run("what is there already is no error", func(t *testing.T) {
		s := empty(t)
		for range 2 {
			for d, data := range Blobs() {
				push(t, s, d, data)
			}
		}
	})
	t.Run("many writers of the same content", func(t *testing.T) { manyWriters(t, empty(t)) })
	t.Run("wrong content is not kept", func(t *testing.T) { wrongContent(t, empty(t)) })
	t.Run("what is no digest is refused", func(t *testing.T) {
		s := empty(t)
		for _, d := range badDigests {
			err := s.Push(context.Background(), content.Descriptor{Digest: d, Size: 2}, bytes.NewReader([]byte("{}")))
			if !errors.Is(err, content.ErrInvalid) {
				t.Errorf("%q: %v, want ErrInvalid", d, err)
			}
		}
	})
	t.Run("what can't be proven is not kept", func(t *testing.T) {
		s := empty(t)
		d := content.Descriptor{Digest: "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8", Size: 2}
		if err := s.Push(context.Background(), d, bytes.NewReader([]byte("{}"))); !errors.Is(err, content.ErrUnsupported) {
			t.Errorf("%v, want ErrUnsupported", err)
		}
		mustNotExist(t, s, d)
	})
	t.Run("a cancelled push keeps nothing", func(t *testing.T) {
		s := empty(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		data := []byte("cancelled")
		d := describe(digest.SHA256.FromBytes(data), data)
		if err := s.Push(ctx, d, bytes.NewReader(data)); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want context.Canceled", err)
		}
		mustNotExist(t, s, d)
	})
}

func push(t *testing.T, s content.Store, d content.Digest, data []byte) {
	t.Helper()
	if err := s.Push(context.Background(), describe(d, data), bytes.NewReader(data)); err != nil {
		t.Errorf("push of %s: %v", content.Short(d), err)
	}
}

func manyWriters(t *testing.T, s content.Store) {
	var wg sync.WaitGroup
	for d, data := range Blobs() {
		for range 4 {
			wg.Go(func() { push(t, s, d, data) })
		}
	}
	wg.Wait()
	for d, data := range Blobs() {
		fetchEqual(t, s, describe(d, data), data)
	}
}

var errBroken = errors.New("the wire broke")

func wrongContent(t *testing.T, s content.Store) {
	data := bytes.Repeat([]byte("right "), 50_000)
	want := describe(digest.SHA256.FromBytes(data), data)
	flipped := bytes.Clone(data)
	flipped[len(flipped)-1] ^= 1
	for name, c := range map[string]struct {
		r    io.Reader
		want error
	}{
		"flipped":   {bytes.NewReader(flipped), content.ErrDigest},
		"truncated": {bytes.NewReader(data[:len(data)-1]), content.ErrSize},
		"empty":     {bytes.NewReader(nil), content.ErrSize},
		"longer":    {io.MultiReader(bytes.NewReader(data), bytes.NewReader([]byte{0})), content.ErrSize},
		"broken":    {io.MultiReader(bytes.NewReader(data[:100]), iotest.ErrReader(errBroken)), errBroken},
	} {
		if err := s.Push(context.Background(), want, c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		mustNotExist(t, s, want)
	}
	push(t, s, want.Digest, data)
	fetchEqual(t, s, want, data)
	if err := s.Push(context.Background(), want, bytes.NewReader(data)); err != nil {
		t.Errorf("push of what is there: %v", err)
	}
	fetchEqual(t, s, want, data)
}

func mustNotExist(t *testing.T, s content.Store, d content.Descriptor) {
	t.Helper()
	if ok, err := s.Exists(context.Background(), d); ok || err != nil {
		t.Errorf("%s exists (%v) after a push that failed", content.Short(d.Digest), err)
	}
	if err := readAll(context.Background(), s, d); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("fetch after a push that failed: %v, want ErrNotFound", err)
	}
}
