package compress_test

import (
	"bytes"
	stdgzip "compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
)

// block is the writer's unit, around which its seams are.
const block = 16 * 65535

// gzipWith compresses data in writes of the given size; 0 is one ReadFrom.
func gzipWith(tb testing.TB, data []byte, opt compress.GzipOptions, step int) []byte {
	tb.Helper()
	var out bytes.Buffer
	z, err := compress.NewGzipWriter(&out, opt)
	if err != nil {
		tb.Fatal(err)
	}
	if step == 0 {
		if n, err := z.ReadFrom(iotest.HalfReader(bytes.NewReader(data))); n != int64(len(data)) || err != nil {
			tb.Fatalf("ReadFrom: %d, %v", n, err)
		}
	} else {
		for rest := data; len(rest) > 0; {
			p := rest[:min(step, len(rest))]
			rest = rest[len(p):]
			if n, err := z.Write(p); n != len(p) || err != nil {
				tb.Fatalf("Write: %d, %v", n, err)
			}
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// stdGunzip reads data with the standard library, as one member exactly.
func stdGunzip(tb testing.TB, data []byte) []byte {
	tb.Helper()
	src := bytes.NewReader(data)
	z, err := stdgzip.NewReader(src)
	if err != nil {
		tb.Fatal(err)
	}
	z.Multistream(false)
	out, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	if src.Len() != 0 {
		tb.Fatalf("%d bytes after the first member", src.Len())
	}
	return out
}

func TestGzipRoundTripAtTheSeams(t *testing.T) {
	data := sample(2*block+100, 2)
	for _, n := range []int{0, 1, 2, 100, 32<<10 - 1, 32 << 10, 65535, 65536, block - 1, block, block + 1, block + 5, 2*block - 1, 2 * block, 2*block + 1, 2*block + 100} {
		packed := gzipWith(t, data[:n], compress.GzipOptions{}, 1<<20)
		if got := stdGunzip(t, packed); !bytes.Equal(got, data[:n]) {
			t.Errorf("%d bytes do not come back", n)
		}
		if got, err := unpack(packed, compress.Gzip, compress.Limits{}); got != string(data[:n]) || err != nil {
			t.Errorf("%d bytes do not come back through our reader: %v", n, err)
		}
	}
}

func TestGzipLevelsRoundTrip(t *testing.T) {
	data := append(append(sample(block/2, 4), make([]byte, block)...), noise(block/4)...)
	for level := 0; level <= 9; level++ {
		if got := stdGunzip(t, gzipWith(t, data, compress.GzipOptions{Level: level}, 1<<16)); !bytes.Equal(got, data) {
			t.Errorf("level %d: content does not come back", level)
		}
	}
	for _, level := range []int{-1, 10} {
		if _, err := compress.NewGzipWriter(io.Discard, compress.GzipOptions{Level: level}); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("level %d: %v", level, err)
		}
	}
}

// noise is n bytes that do not compress.
func noise(n int) []byte {
	var out []byte
	sum := sha256.Sum256([]byte("noise"))
	for len(out) < n {
		sum = sha256.Sum256(sum[:])
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// TestGzipBytesDependOnInputAlone also runs after other levels and inputs used
// the pooled buffers and encoders.
func TestGzipBytesDependOnInputAlone(t *testing.T) {
	data := append(sample(2*block+777, 5), noise(block/2)...)
	for _, level := range []int{0, 1, 5, 7} {
		gzipWith(t, data[level*1000:block], compress.GzipOptions{Level: level}, 1<<20)
		want := gzipWith(t, data, compress.GzipOptions{Level: level, Workers: 1}, 1<<20)
		for workers, step := range map[int]int{2: 0, 3: 7919, 8: len(data)} {
			if !bytes.Equal(gzipWith(t, data, compress.GzipOptions{Level: level, Workers: workers}, step), want) {
				t.Errorf("level %d, %d workers, writes of %d: other bytes", level, workers, step)
			}
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one := gzipWith(t, data, compress.GzipOptions{}, 1<<20)
	runtime.GOMAXPROCS(3)
	if !bytes.Equal(one, gzipWith(t, data, compress.GzipOptions{}, 1<<20)) {
		t.Error("the number of cores changes the bytes")
	}
}

// TestGzipGolden fails when our layers would get other digests: with a new
// release of the codec, say. That is worth a line in the change log.
func TestGzipGolden(t *testing.T) {
	data := sample(6*block, 6)
	const want = "5cbc36dc43128495b0bf1558145dcf606856697316d683313f5bd2ae82012ddb"
	if got := fmt.Sprintf("%x", sha256.Sum256(gzipWith(t, data, compress.GzipOptions{}, 1<<20))); got != want {
		t.Errorf("digest is %s, was %s", got, want)
	}
}

func TestGzipHeaderIsNeutral(t *testing.T) {
	packed := gzipWith(t, []byte(hello), compress.GzipOptions{}, 10)
	if want := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}; !bytes.HasPrefix(packed, want) {
		t.Errorf("header is %x, want %x", packed[:10], want)
	}
}

func TestGzipIsNearlyAsSmallAsOneStream(t *testing.T) {
	data := sample(3*block, 7)
	var one bytes.Buffer
	z, err := stdgzip.NewWriterLevel(&one, 6)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(second(z.Write(data)), z.Close()); err != nil {
		t.Fatal(err)
	}
	packed := gzipWith(t, data, compress.GzipOptions{Level: 6}, 1<<20)
	if len(packed) > one.Len()*105/100 {
		t.Errorf("%d bytes in blocks, %d in one stream: the blocks are not primed", len(packed), one.Len())
	}
}

func second(_ int, err error) error { return err }

var errFull = errors.New("no space")

// stingy fails once it has taken so many bytes.
type stingy struct{ left int }

func (s *stingy) Write(p []byte) (int, error) {
	n := min(len(p), s.left)
	s.left -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestWritersReportAFullDisk(t *testing.T) {
	data := noise(4*block + 9)
	before := runtime.NumGoroutine()
	for name, open := range map[string]func(io.Writer) (io.WriteCloser, error){
		"gzip": func(w io.Writer) (io.WriteCloser, error) {
			return compress.NewGzipWriter(w, compress.GzipOptions{Workers: 3})
		},
		"zstd": func(w io.Writer) (io.WriteCloser, error) { return compress.NewZstdWriter(w, 1) },
	} {
		for _, room := range []int{0, 5, 10, 100, block, 3 * block, len(data)} {
			z, err := open(&stingy{room})
			if err != nil {
				t.Fatal(err)
			}
			_, err = z.Write(data)
			if closing := z.Close(); !errors.Is(errors.Join(err, closing), errFull) {
				t.Errorf("%s, room for %d bytes: %v, then %v", name, room, err, closing)
			}
		}
	}
	waitForGoroutines(t, before)
}

// waitForGoroutines fails if more than n goroutines stay.
func waitForGoroutines(t *testing.T, n int) {
	t.Helper()
	for range 200 {
		if runtime.NumGoroutine() <= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines are left, there were %d", runtime.NumGoroutine(), n)
}

func TestGzipErrorsStay(t *testing.T) {
	z, err := compress.NewGzipWriter(&stingy{5}, compress.GzipOptions{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	data := noise(8 * block)
	if n, err := z.Write(data); !errors.Is(err, errFull) || n == len(data) {
		t.Errorf("Write: %d, %v", n, err)
	}
	if n, err := z.Write(data); n != 0 || !errors.Is(err, errFull) {
		t.Errorf("Write again: %d, %v", n, err)
	}
	if _, err := z.ReadFrom(bytes.NewReader(data)); !errors.Is(err, errFull) {
		t.Errorf("ReadFrom: %v", err)
	}
	for range 2 {
		if err := z.Close(); !errors.Is(err, errFull) {
			t.Errorf("Close: %v", err)
		}
	}
}

func TestGzipUseAfterClose(t *testing.T) {
	z, err := compress.NewGzipWriter(io.Discard, compress.GzipOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := z.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if n, err := z.Write([]byte("x")); n != 0 || !errors.Is(err, content.ErrInvalid) {
		t.Errorf("Write: %d, %v", n, err)
	}
	if n, err := z.ReadFrom(bytes.NewReader([]byte("x"))); n != 0 || !errors.Is(err, content.ErrInvalid) {
		t.Errorf("ReadFrom: %d, %v", n, err)
	}
}

func TestGzipReadFromPassesErrorsOn(t *testing.T) {
	broken := errors.New("disk on fire")
	var out bytes.Buffer
	z, err := compress.NewGzipWriter(&out, compress.GzipOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := z.ReadFrom(io.MultiReader(bytes.NewReader([]byte(hello)), iotest.ErrReader(broken)))
	if n != int64(len(hello)) || err != broken {
		t.Errorf("ReadFrom: %d, %v", n, err)
	}
	if err := z.Close(); err != nil { // the writer is as good as before
		t.Fatal(err)
	}
	if got := stdGunzip(t, out.Bytes()); string(got) != hello {
		t.Errorf("got %q", got)
	}
}

func FuzzGzipRoundTrip(f *testing.F) {
	f.Add([]byte(hello), 3, 100, 0)
	f.Add([]byte{0, 1, 2, 255}, 300_000, 65536, 5)
	f.Add(noise(1000), 1050, 4096, 9)
	f.Fuzz(func(t *testing.T, unit []byte, times, step, level int) {
		if len(unit) == 0 || times < 0 || step < 1 || level < 0 || level > 9 {
			return
		}
		data := bytes.Repeat(unit, min(times, 3*block/len(unit)))
		packed := gzipWith(t, data, compress.GzipOptions{Level: level}, max(step, len(data)/1000+1))
		if !bytes.Equal(stdGunzip(t, packed), data) {
			t.Error("content does not come back")
		}
	})
}
