package mutate

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
)

// explainCompression compares how two layers are compressed. sameTar says that what
// they decompress to is the same.
func explainCompression(ctx context.Context, a content.Fetcher, from content.Descriptor, b content.Fetcher, to content.Descriptor, sameTar bool) ([]LayerReason, error) {
	x, err := readWrapper(ctx, a, from)
	if err != nil {
		return nil, err
	}
	y, err := readWrapper(ctx, b, to)
	if err != nil {
		return nil, err
	}
	if x.format != y.format {
		return []LayerReason{{Reason: "compression", From: x.format.String(), To: y.format.String()}}, nil
	}
	var reasons []LayerReason
	if x.header != y.header {
		reasons = append(reasons, LayerReason{Reason: "gzip header", From: x.header, To: y.header})
	}
	if sameTar && x.rest != y.rest {
		reasons = append(reasons, LayerReason{Reason: "compressor"})
	}
	return reasons, nil
}

// A wrapper is the outside of a compressed layer.
type wrapper struct {
	format compress.Format
	header string            // of gzip, for people
	rest   [sha256.Size]byte // of what comes behind it
}

// readWrapper reads a blob as it is, to its end.
func readWrapper(ctx context.Context, f content.Fetcher, d content.Descriptor) (w wrapper, err error) {
	rc, err := f.Fetch(ctx, d)
	if err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, rc.Close()) }()
	in := bufio.NewReaderSize(rc, 64<<10)
	if w.format, err = compress.Sniff(in); err != nil {
		return w, err
	}
	if w.format == compress.Gzip {
		if w.header, err = gzipHeader(in); err != nil {
			return w, content.AtDigest(d.Digest, err)
		}
	}
	sum := sha256.New()
	_, err = io.Copy(sum, in)
	w.rest = [sha256.Size]byte(sum.Sum(nil))
	return w, err
}

// maxGzipWord is the most bytes of a name or comment in a gzip header that are read.
const maxGzipWord = 64 << 10

// gzipHeader reads the header of a gzip member (RFC 1952, section 2.3) and says it in
// words.
func gzipHeader(in *bufio.Reader) (string, error) {
	var fixed [10]byte
	if _, err := io.ReadFull(in, fixed[:]); err != nil {
		return "", content.Errorf(content.ErrCorrupt, "gzip header: %w", err)
	}
	words := []string{"no time"}
	if mtime := binary.LittleEndian.Uint32(fixed[4:]); mtime != 0 {
		words[0] = "time " + time.Unix(int64(mtime), 0).UTC().Format(time.RFC3339)
	}
	words = append(words, fmt.Sprintf("flags %d", fixed[3]), fmt.Sprintf("extra flags %d", fixed[8]), fmt.Sprintf("system %d", fixed[9]))
	if fixed[3]&4 != 0 {
		var size [2]byte
		if _, err := io.ReadFull(in, size[:]); err != nil {
			return "", content.Errorf(content.ErrCorrupt, "gzip header: %w", err)
		}
		extra := make([]byte, binary.LittleEndian.Uint16(size[:]))
		if _, err := io.ReadFull(in, extra); err != nil {
			return "", content.Errorf(content.ErrCorrupt, "gzip header: %w", err)
		}
		sum := sha256.Sum256(extra)
		words = append(words, fmt.Sprintf("%d bytes extra, sha256:%x", len(extra), sum[:6]))
	}
	for _, word := range []struct {
		flag byte
		what string
	}{{8, "name"}, {16, "comment"}} {
		if fixed[3]&word.flag == 0 {
			continue
		}
		text, err := gzipWord(in)
		if err != nil {
			return "", err
		}
		words = append(words, word.what+" "+strconv.Quote(text))
	}
	return strings.Join(words, ", "), nil
}

// gzipWord reads a text that ends with a zero byte.
func gzipWord(in *bufio.Reader) (string, error) {
	var text []byte
	for len(text) <= maxGzipWord {
		b, err := in.ReadByte()
		if err != nil {
			return "", content.Errorf(content.ErrCorrupt, "gzip header: %w", err)
		}
		if b == 0 {
			return string(text), nil
		}
		text = append(text, b)
	}
	return "", content.Errorf(content.ErrRefused, "gzip header: a text of more than %d bytes", maxGzipWord)
}
