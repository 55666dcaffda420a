package catalog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
)

// Digests are stored in bytes. The long form can be turned back; the short form is
// for looking up, 128 bits of the digest.

const (
	algSHA256 = 1
	algSHA512 = 2
	algOther  = 3

	shortSize = 17
)

// appendDigest appends the long form of d.
func appendDigest(b []byte, d content.Digest) []byte {
	alg, raw := split(d)
	b = append(b, alg)
	if alg == algOther {
		b = binary.AppendUvarint(b, uint64(len(raw)))
	}
	return append(b, raw...)
}

// split gives the algorithm of d and the bytes that are stored.
func split(d content.Digest) (alg byte, raw []byte) {
	if content.Verifiable(d) {
		if raw, err := hex.DecodeString(d.Encoded()); err == nil {
			if len(raw) == 32 {
				return algSHA256, raw
			}
			return algSHA512, raw
		}
	}
	return algOther, []byte(d)
}

// short gives the short form of d.
func short(d content.Digest) string {
	alg, raw := split(d)
	if alg == algOther {
		sum := sha256.Sum256(raw)
		raw = sum[:]
	}
	return string(append([]byte{alg}, raw[:shortSize-1]...))
}

// shorten gives the short form of a long one.
func shorten(long []byte) string {
	if long[0] == algOther {
		d, _, err := cutDigest(long)
		if err != nil {
			return ""
		}
		return short(d)
	}
	return string(long[:shortSize])
}

// digestSize is how long the long form at the start of b is; 0 if there is none.
func digestSize(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	n := 0
	switch b[0] {
	case algSHA256:
		n = 1 + 32
	case algSHA512:
		n = 1 + 64
	case algOther:
		size, used := binary.Uvarint(b[1:])
		if used <= 0 || size > 512 {
			return 0
		}
		n = 1 + used + int(size)
	}
	if n > len(b) {
		return 0
	}
	return n
}

// cutDigest reads the long form at the start of b.
func cutDigest(b []byte) (content.Digest, []byte, error) {
	n := digestSize(b)
	if n == 0 {
		return "", nil, ErrDamaged
	}
	var d content.Digest
	switch b[0] {
	case algSHA256:
		d = content.Digest("sha256:" + hex.EncodeToString(b[1:n]))
	case algSHA512:
		d = content.Digest("sha512:" + hex.EncodeToString(b[1:n]))
	default:
		_, used := binary.Uvarint(b[1:])
		d = content.Digest(b[1+used : n])
	}
	return d, b[n:], nil
}

// Media types that have edges are stored as a number; 0 is any other.
var mediaTypes = []string{
	1: ocispec.MediaTypeImageManifest,
	2: ocispec.MediaTypeImageIndex,
	3: content.DockerManifest,
	4: content.DockerManifestList,
	5: content.OCIArtifactManifest,
	6: content.ORASArtifactManifest,
}

func typeNumber(mediaType string) byte {
	for i, known := range mediaTypes[1:] {
		if known == mediaType {
			return byte(i + 1)
		}
	}
	return 0
}

func typeOf(number byte) (string, error) {
	if int(number) >= len(mediaTypes) {
		return "", ErrDamaged
	}
	return mediaTypes[number], nil
}
