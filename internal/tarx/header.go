package tarx

import (
	"archive/tar"
	"bytes"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

const (
	// BlockSize is what headers and bodies are padded to.
	BlockSize = 512
	// TrailerSize is the size of the two zero blocks that end an archive.
	TrailerSize = 2 * BlockSize
)

// Padding is how many zero bytes follow a body of size bytes.
func Padding(size int64) int64 { return -size & (BlockSize - 1) }

// Header returns the encoded header of a regular file, which its body, padded by
// Padding(size), and the next header follow. So an archive can be laid out
// before it is written, and its members be written in any order. The bytes
// depend on the arguments alone: owner 0, mode 0644, mtime cut to seconds, ustar
// unless the name or size does not fit, then a PAX record for just that. The
// name must be clean or clean up (CleanName); a negative size is invalid.
func Header(name string, size int64, mtime time.Time) ([]byte, error) {
	clean, err := CleanName(name)
	if err != nil {
		return nil, err
	}
	if clean == "." || size < 0 {
		return nil, content.Errorf(content.ErrInvalid, "member %s of %d bytes cannot be a file", quote(name), size)
	}
	return encode(&tar.Header{Typeflag: tar.TypeReg, Name: clean, Size: size, Mode: 0o644, ModTime: seconds(mtime)})
}

// seconds cuts t, so that it has no need of a PAX record.
func seconds(t time.Time) time.Time { return time.Unix(t.Unix(), 0) }

// encode returns the header blocks for h, in ustar if it can say all of h.
func encode(h *tar.Header) ([]byte, error) {
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(h); err != nil {
		return nil, content.Errorf(content.ErrUnsupported, "member %s does not fit into a tar archive: %w", quote(h.Name), err)
	}
	return b.Bytes(), nil
}

// raw returns what is kept of a layer entry's header: see Writer.RawHeader.
func raw(h *tar.Header) (*tar.Header, error) {
	out := &tar.Header{
		Typeflag: h.Typeflag,
		Name:     h.Name,
		Linkname: h.Linkname,
		Mode:     h.Mode & permissions,
		Uid:      h.Uid,
		Gid:      h.Gid,
		ModTime:  h.ModTime,
	}
	switch h.Typeflag {
	case tar.TypeReg:
		out.Size = h.Size
	case tar.TypeDir:
		out.Name = strings.TrimRight(h.Name, "/") + "/"
	case tar.TypeChar, tar.TypeBlock:
		out.Devmajor, out.Devminor = h.Devmajor, h.Devminor
	case tar.TypeLink, tar.TypeSymlink, tar.TypeFifo:
	default:
		return nil, content.Errorf(content.ErrUnsupported, "member %s has the unknown type %q", quote(h.Name), h.Typeflag)
	}
	out.PAXRecords = extendedAttributes(h.PAXRecords)
	if out.PAXRecords != nil || h.ModTime.Nanosecond() != 0 {
		out.Format = tar.FormatPAX // else WriteHeader would round the time
	}
	return out, nil
}

// extendedAttributes picks the records that say something about the file itself,
// such as SCHILY.xattr.* and those of Windows layers.
func extendedAttributes(records map[string]string) map[string]string {
	var kept map[string]string
	for key, value := range records {
		if !strings.Contains(key, ".") || strings.HasPrefix(key, sparsePrefix) {
			continue // standard keys, which have header fields, are without a dot
		}
		if kept == nil {
			kept = make(map[string]string)
		}
		kept[key] = value
	}
	return kept
}
