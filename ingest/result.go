package ingest

import (
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A Result is what an import did.
type Result struct {
	// Images are the entries that index.json got, or had already, in the order of
	// the archive: images, and whatever else it lists but referrers without a name.
	Images []Image `json:"images"`
	// Changes are the names that were set, with what they pointed at before.
	Changes []layout.Change `json:"changes"`
	// Referrers is how many referrers came along, and entries that cosign made.
	Referrers int `json:"referrers,omitempty"`
	// Lifted is how many attestations became referrers, and Dropped how many were left
	// out, as Options.Attestations wants.
	Lifted  int `json:"lifted,omitempty"`
	Dropped int `json:"dropped,omitempty"`
	// Absent are the children of indexes that the archive does not hold.
	Absent []Absent `json:"absent,omitempty"`
	// NotTaken are the names of the archive that no pattern picked, or that another
	// archive has; the digests of images without a name. What belongs to them is not
	// among them.
	NotTaken []string `json:"notTaken,omitempty"`
	// Blobs is how many blobs the images are made of, Bytes their size as stored.
	Blobs int   `json:"blobs"`
	Bytes int64 `json:"bytes"`
}

// An Image is one entry that was imported.
type Image struct {
	Name      string         `json:"name"` // "" if it has none
	Digest    content.Digest `json:"digest"`
	MediaType string         `json:"mediaType"`
	Size      int64          `json:"size"`               // of the manifest or index
	Platform  string         `json:"platform,omitempty"` // as the entry has it
}

// An Absent child of an index is listed there and not in the archive.
type Absent struct {
	Digest   content.Digest `json:"digest"`
	Platform string         `json:"platform,omitempty"`
}
