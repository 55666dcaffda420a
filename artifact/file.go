package artifact

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// A File is something to be stored in an artifact.
type File struct {
	// Path is a file on disk, or a directory, which is stored as a tar+gzip that
	// oras unpacks too.
	Path string
	// Open gives the bytes of what is no file on disk; Path is not read then. What it
	// returns is closed.
	Open func() (io.ReadCloser, error)
	// Title is the name that the file gets where the artifact is saved, with slashes:
	// org.opencontainers.image.title. "" leaves it out, except that a directory is
	// then called by its base name.
	Title string
	// MediaType is what the bytes are; "" goes by the end of the path or title.
	MediaType string
	// Annotations are those of the file's descriptor, beside its title.
	Annotations map[string]string
}

// Media types of what nobody said more about.
const (
	typeUnknown   = "application/octet-stream"
	typeDirectory = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// endings are the media types of files by the end of their names, longer ends
// first. They are few and fixed, since the machine's own table would make the
// manifest depend on the machine.
var endings = []struct{ suffix, mediaType string }{
	{".spdx.json", "application/spdx+json"},
	{".cdx.json", "application/vnd.cyclonedx+json"},
	{".cdx.xml", "application/vnd.cyclonedx+xml"},
	{".sarif.json", "application/sarif+json"},
	{".sigstore.json", "application/vnd.dev.sigstore.bundle.v0.3+json"},
	{".intoto.jsonl", "application/vnd.in-toto+json"},
	{".intoto.json", "application/vnd.in-toto+json"},
	{".spdx", "text/spdx"},
	{".sarif", "application/sarif+json"},
	{".json", "application/json"},
	{".yaml", "application/yaml"},
	{".yml", "application/yaml"},
	{".xml", "application/xml"},
	{".txt", "text/plain"},
	{".md", "text/markdown"},
	{".html", "text/html"},
	{".csv", "text/csv"},
	{".pdf", "application/pdf"},
	{".png", "image/png"},
	{".svg", "image/svg+xml"},
	{".wasm", "application/wasm"},
	{".tar", "application/x-tar"},
	{".tar.gz", "application/gzip"},
	{".tgz", "application/gzip"},
	{".zst", "application/zstd"},
	{".zip", "application/zip"},
}

// MediaType tells the media type of a file by the end of its name.
func MediaType(name string) string {
	name = strings.ToLower(name)
	for _, e := range endings {
		if strings.HasSuffix(name, e.suffix) {
			return e.mediaType
		}
	}
	return typeUnknown
}

// Title makes a title of a path as it was typed: the path itself, as oras does, if
// it leads down from the current directory, else, or with strip, its base name.
func Title(name string, strip bool) string {
	slashed := filepath.ToSlash(filepath.Clean(name))
	if _, err := checkTitle(slashed); err != nil || strip {
		return filepath.Base(filepath.Clean(name))
	}
	return slashed
}

// checkTitle returns the clean form of a title, which leads to no place outside of
// the directory that it is put under, on this system or, by its separators, on
// another.
func checkTitle(title string) (string, error) {
	clean, err := tarx.CleanName(title)
	if err != nil {
		return "", content.Errorf(content.ErrRefused, "title %q is no relative path that leads down", title)
	}
	if strings.ContainsRune(clean, '\\') {
		return "", content.Errorf(content.ErrRefused, "title %q has a backslash, which separates directories on some systems", title)
	}
	if _, err := filepath.Localize(clean); err != nil {
		return "", content.Errorf(content.ErrRefused, "title %q can't be a file's name on this system", title)
	}
	return clean, nil
}

// isDirectory says whether f is a directory on disk.
func (f File) isDirectory() (bool, error) {
	if f.Open != nil {
		return false, nil
	}
	info, err := os.Stat(f.Path)
	if err != nil {
		return false, notFound(f.Path, err)
	}
	return info.IsDir(), nil
}

// notFound gives an absent file the sentinel that callers look for.
func notFound(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return content.At(name, content.Errorf(content.ErrNotFound, "no such file or directory"))
	}
	return err
}

func (f File) open() (io.ReadCloser, error) {
	if f.Open != nil {
		return f.Open()
	}
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, notFound(f.Path, err)
	}
	return file, nil
}

// title is f's title, checked; a directory always has one.
func (f File) title(directory bool) (string, error) {
	title := f.Title
	if title == "" && directory {
		title = Title(f.Path, true)
	}
	if title == "" {
		return "", nil
	}
	clean, err := checkTitle(title)
	if err != nil {
		return "", content.Errorf(content.ErrInvalid, "%v", err) // what the caller wants to write, not what it read
	}
	if clean == "." && !directory {
		return "", content.Errorf(content.ErrInvalid, "%q can't be the title of a file", title)
	}
	return clean, nil
}

// mediaType is what f's bytes are.
func (f File) mediaType(directory bool) (string, error) {
	switch {
	case f.MediaType != "":
		return f.MediaType, checkMediaType(f.MediaType)
	case directory:
		return typeDirectory, nil
	case f.Title != "":
		return MediaType(path.Base(f.Title)), nil
	}
	return MediaType(filepath.Base(f.Path)), nil
}

// checkMediaType holds a media type to the grammar that the specification asks for
// (RFC 6838, section 4.2).
func checkMediaType(s string) error {
	kind, sub, ok := strings.Cut(s, "/")
	if !ok || !isRestrictedName(kind) || !isRestrictedName(sub) {
		return content.Errorf(content.ErrInvalid, "%q is not a media type", s)
	}
	return nil
}

// IsMediaType says whether s has the grammar of a media type.
func IsMediaType(s string) bool { return checkMediaType(s) == nil }

func isRestrictedName(s string) bool {
	if s == "" || len(s) > 127 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || strings.IndexByte("!#$&-^_.+", c) < 0) {
			return false
		}
	}
	return true
}
