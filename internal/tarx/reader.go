package tarx

import (
	"archive/tar"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

const (
	// DefaultMaxMembers is how many members an archive may have unless told otherwise.
	DefaultMaxMembers = 4 << 20
	// DefaultMaxName is how many bytes a name or a link's target may have unless
	// told otherwise: the longest path that Linux takes.
	DefaultMaxName = 4096
)

// Limits say what a Reader accepts; the zero value is for archives of images.
type Limits struct {
	MaxMembers int // 0 is DefaultMaxMembers
	MaxName    int // bytes; 0 is DefaultMaxName
	// RawNames leaves names as they are instead of cleaning and refusing them, for
	// layers, whose reader has rules of its own. Lengths and NULs are still checked.
	RawNames bool
}

// A Reader reads the members of a tar archive one after the other. It is
// archive/tar's reader with limits: names are cleaned, modes are permissions
// alone, sparse members and global headers that would change other members are
// unsupported, and every error that lies in the bytes matches content.ErrCorrupt.
type Reader struct {
	tr      *tar.Reader
	lim     Limits
	members int
	err     error
}

// NewReader reads the archive in r. If r is an io.Seeker, bodies that are not
// read are skipped by seeking.
func NewReader(r io.Reader, lim Limits) *Reader {
	if lim.MaxMembers == 0 {
		lim.MaxMembers = DefaultMaxMembers
	}
	if lim.MaxName == 0 {
		lim.MaxName = DefaultMaxName
	}
	return &Reader{tr: tar.NewReader(r), lim: lim}
}

// Next goes on to the next member and returns its header, with Name cleaned; the
// rest of the member before is skipped. It returns io.EOF at the end of the
// archive, which may lack its closing blocks, content.ErrCorrupt if the archive
// is damaged or truncated, content.ErrRefused if a name is not fit or a limit is
// exceeded, and the errors of the underlying reader as they are. An error stays.
func (r *Reader) Next() (*tar.Header, error) {
	if r.err != nil {
		return nil, r.err
	}
	h, err := r.next()
	if err != nil {
		r.err = err
		return nil, err
	}
	return h, nil
}

func (r *Reader) next() (*tar.Header, error) {
	for {
		h, err := r.tr.Next()
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return nil, corrupt(err)
		}
		if r.members++; r.members > r.lim.MaxMembers {
			return nil, content.Errorf(content.ErrRefused, "archive has more than the limit of %d members", r.lim.MaxMembers)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			if err := checkGlobal(h); err != nil {
				return nil, err
			}
			continue // a comment, such as git archive writes
		}
		h.Mode &= permissions
		return h, r.check(h)
	}
}

// permissions are the bits of a mode that count. Some writers put the type of the
// file beside them, which archive/tar would believe over the header's type.
const permissions = 0o7777

// checkGlobal refuses a global header that other readers would apply to every
// member after it: two readers must not see two archives.
func checkGlobal(h *tar.Header) error {
	for key := range h.PAXRecords {
		switch key {
		case "path", "linkpath", "size":
			return content.Errorf(content.ErrUnsupported, "archive has a global header that sets %q", key)
		}
		if strings.HasPrefix(key, sparsePrefix) {
			return content.Errorf(content.ErrUnsupported, "archive has a global header that sets %q", key)
		}
	}
	return nil
}

const sparsePrefix = "GNU.sparse."

// check cleans the name of h and refuses what no caller should see.
func (r *Reader) check(h *tar.Header) error {
	if len(h.Name) > r.lim.MaxName || len(h.Linkname) > r.lim.MaxName {
		return content.Errorf(content.ErrRefused, "member %s: name or link is longer than the limit of %d bytes", quote(h.Name), r.lim.MaxName)
	}
	if strings.ContainsRune(h.Name, 0) || strings.ContainsRune(h.Linkname, 0) {
		return content.Errorf(content.ErrRefused, "member %s: name or link contains a NUL", quote(h.Name))
	}
	if isSparse(h) {
		return content.Errorf(content.ErrUnsupported, "member %s is a sparse file", quote(h.Name))
	}
	if r.lim.RawNames {
		return nil
	}
	name, err := CleanName(h.Name)
	h.Name = name
	return err
}

func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, sparsePrefix) {
			return true
		}
	}
	return false
}

// Read reads the body of the member that Next returned last, up to its io.EOF.
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.tr.Read(p)
	if err != nil && err != io.EOF {
		err = corrupt(err)
	}
	return n, err
}

// corrupt marks the errors that archive/tar finds in the bytes; what the
// underlying reader said passes through.
func corrupt(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return content.Errorf(content.ErrCorrupt, "tar archive is truncated")
	case errors.Is(err, tar.ErrHeader):
		return content.Errorf(content.ErrCorrupt, "tar archive is damaged: %w", err)
	case errors.Is(err, tar.ErrFieldTooLong):
		return content.Errorf(content.ErrRefused, "tar archive has a header beyond all bounds: %w", err)
	default:
		return err
	}
}

// quote makes a hostile name fit for a message.
func quote(name string) string {
	const most = 200
	if len(name) > most {
		return strconv.Quote(name[:most]) + "..."
	}
	return strconv.Quote(name)
}
