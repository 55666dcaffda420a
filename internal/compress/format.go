// Package compress reads and writes the compressed streams of container images:
// gzip and zstd both ways, xz and bzip2 inwards only. It is the only package
// that imports a codec, so that limits on hostile input and the bytes that we
// write are decided in one place.
//
// Readers end in verdicts: io.EOF is returned only after a whole and intact
// stream. A broken or truncated one gives content.ErrCorrupt, one that exceeds a
// limit content.ErrRefused, and an error of the underlying reader is returned
// as it is. Writers give the same bytes for the same input and options, whatever
// the number of cores and the sizes of the writes.
package compress

import (
	"bufio"
	"bytes"
	"io"
)

// A Format is a compression format; the zero value is no compression.
type Format uint8

// The formats that NewReader reads.
const (
	None Format = iota
	Gzip
	Zstd
	Xz
	Bzip2
)

// String returns the name of the format as users write it, such as "gzip".
func (f Format) String() string {
	switch f {
	case None:
		return "none"
	case Gzip:
		return "gzip"
	case Zstd:
		return "zstd"
	case Xz:
		return "xz"
	case Bzip2:
		return "bzip2"
	default:
		return "unknown"
	}
}

// sniffLen is the length of the longest magic number.
const sniffLen = 6

// Detect tells the format of a stream by its first bytes; six are enough. What
// has no known magic number is None.
func Detect(prefix []byte) Format {
	switch {
	case bytes.HasPrefix(prefix, []byte{0x1f, 0x8b, 8}):
		return Gzip
	case bytes.HasPrefix(prefix, []byte{0x28, 0xb5, 0x2f, 0xfd}), isSkippable(prefix):
		return Zstd
	case bytes.HasPrefix(prefix, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		return Xz
	case len(prefix) >= 4 && prefix[0] == 'B' && prefix[1] == 'Z' && prefix[2] == 'h' &&
		'1' <= prefix[3] && prefix[3] <= '9':
		return Bzip2
	default:
		return None
	}
}

// isSkippable reports whether prefix starts a skippable frame, with which a zstd
// stream may begin (RFC 8878, section 3.1.2).
func isSkippable(prefix []byte) bool {
	return len(prefix) >= 4 && prefix[0]&0xf0 == 0x50 &&
		bytes.Equal(prefix[1:4], []byte{0x2a, 0x4d, 0x18})
}

// Sniff is Detect on what br holds next; it consumes nothing. A stream shorter
// than a magic number is None; any error but the end of the stream is returned.
func Sniff(br *bufio.Reader) (Format, error) {
	prefix, err := br.Peek(sniffLen)
	if err != nil && err != io.EOF {
		return None, err
	}
	return Detect(prefix), nil
}

// gunzipMin is the size of the smallest gzip file: a header of 10 bytes, an
// empty deflate block of 2 and a trailer of 8.
const gunzipMin = 20

// GunzipSize returns the uncompressed size, modulo 2^32, that the last eight
// bytes of a gzip file of the given size claim. It is a hint and no more: the
// trailer speaks of the last member only, and it may lie. ok is false if r does
// not start like a gzip file or cannot be read.
func GunzipSize(r io.ReaderAt, size int64) (n int64, ok bool) {
	if size < gunzipMin {
		return 0, false
	}
	var magic [3]byte
	if _, err := r.ReadAt(magic[:], 0); err != nil || Detect(magic[:]) != Gzip {
		return 0, false
	}
	var isize [4]byte
	if k, err := r.ReadAt(isize[:], size-4); k < 4 && err != nil {
		return 0, false
	}
	return int64(isize[0]) | int64(isize[1])<<8 | int64(isize[2])<<16 | int64(isize[3])<<24, true
}
