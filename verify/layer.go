package verify

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"hash"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// layer judges what is inside a layer, as its bytes pass by.
type layer struct {
	*collector
	where  at
	limits content.Limits
}

// read decompresses r, a layer of a known type, and holds it to the diffIDs. It
// stops where it can't go on, which may be before the end of r.
func (l layer) read(r io.Reader, mediaType string, diffIDs []diffClaim) {
	br := bufio.NewReaderSize(r, 64<<10)
	format, err := compress.Sniff(br)
	if err != nil {
		return // the reader's own verdict follows
	}
	if want := content.LayerCompression(mediaType); format.String() != want {
		l.errorf(MediaType, l.where, "the bytes are %s, the media type %s says %s", format, mediaType, want)
	}
	z, err := compress.NewReader(br, format, compress.Limits{MaxBytes: l.limits.Layer, MaxRatio: l.limits.Ratio})
	if err != nil {
		l.streamFault(err)
		return
	}
	defer func() { _ = z.Close() }() // frees buffers only
	sums := newSums(diffIDs)
	plain := bufio.NewReaderSize(io.TeeReader(z, sums), 64<<10)
	l.members(plain)
	if err := l.rest(plain); err != nil {
		l.streamFault(err)
		return
	}
	for _, want := range diffIDs {
		if got := sums.digest(want.diffID); got != "" && got != want.diffID {
			l.errorf(DiffID, l.where, "uncompressed it has digest %s, config %s says %s", got, want.config, want.diffID)
		}
	}
}

// streamFault reports why a layer could not be decompressed to its end. What the
// blob's own reader said is told as the blob's verdict.
func (l layer) streamFault(err error) {
	switch {
	case errors.Is(err, content.ErrDigest), errors.Is(err, content.ErrSize):
	case errors.Is(err, content.ErrCorrupt):
		l.errorf(LayerFormat, l.where, "%s", reason(err))
	case errors.Is(err, content.ErrRefused):
		l.errorf(TooLarge, l.where, "%s", reason(err))
	case errors.Is(err, content.ErrUnsupported):
		l.notef(Opaque, l.where, "%s", reason(err))
	}
}

// members reads the tar as far as it is one.
func (l layer) members(r io.Reader) {
	t := tarx.NewReader(r, tarx.Limits{MaxMembers: l.limits.Members, RawNames: true})
	for {
		h, err := t.Next()
		if err != nil {
			if err != io.EOF {
				l.streamFault(err)
			}
			return
		}
		if outside(h.Name) {
			l.warnf(LayerName, l.where, "member %q leads out of the layer", truncate(h.Name))
		}
		if h.Typeflag == tar.TypeLink {
			if _, err := tarx.MemberName(h.Linkname); err != nil {
				l.warnf(LayerName, l.where, "member %q is a hard link to %q, out of the layer", truncate(h.Name), truncate(h.Linkname))
			}
		}
	}
}

// outside says whether a member's name has a "..", which readers treat in as many
// ways as there are. A leading slash is dropped by all of them.
func outside(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

// rest reads what follows the end of the tar: zeros, as tars are padded with.
func (l layer) rest(r io.Reader) error {
	buf := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(buf)
	told := len(l.seen) > 0 // a broken tar has bytes left of course
	for {
		n, err := r.Read(buf[:])
		if !told && len(bytes.Trim(buf[:n], "\x00")) > 0 {
			l.warnf(LayerFormat, l.where, "there are bytes after the end of the tar")
			told = true
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// sums hashes with each algorithm that the diffIDs are of.
type sums map[digest.Algorithm]hash.Hash

func newSums(diffIDs []diffClaim) sums {
	s := sums{}
	for _, want := range diffIDs {
		if alg := want.diffID.Algorithm(); content.Verifiable(want.diffID) && s[alg] == nil {
			s[alg] = alg.Hash()
		}
	}
	return s
}

func (s sums) Write(p []byte) (int, error) {
	for _, h := range s {
		h.Write(p)
	}
	return len(p), nil
}

// digest is the digest of what was written, by the algorithm of like; "" if that
// can't be computed.
func (s sums) digest(like content.Digest) content.Digest {
	h := s[like.Algorithm()]
	if h == nil {
		return ""
	}
	return digest.NewDigest(like.Algorithm(), h)
}
