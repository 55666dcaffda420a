package compress_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
)

func zstdWith(tb testing.TB, data []byte, level, step int) []byte {
	tb.Helper()
	var out bytes.Buffer
	z, err := compress.NewZstdWriter(&out, level)
	if err != nil {
		tb.Fatal(err)
	}
	for rest := data; len(rest) > 0; {
		p := rest[:min(step, len(rest))]
		rest = rest[len(p):]
		if _, err := z.Write(p); err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func TestZstdRoundTrip(t *testing.T) {
	data := append(sample(4<<20, 8), noise(1<<19)...)
	for _, n := range []int{0, 1, 1000, 128 << 10, 128<<10 + 1, len(data)} {
		packed := zstdWith(t, data[:n], 0, 1<<20)
		if f := compress.Detect(packed); f != compress.Zstd {
			t.Errorf("%d bytes: the stream is detected as %s", n, f)
		}
		if got, err := unpack(packed, compress.Zstd, compress.Limits{MaxWindow: 4 << 20}); got != string(data[:n]) || err != nil {
			t.Errorf("%d bytes do not come back with a window of 4 MiB: %v", n, err)
		}
	}
	for level := 0; level <= 22; level += 3 {
		if got, err := unpack(zstdWith(t, data[:1<<19], level, 1<<20), compress.Zstd, compress.Limits{}); got != string(data[:1<<19]) || err != nil {
			t.Errorf("level %d: content does not come back: %v", level, err)
		}
	}
	for _, level := range []int{-1, 23} {
		if _, err := compress.NewZstdWriter(io.Discard, level); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("level %d: %v", level, err)
		}
	}
}

func TestZstdBytesDependOnInputAlone(t *testing.T) {
	data := sample(2<<20+1, 9)
	for _, n := range []int{100, 300_000, len(data)} {
		want := zstdWith(t, data[:n], 0, 1<<20)
		for _, cores := range []int{1, 2, 3, 5} {
			old := runtime.GOMAXPROCS(cores)
			for _, step := range []int{1 << 12, 9999, len(data)} {
				if got := zstdWith(t, data[:n], 0, step); !bytes.Equal(got, want) {
					t.Errorf("%d bytes, %d cores, writes of %d: other bytes", n, cores, step)
				}
			}
			runtime.GOMAXPROCS(old)
		}
	}
}

// TestSerialZstd holds the writer without a pipeline to the bytes of the other one.
func TestSerialZstd(t *testing.T) {
	data := append(sample(9<<20, 10), noise(1<<20)...)
	for _, level := range []int{0, 1, 9, 19} {
		for _, n := range []int{0, 1, 1000, 128<<10 - 1, 128 << 10, 128<<10 + 1, 300_000, len(data)} {
			if level != 0 && n > 300_000 {
				continue
			}
			var out bytes.Buffer
			z, err := compress.NewSerialZstdWriter(&out, level)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := z.Write(data[:n]); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Bytes(), zstdWith(t, data[:n], level, 1<<20)) {
				t.Errorf("level %d, %d bytes: other bytes", level, n)
			}
		}
	}
}
