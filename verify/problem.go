package verify

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/ocilayout/ocilayout/consumer"
	"github.com/ocilayout/ocilayout/content"
)

// Severity says what a problem means for the verdict.
type Severity string

// The severities. Only an error makes a report not OK.
const (
	// SeverityError is content that is not what it is said to be, or not there.
	SeverityError Severity = "error"
	// SeverityWarning is content that readers take differently, or that a tool left
	// in a state in which others find less than there is.
	SeverityWarning Severity = "warning"
	// SeverityNote is worth knowing and nothing to repair.
	SeverityNote Severity = "note"
)

// The ids of problems. They are stable: scripts decide by them.
const (
	BlobDigest        = "blob-digest"        // the bytes do not hash to the blob's name
	BlobSize          = "blob-size"          // a descriptor says another size
	BlobMissing       = "blob-missing"       // a root, config or layer is not there
	BlobType          = "blob-type"          // a fifo, socket, device or directory in place of a blob
	BlobUnreadable    = "blob-unreadable"    // the system failed to read it
	DataMismatch      = "data-mismatch"      // embedded data is not what its descriptor says
	Depth             = "depth"              // manifests, or JSON, nest too deep
	DescriptorInvalid = "descriptor-invalid" // a negative size or no media type
	DiffID            = "diffid"             // a layer is not what its config says
	DigestInvalid     = "digest-invalid"     // a digest that is none
	ExpectFile        = "expect-file"        // a file of an image is not what was expected
	FallbackTag       = "fallback-tag"       // a referrers tag lists other than what refers
	HistoryLength     = "history-length"     // the history is of another number of layers
	IndexInvalid      = "index-invalid"      // index.json is no index
	JSONAmbiguous     = "json-ambiguous"     // two readers could see two things
	JSONInvalid       = "json-invalid"       // not JSON
	LayerFormat       = "layer-format"       // a layer's stream or its tar is broken
	LayerName         = "layer-name"         // a member's name leads out of the layer
	LayoutMissing     = "oci-layout-missing" // the file oci-layout is not there
	ManifestInvalid   = "manifest-invalid"   // a manifest lacks what it must have
	MediaType         = "media-type"         // content is of another type than its descriptor says
	NameAmbiguous     = "name-ambiguous"     // one name, several contents
	NameInvalid       = "name-invalid"       // a name that tools can't be given
	Opaque            = "opaque"             // a layer of a type that is not looked into
	PlatformMismatch  = "platform-mismatch"  // a descriptor's platform is not the config's
	ReferrerDangling  = "referrer-dangling"  // the subject is not there
	RequiredPlatform  = "required-platform"  // an image has none for a platform that it must have
	RequiredReferrer  = "required-referrer"  // an image lacks a referrer that it must have
	Sparse            = "sparse"             // a child of an index, or a foreign layer, is not there
	StrayFile         = "stray-file"         // a file that is no part of a layout
	TooLarge          = "too-large"          // over a limit, and so not read
	Unbound           = "unbound"            // an entry claims a subject that its manifest does not
	Unreferenced      = "unreferenced"       // no root reaches the blob
	Unverifiable      = "unverifiable"       // a digest of an algorithm that can't be computed
)

// A Problem is one finding.
type Problem struct {
	ID       string         `json:"id"`
	Severity Severity       `json:"severity"`
	Digest   content.Digest `json:"digest,omitempty"` // of the content at fault, or that is missing
	Path     string         `json:"path,omitempty"`   // of the file that shows it, from the layout's root
	Message  string         `json:"message"`
	// Consumer is whose rule the ID is, of those that Options.For named; "" of all other
	// problems.
	Consumer consumer.Consumer `json:"consumer,omitempty"`
}

// mostOfOneID bounds what hostile content can make a report hold.
const mostOfOneID = 10_000

// collector gathers problems from many goroutines: each once, and of one id not
// more than anybody would read.
type collector struct {
	mu      sync.Mutex
	seen    map[Problem]bool
	byID    map[string]int
	dropped map[string]Problem // the first one left out of each id
}

func newCollector() *collector {
	return &collector{seen: map[Problem]bool{}, byID: map[string]int{}, dropped: map[string]Problem{}}
}

func (c *collector) add(p Problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[p] {
		return
	}
	if c.byID[p.ID]++; c.byID[p.ID] > mostOfOneID {
		if first, ok := c.dropped[p.ID]; !ok || first.Severity != SeverityError {
			c.dropped[p.ID] = p
		}
		return
	}
	c.seen[p] = true
}

// addAll adds what another collector holds.
func (c *collector) addAll(other *collector) {
	for p := range other.seen {
		c.add(p)
	}
}

// at is where a problem shows: a file, and the content it is about.
type at struct {
	path   string
	digest content.Digest
}

func (c *collector) report(s Severity, id string, where at, format string, args ...any) {
	c.add(Problem{ID: id, Severity: s, Digest: where.digest, Path: where.path, Message: fmt.Sprintf(format, args...)})
}

func (c *collector) errorf(id string, where at, format string, args ...any) {
	c.report(SeverityError, id, where, format, args...)
}

func (c *collector) warnf(id string, where at, format string, args ...any) {
	c.report(SeverityWarning, id, where, format, args...)
}

func (c *collector) notef(id string, where at, format string, args ...any) {
	c.report(SeverityNote, id, where, format, args...)
}

// problems lists what was found: errors first, then by id, path, digest and text.
func (c *collector) problems() []Problem {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Problem, 0, len(c.seen)+len(c.dropped))
	for p := range c.seen {
		list = append(list, p)
	}
	for id, p := range c.dropped {
		more := c.byID[id] - mostOfOneID
		list = append(list, Problem{ID: id, Severity: p.Severity, Message: fmt.Sprintf("and %d more", more)})
	}
	slices.SortFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), cmp.Compare(a.ID, b.ID),
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Digest, b.Digest), cmp.Compare(a.Message, b.Message))
	})
	return list
}

func rank(s Severity) int {
	switch s {
	case SeverityError:
		return 0
	case SeverityWarning:
		return 1
	default:
		return 2
	}
}
