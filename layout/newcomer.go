package layout

import (
	"encoding/json"

	"github.com/ocilayout/ocilayout/content"
)

// A newcomer is an entry that a Tx brings in: its bytes, and of what they say only
// what is asked of all. Decoded it takes several times the memory.
type newcomer struct {
	raw     json.RawMessage
	digest  content.Digest
	size    int64
	summary Summary
	index   bool // by its media type
}

func newcomerOf(e Entry) newcomer {
	return newcomer{e.Raw, e.Digest, e.Size, e.summary(), content.IsIndex(e.MediaType)}
}

func (c *newcomer) entry() (Entry, error) { return ParseEntry(c.raw) }
