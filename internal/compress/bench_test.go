package compress_test

import (
	"bytes"
	"io"
	"math/rand"
	"testing"

	"github.com/ocilayout/ocilayout/internal/compress"
)

// sample is n bytes that compress about as well as the files of an image: words
// that come back, with some noise between them.
func sample(n int, seed int64) []byte {
	rnd := rand.New(rand.NewSource(seed))
	words := make([][]byte, 2000)
	for i := range words {
		w := make([]byte, 3+rnd.Intn(12))
		rnd.Read(w)
		for k := range w {
			w[k] = 'a' + w[k]%26
		}
		words[i] = w
	}
	var b bytes.Buffer
	for b.Len() < n {
		b.Write(words[int(rnd.ExpFloat64()*200)%len(words)])
		if rnd.Intn(8) == 0 {
			b.WriteByte(byte(rnd.Intn(256)))
		}
	}
	return b.Bytes()[:n]
}

func BenchmarkGzipWriter(b *testing.B) {
	data := sample(32<<20, 1)
	for _, bm := range []struct {
		name string
		opt  compress.GzipOptions
	}{
		{"default", compress.GzipOptions{}},
		{"default-1worker", compress.GzipOptions{Workers: 1}},
		{"level1", compress.GzipOptions{Level: 1}},
		{"level5", compress.GzipOptions{Level: 5}},
		{"level9", compress.GzipOptions{Level: 9}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				z, err := compress.NewGzipWriter(io.Discard, bm.opt)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := z.Write(data); err != nil {
					b.Fatal(err)
				}
				if err := z.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReader(b *testing.B) {
	data := sample(32<<20, 1)
	for _, f := range []compress.Format{compress.Gzip, compress.Zstd} {
		packed := pack(b, f, data)
		b.Run(f.String(), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				r, err := compress.NewReader(bytes.NewReader(packed), f, compress.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
		})
	}
}

// pack compresses data with our own writers.
func pack(tb testing.TB, f compress.Format, data []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	if f == compress.Gzip {
		w, err = compress.NewGzipWriter(&out, compress.GzipOptions{})
	} else {
		w, err = compress.NewZstdWriter(&out, 0)
	}
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}
