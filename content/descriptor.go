package content

import (
	_ "crypto/sha256" // the algorithms that this module verifies,
	_ "crypto/sha512" // registered here once for all packages
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Descriptor points at content (image-spec descriptor.md).
type Descriptor = ocispec.Descriptor

// Digest names content by its hash (image-spec descriptor.md, "Digests").
type Digest = digest.Digest

// Platform says what an image runs on (image-spec image-index.md).
type Platform = ocispec.Platform

// CheckDigest returns an error that matches ErrInvalid unless d has the grammar
// of a digest: only then may a path be made of it. A digest of an algorithm that
// this module can't compute passes if its grammar does; see [Verifiable].
func CheckDigest(d Digest) error {
	if hex, ok := strings.CutPrefix(string(d), "sha256:"); ok && len(hex) == 64 && IsHex(hex) {
		return nil // as nearly all are
	}
	alg, enc, ok := strings.Cut(string(d), ":")
	if !ok || len(d) > 512 || !validAlgorithm(alg) || !validEncoded(enc) {
		return Errorf(ErrInvalid, "%q is not a digest", string(d))
	}
	if n := hexLength(alg); n != 0 && (len(enc) != n || !IsHex(enc)) {
		return Errorf(ErrInvalid, "%q is not a %s digest", string(d), alg)
	}
	return nil
}

// Verifiable says whether this module can compute digests of d's algorithm.
// Content under another algorithm is carried but never published or proven.
func Verifiable(d Digest) bool {
	return CheckDigest(d) == nil && hexLength(d.Algorithm().String()) != 0
}

// hexLength gives the length of the encoded part for the algorithms we verify.
func hexLength(alg string) int {
	switch alg {
	case "sha256":
		return 64
	case "sha512":
		return 128
	}
	return 0
}

// notHex has a 1 for each byte that is no hexadecimal digit in lower case.
var notHex = func() (table [256]byte) {
	for c := range table {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			table[c] = 1
		}
	}
	return table
}()

// IsHex says whether s is hexadecimal digits in lower case alone.
func IsHex(s string) bool {
	bad := byte(0)
	for i := range len(s) {
		bad |= notHex[s[i]]
	}
	return bad == 0
}

// validAlgorithm holds components of [a-z0-9]+ joined by one of "+._-".
func validAlgorithm(s string) bool {
	separator := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			separator = false
		case strings.IndexByte("+._-", c) >= 0 && !separator:
			separator = true
		default:
			return false
		}
	}
	return !separator
}

func validEncoded(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '=' && c != '_' && c != '-' {
			return false
		}
	}
	return s != ""
}

// SameContent says whether a and b point at the same bytes.
func SameContent(a, b Descriptor) bool {
	return a.Digest == b.Digest && a.Size == b.Size
}

// Short is the beginning of a digest, for people: enough to tell blobs apart in
// a list, not to address one.
func Short(d Digest) string {
	alg, enc, ok := strings.Cut(string(d), ":")
	if !ok || len(enc) <= 12 {
		return string(d)
	}
	return alg + ":" + enc[:12]
}
