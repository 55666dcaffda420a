package verify

import (
	"github.com/ocilayout/ocilayout/consumer"
	"github.com/ocilayout/ocilayout/content"
)

// Options say what Check does and how. The zero value checks everything that can be
// checked without knowing what is wanted.
type Options struct {
	// Level is how far content is looked into.
	Level Level
	// Workers is how many blobs are read at once; 0 is one for each core.
	Workers int
	// Limits bound what is read; zero fields mean the defaults.
	Limits content.Limits
	// AllowMissing makes a note of content that is not there, for layouts that are
	// sparse on purpose. What the caller names as a root must be there all the same.
	AllowMissing bool
	// Referrers are artifact types: every image must have a referrer of each, whose own
	// subject it is, in the layout. Those of images that are roots are then judged too.
	Referrers []string
	// Platforms are those for each of which every image must have one that is there.
	Platforms []content.Platform
	// For are consumers that are to load what there is, as it is.
	For []consumer.Consumer
	// Expect is held to the merged files of every image, which takes a second pass over
	// its layers.
	Expect []Expectation
}

// A Level says how far content is looked into. Manifests and configs are read and
// proven at every level.
type Level uint8

// The levels. Each finds what the next one finds, and more.
const (
	Full  Level = iota // the digest of every blob; what layers decompress to, and their tars
	Bytes              // the digest of every blob
	Quick              // of other blobs, whether they are there, and their size
)

var levelNames = []string{"full", "bytes", "quick"}

// ParseLevel reads quick, bytes or full. Another word is ErrInvalid.
func ParseLevel(s string) (Level, error) {
	for i, name := range levelNames {
		if s == name {
			return Level(i), nil
		}
	}
	return Full, content.Errorf(content.ErrInvalid, "level %q: want quick, bytes or full", s)
}

// String gives the word that ParseLevel reads.
func (l Level) String() string { return levelNames[l] }
