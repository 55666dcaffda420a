package build

import (
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
)

func sha256of(data []byte) content.Digest { return digest.SHA256.FromBytes(data) }

// SHA512 is the sha512 digest of data.
func SHA512(data []byte) content.Digest { return digest.SHA512.FromBytes(data) }

// BlobPath is where a layout keeps the blob d, from its root, with slashes.
func BlobPath(d content.Digest) string {
	return "blobs/" + strings.Replace(d.String(), ":", "/", 1)
}
