package layout

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
	"github.com/ocilayout/ocilayout/internal/tarfs"
)

// tarSource is a layout in an uncompressed tar, read in place. Links between
// members are followed, and lead nowhere else.
type tarSource struct {
	f   *os.File
	tar *tarfs.FS
}

func openTar(path string, limits content.Limits) (tarSource, error) {
	f, info, err := durable.OpenRegular(path)
	if err != nil {
		return tarSource{}, err
	}
	t, err := tarfs.New(f, info.Size(), tarfs.Limits{MaxMembers: limits.Members})
	if err != nil {
		if errors.Is(err, content.ErrUnsupported) && compressed(f) {
			err = content.Errorf(content.ErrUnsupported, "is compressed, and can't be read in place: import it, or decompress it")
		}
		_ = f.Close() // only read
		return tarSource{}, content.At(path, err)
	}
	return tarSource{f, t}, nil
}

// compressed says whether a file begins as gzip, zstd, xz and bzip2 do, for a
// clearer error alone.
func compressed(f io.ReaderAt) bool {
	var head [6]byte
	n, _ := f.ReadAt(head[:], 0) // what is too short has no magic number
	for _, magic := range []string{"\x1f\x8b", "\x28\xb5\x2f\xfd", "\xfd7zXZ\x00", "BZh"} {
		if strings.HasPrefix(string(head[:n]), magic) {
			return true
		}
	}
	return false
}

func (s tarSource) close() error { return s.f.Close() }

// member is a member of the tar.
type member struct{ *io.SectionReader }

func (member) Close() error  { return nil }
func (member) changed() bool { return false }

func (s tarSource) file(name string) (BlobAt, error) { return s.open(name) }

func (s tarSource) open(name string) (member, error) {
	section, err := s.tar.Section(name)
	return member{section}, err
}

func (s tarSource) index() (indexFile, error) { return s.open("index.json") }

func (s tarSource) blob(d content.Digest) (BlobAt, bool, error) {
	m, err := s.open(blobPath(d))
	return m, true, err
}

func (s tarSource) blobSize(d content.Digest) (int64, error) {
	m, err := s.open(blobPath(d))
	if err != nil {
		return 0, err
	}
	return m.Size(), nil
}

func (s tarSource) blobs(yield func(Blob, error) bool) {
	algs, err := fs.ReadDir(s.tar, "blobs")
	if err != nil {
		return // no blobs at all
	}
	for _, alg := range algs {
		if !alg.IsDir() {
			b := Blob{Path: "blobs/" + alg.Name(), Err: content.Errorf(content.ErrRefused, "not a directory of blobs")}
			if !yield(b, nil) {
				return
			}
			continue
		}
		entries, err := fs.ReadDir(s.tar, "blobs/"+alg.Name())
		if err != nil {
			yield(Blob{}, err)
			return
		}
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		for _, entry := range entries {
			if !yield(s.blobIn(alg.Name(), entry.Name()), nil) {
				return
			}
		}
	}
}

func (s tarSource) blobIn(alg, name string) Blob {
	info, err := s.tar.Stat("blobs/" + alg + "/" + name)
	if err != nil {
		return Blob{Path: "blobs/" + alg + "/" + name, Err: content.Errorf(content.ErrMissing, "link that leads nowhere")}
	}
	return blobOf(alg, name, info.Mode(), info.Size())
}
