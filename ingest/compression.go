package ingest

import (
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
)

// Compression is the form in which layers are stored.
type Compression uint8

// The forms. In an archive that holds a layout the layers have the digests that its
// manifests give, so only Auto and Keep, which leave them as they are, fit it.
const (
	Auto          Compression = iota // as they are if compressed with gzip or zstd, else gzip
	Gzip                             // all gzip
	Zstd                             // all zstd
	NoCompression                    // all plain tar
	Keep                             // as they are; gzip for xz and bzip2, which OCI does not know
)

var compressions = [...]string{"auto", "gzip", "zstd", "none", "keep"}

// ParseCompression reads auto, gzip, zstd, none or keep. Another word is ErrInvalid.
func ParseCompression(s string) (Compression, error) {
	for i, name := range compressions {
		if s == name {
			return Compression(i), nil
		}
	}
	return 0, content.Errorf(content.ErrInvalid, "%q is not a compression: want auto, gzip, zstd, none or keep", s)
}

// String gives the word that ParseCompression reads.
func (c Compression) String() string {
	if int(c) < len(compressions) {
		return compressions[c]
	}
	return "unknown"
}

// keepsLayers says whether layers that a manifest names by digest may be stored.
func (c Compression) keepsLayers() bool { return c == Auto || c == Keep }

// target is the format in which a layer that came as from is stored.
func (c Compression) target(from compress.Format) compress.Format {
	switch c {
	case Gzip:
		return compress.Gzip
	case Zstd:
		return compress.Zstd
	case NoCompression:
		return compress.None
	}
	if from == compress.Zstd || c == Keep && from == compress.None {
		return from
	}
	return compress.Gzip
}
