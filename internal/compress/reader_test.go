package compress_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
)

// unpack reads a whole stream.
func unpack(data []byte, f compress.Format, lim compress.Limits) (string, error) {
	return drain(bytes.NewReader(data), f, lim)
}

func drain(r io.Reader, f compress.Format, lim compress.Limits) (string, error) {
	z, err := compress.NewReader(r, f, lim)
	if err != nil {
		return "", err
	}
	defer z.Close()
	out, err := io.ReadAll(z)
	if err == nil {
		if n, again := z.Read(make([]byte, 1)); n != 0 || again != io.EOF {
			return string(out), errors.New("the end did not stay")
		}
	} else if _, again := z.Read(make([]byte, 1)); again != err {
		return string(out), errors.New("the error did not stay")
	}
	return string(out), err
}

func TestReaderReadsForeignStreams(t *testing.T) {
	for name, s := range samples(t) {
		if f := compress.Detect(s.data[:6]); f != s.format {
			t.Errorf("%s: detected as %s", name, f)
		}
		for kind, r := range map[string]io.Reader{
			"whole":    bytes.NewReader(s.data),
			"one byte": iotest.OneByteReader(bytes.NewReader(s.data)),
			"data+eof": iotest.DataErrReader(bytes.NewReader(s.data)),
			"slow":     iotest.HalfReader(bytes.NewReader(s.data)),
		} {
			if got, err := drain(r, s.format, compress.Limits{}); got != hello || err != nil {
				t.Errorf("%s, %s: %q, %v", name, kind, got, err)
			}
		}
	}
}

func TestReaderReadsEmptyStreams(t *testing.T) {
	for f, s := range nothing {
		if got, err := unpack(unhex(t, s), f, compress.Limits{}); got != "" || err != nil {
			t.Errorf("%s: %q, %v", f, got, err)
		}
	}
}

func TestReaderJoinsMembers(t *testing.T) {
	for name, s := range samples(t) {
		if got, err := unpack(append(bytes.Clone(s.data), s.data...), s.format, compress.Limits{}); got != hello+hello || err != nil {
			t.Errorf("%s twice: %q, %v", name, got, err)
		}
	}
	z := pack(t, compress.Zstd, []byte(hello))
	skip := []byte{0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'}
	for name, data := range map[string][]byte{
		"first": append(bytes.Clone(skip), z...),
		"last":  append(bytes.Clone(z), skip...),
		"both":  append(append(bytes.Clone(skip), z...), skip...),
	} {
		if f := compress.Detect(data); f != compress.Zstd {
			t.Errorf("skippable frame %s: detected as %s", name, f)
		}
		if got, err := unpack(data, compress.Zstd, compress.Limits{}); got != hello || err != nil {
			t.Errorf("skippable frame %s: %q, %v", name, got, err)
		}
	}
	x := unhex(t, foreign["xz crc64"].hex)
	padded := append(append(bytes.Clone(x), make([]byte, 8)...), x...)
	if got, err := unpack(append(padded, make([]byte, 4)...), compress.Xz, compress.Limits{}); got != hello+hello || err != nil {
		t.Errorf("xz with padding: %q, %v", got, err)
	}
}

func TestReaderFindsTruncation(t *testing.T) {
	for name, s := range samples(t) {
		for n := range s.data {
			got, err := unpack(s.data[:n], s.format, compress.Limits{})
			if !errors.Is(err, content.ErrCorrupt) {
				t.Errorf("%s cut to %d bytes: %q, %v", name, n, got, err)
			}
		}
	}
}

func TestReaderFindsRubbishAtTheEnd(t *testing.T) {
	for name, s := range samples(t) {
		for _, tail := range []string{"\x00", "x", "rubbish", "\x1f\x8b", s.format.String(), "\x00\x00\x00\x00\x00"} {
			if _, err := unpack(append(bytes.Clone(s.data), tail...), s.format, compress.Limits{}); !errors.Is(err, content.ErrCorrupt) {
				t.Errorf("%s and then %q: %v", name, tail, err)
			}
		}
	}
}

// TestReaderFindsDamage flips every bit. Some make no difference to what is
// read, such as the time in a gzip header: then the content must be right.
func TestReaderFindsDamage(t *testing.T) {
	for name, s := range samples(t) {
		if name == "xz none" {
			continue // it has no checksum of the content
		}
		for bit := range len(s.data) * 8 {
			bad := bytes.Clone(s.data)
			bad[bit/8] ^= 1 << (bit % 8)
			got, err := unpack(bad, s.format, compress.Limits{})
			switch {
			case err == nil && got != hello && !dropsChecksum(s.format, bit):
				t.Errorf("%s with bit %d flipped reads %q", name, bit, got)
			case err != nil && !errors.Is(err, content.ErrCorrupt) && !errors.Is(err, content.ErrRefused) && !errors.Is(err, content.ErrUnsupported):
				t.Errorf("%s with bit %d flipped: an error of no kind: %v", name, bit, err)
			}
		}
	}
}

// dropsChecksum names the bits of a zstd stream that turn off its checksum or
// turn its frame into one to skip.
func dropsChecksum(f compress.Format, bit int) bool { return f == compress.Zstd && bit/8 <= 4 }

func TestReaderPassesErrorsOn(t *testing.T) {
	broken := errors.New("disk on fire")
	for name, s := range samples(t) {
		for n := range s.data {
			r := io.MultiReader(bytes.NewReader(s.data[:n]), iotest.ErrReader(broken))
			if _, err := drain(r, s.format, compress.Limits{}); err != broken {
				t.Errorf("%s, disk fails after %d bytes: %v", name, n, err)
			}
		}
	}
	if _, err := drain(iotest.ErrReader(broken), compress.None, compress.Limits{}); err != broken {
		t.Errorf("none: %v", err)
	}
}

func TestReaderUnsupported(t *testing.T) {
	if _, err := unpack(unhex(t, xzX86), compress.Xz, compress.Limits{}); !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("xz with another filter: %v", err)
	}
	if _, err := unpack(nil, compress.Format(99), compress.Limits{}); !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("unknown format: %v", err)
	}
}

func TestReaderMaxBytes(t *testing.T) {
	all := samples(t)
	plain := all["our gzip"]
	plain.format, plain.data = compress.None, []byte(hello)
	all["plain"] = plain
	size := int64(len(hello))
	for name, s := range all {
		if got, err := unpack(s.data, s.format, compress.Limits{MaxBytes: size}); got != hello || err != nil {
			t.Errorf("%s at the limit: %q, %v", name, got, err)
		}
		if got, err := unpack(s.data, s.format, compress.Limits{MaxBytes: size - 1}); got != hello[:size-1] || !errors.Is(err, content.ErrRefused) {
			t.Errorf("%s over the limit: %q, %v", name, got, err)
		}
	}
}

func TestReaderMaxRatio(t *testing.T) {
	zeros := make([]byte, 66<<20)
	for _, f := range []compress.Format{compress.Gzip, compress.Zstd} {
		bomb := pack(t, f, zeros)
		r, err := compress.NewReader(bytes.NewReader(bomb), f, compress.Limits{MaxRatio: 100})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); !errors.Is(err, content.ErrRefused) || n > 65<<20 {
			t.Errorf("%s: the bomb gave %d bytes, %v", f, n, err)
		}
		r.Close()
		small := pack(t, f, zeros[:8<<20])
		r, err = compress.NewReader(bytes.NewReader(small), f, compress.Limits{MaxRatio: 2})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); n != 8<<20 || err != nil {
			t.Errorf("%s: a small file of zeros: %d, %v", f, n, err)
		}
		r.Close()
	}
}

func TestReaderMaxWindow(t *testing.T) {
	// A frame header that asks for a window of 256 MiB, then an empty last block.
	big := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, (28 - 10) << 3, 1, 0, 0}
	if _, err := unpack(big, compress.Zstd, compress.Limits{}); !errors.Is(err, content.ErrRefused) {
		t.Errorf("zstd: %v", err)
	}
	small := bytes.Replace(big, []byte{(28 - 10) << 3}, []byte{(21 - 10) << 3}, 1) // 2 MiB
	if _, err := unpack(small, compress.Zstd, compress.Limits{MaxWindow: 2<<20 - 1}); !errors.Is(err, content.ErrRefused) {
		t.Errorf("zstd with a lower limit: %v", err)
	}
	if got, err := unpack(small, compress.Zstd, compress.Limits{MaxWindow: 2 << 20}); got != "" || err != nil {
		t.Errorf("zstd with the limit it needs: %q, %v", got, err)
	}
	if _, err := unpack(unhex(t, xzBig), compress.Xz, compress.Limits{MaxWindow: 8<<20 - 1}); !errors.Is(err, content.ErrRefused) {
		t.Errorf("xz: %v", err)
	}
	if got, err := unpack(unhex(t, xzBig), compress.Xz, compress.Limits{MaxWindow: 8 << 20}); got != hello || err != nil {
		t.Errorf("xz with the limit it needs: %q, %v", got, err)
	}
}

func TestXzDictionariesAreRationed(t *testing.T) {
	// 8 MiB of dictionary for each of many empty blocks.
	head := unhex(t, "fd377a585a000000ff12d941")
	block := append(unhex(t, "0200210116000000742fe5a3"), 0, 0, 0, 0)
	bomb := append(head, bytes.Repeat(block, 1000)...)
	if _, err := unpack(bomb, compress.Xz, compress.Limits{}); !errors.Is(err, content.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestReaderClose(t *testing.T) {
	for name, s := range samples(t) {
		src := &closeable{Reader: bytes.NewReader(s.data)}
		r, err := compress.NewReader(src, s.format, compress.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Read(make([]byte, 3)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for range 2 {
			if err := r.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n, err := r.Read(make([]byte, 3)); n != 0 || !errors.Is(err, content.ErrInvalid) {
			t.Errorf("%s: read after close: %d, %v", name, n, err)
		}
		if src.closed {
			t.Errorf("%s: the underlying reader was closed", name)
		}
	}
}

type closeable struct {
	io.Reader
	closed bool
}

func (c *closeable) Close() error { c.closed = true; return nil }

func TestDetectAndSniff(t *testing.T) {
	for in, want := range map[string]compress.Format{
		"":                           compress.None,
		"\x1f":                       compress.None,
		"\x1f\x8b":                   compress.None,
		"\x1f\x8b\x08":               compress.Gzip,
		"\x1f\x8b\x07":               compress.None,
		"\x28\xb5\x2f\xfd":           compress.Zstd,
		"\x50\x2a\x4d\x18":           compress.Zstd,
		"\x5f\x2a\x4d\x18":           compress.Zstd,
		"\x60\x2a\x4d\x18":           compress.None,
		"\xfd7zXZ":                   compress.None,
		"\xfd7zXZ\x00":               compress.Xz,
		"BZh9":                       compress.Bzip2,
		"BZh0":                       compress.None,
		"BZhx":                       compress.None,
		"oci-layout\x00\x00\x00\x00": compress.None,
	} {
		if got := compress.Detect([]byte(in)); got != want {
			t.Errorf("Detect(%q) = %s, want %s", in, got, want)
		}
		br := bufio.NewReader(strings.NewReader(in + "rest"))
		if got, err := compress.Sniff(br); got != want || err != nil {
			t.Errorf("Sniff(%q) = %s, %v", in, got, err)
		}
		if rest, _ := io.ReadAll(br); string(rest) != in+"rest" {
			t.Errorf("Sniff(%q) consumed something", in)
		}
	}
	broken := errors.New("disk on fire")
	if _, err := compress.Sniff(bufio.NewReader(iotest.ErrReader(broken))); err != broken {
		t.Errorf("Sniff on a broken disk: %v", err)
	}
	if got, err := compress.Sniff(bufio.NewReader(strings.NewReader("BZh9"))); got != compress.Bzip2 || err != nil {
		t.Errorf("Sniff on a short stream: %s, %v", got, err)
	}
}

func TestFormatString(t *testing.T) {
	for f, want := range map[compress.Format]string{
		compress.None: "none", compress.Gzip: "gzip", compress.Zstd: "zstd", compress.Xz: "xz", compress.Bzip2: "bzip2", 77: "unknown",
	} {
		if f.String() != want {
			t.Errorf("format %d is %q, want %q", f, f, want)
		}
	}
}

func TestGunzipSize(t *testing.T) {
	data := sample(3<<20+5, 3)
	packed := pack(t, compress.Gzip, data)
	if n, ok := compress.GunzipSize(bytes.NewReader(packed), int64(len(packed))); n != int64(len(data)) || !ok {
		t.Errorf("got %d, %t", n, ok)
	}
	empty := pack(t, compress.Gzip, nil)
	if n, ok := compress.GunzipSize(bytes.NewReader(empty), int64(len(empty))); n != 0 || !ok {
		t.Errorf("of nothing: %d, %t", n, ok)
	}
	for name, c := range map[string][]byte{
		"nothing":   nil,
		"too short": packed[:19],
		"no gzip":   bytes.Repeat([]byte("x"), 100),
	} {
		if n, ok := compress.GunzipSize(bytes.NewReader(c), int64(len(c))); ok {
			t.Errorf("%s: %d", name, n)
		}
	}
	if n, ok := compress.GunzipSize(bytes.NewReader(packed), int64(len(packed))+100); ok {
		t.Errorf("shorter than said: %d", n)
	}
}

func FuzzNewReader(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.data)
	}
	for _, s := range nothing {
		f.Add(unhex(f, s))
	}
	f.Add(unhex(f, xzX86))
	f.Fuzz(func(t *testing.T, data []byte) {
		const most = 1 << 20
		format := compress.Detect(data)
		r, err := compress.NewReader(bytes.NewReader(data), format, compress.Limits{MaxBytes: most, MaxWindow: 8 << 20})
		if err == nil {
			var n int64
			n, err = io.Copy(io.Discard, r)
			if n > most {
				t.Fatalf("%d bytes came out", n)
			}
			r.Close()
		}
		if err != nil && !errors.Is(err, content.ErrCorrupt) && !errors.Is(err, content.ErrRefused) && !errors.Is(err, content.ErrUnsupported) {
			t.Fatalf("an error of no kind: %v", err)
		}
	})
}
