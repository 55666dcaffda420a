package build

import (
	"archive/tar"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Clock is the one time that everything here carries.
var Clock = time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC)

// A File is a member of an archive, of a layer, or a file of a directory.
type File struct {
	Name  string
	Body  []byte
	Type  byte   // a type flag of archive/tar; 0 is a regular file
	Link  string // target of a link
	Mode  int64  // 0 is 0644, 0755 for a directory
	UID   int
	GID   int
	Major int64     // of a device
	Time  time.Time // zero is Clock
	PAX   map[string]string
}

// Text is a regular file.
func Text(name, body string) File { return File{Name: name, Body: []byte(body)} }

// Dir is a directory.
func Dir(name string) File { return File{Name: strings.TrimSuffix(name, "/") + "/", Type: tar.TypeDir} }

// Symlink is a symbolic link to target.
func Symlink(name, target string) File {
	return File{Name: name, Link: target, Type: tar.TypeSymlink, Mode: 0o777}
}

// Hardlink is another name of the earlier member target.
func Hardlink(name, target string) File {
	return File{Name: name, Link: target, Type: tar.TypeLink}
}

// Random returns n bytes that do not compress, the same ones for the same seed.
func Random(seed uint64, n int) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	out := make([]byte, n)
	if _, err := rand.NewChaCha8(key).Read(out); err != nil {
		panic(err)
	}
	return out
}

// Tar returns an archive of the files, in the order given, two zero blocks at its
// end. It is ustar where that can say it, PAX elsewhere.
func Tar(files ...File) []byte {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		if err := w.WriteHeader(f.header()); err != nil {
			panic(fmt.Sprintf("member %q: %v", f.Name, err))
		}
		if f.regular() {
			if _, err := w.Write(f.Body); err != nil {
				panic(fmt.Sprintf("member %q: %v", f.Name, err))
			}
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

func (f File) regular() bool { return f.Type == 0 || f.Type == tar.TypeReg }

func (f File) header() *tar.Header {
	h := &tar.Header{
		Typeflag: f.Type, Name: f.Name, Linkname: f.Link, Mode: f.Mode, Uid: f.UID, Gid: f.GID,
		Devmajor: f.Major, ModTime: f.Time, PAXRecords: f.PAX,
	}
	if f.regular() {
		h.Typeflag, h.Size = tar.TypeReg, int64(len(f.Body))
	}
	if h.Mode == 0 {
		h.Mode = 0o644
		if f.Type == tar.TypeDir {
			h.Mode = 0o755
		}
	}
	if h.ModTime.IsZero() {
		h.ModTime = Clock
	}
	return h
}

// WriteDir writes the files below dir, which it creates with the directories that
// they need: regular files, directories, symbolic and hard links. A later file
// takes the place of an earlier one of its name. It fails on other types.
func WriteDir(dir string, files ...File) error {
	for _, f := range files {
		if err := writeFile(dir, f); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(dir string, f File) error {
	name := filepath.FromSlash(strings.TrimSuffix(f.Name, "/"))
	if name != "" && !filepath.IsLocal(name) {
		return fmt.Errorf("%s: outside of the directory", f.Name)
	}
	path := filepath.Join(dir, name)
	if f.Type == tar.TypeDir {
		return os.MkdirAll(path, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	switch {
	case f.regular():
		return os.WriteFile(path, f.Body, 0o644)
	case f.Type == tar.TypeSymlink:
		return os.Symlink(filepath.FromSlash(f.Link), path)
	case f.Type == tar.TypeLink:
		return os.Link(filepath.Join(dir, filepath.FromSlash(f.Link)), path)
	}
	return fmt.Errorf("%s: a file of type %q is not made in a directory", f.Name, f.Type)
}
