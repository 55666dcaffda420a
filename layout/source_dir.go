package layout

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// dirSource is a layout in a directory.
type dirSource struct{ root string }

func (s dirSource) close() error { return nil }

func (s dirSource) path(name string) string { return filepath.Join(s.root, filepath.FromSlash(name)) }

// diskFile is an open regular file.
type diskFile struct {
	*os.File
	info os.FileInfo
}

func (f diskFile) Size() int64 { return f.info.Size() }

// diskIndex is index.json as it was when it was opened.
type diskIndex struct {
	diskFile
	path string
}

func (f diskIndex) changed() bool {
	now, err := os.Stat(f.path)
	return err != nil || durable.StampOf(now) != durable.StampOf(f.info)
}

// index opens index.json through the root, so that a link can't make it a file
// from elsewhere.
func (s dirSource) index() (indexFile, error) {
	f, err := s.inRoot("index.json")
	if err != nil {
		return nil, err
	}
	return diskIndex{f, s.path("index.json")}, nil
}

// inRoot opens a regular file of the root; a link that leads out of it is refused.
func (s dirSource) inRoot(name string) (diskFile, error) {
	path := s.path(name)
	if info, err := os.Lstat(path); err != nil {
		return diskFile{}, err
	} else if info.Mode()&fs.ModeSymlink != 0 {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			return diskFile{}, err
		}
		root, err := filepath.EvalSymlinks(s.root)
		if err != nil {
			return diskFile{}, err
		}
		if inside, err := filepath.Rel(root, real); err != nil || !filepath.IsLocal(inside) {
			return diskFile{}, content.At(path, content.Errorf(content.ErrRefused, "is a link that leads out of the layout"))
		}
		path = real
	}
	f, info, err := durable.OpenRegularNoFollow(path)
	return diskFile{f, info}, err
}

func (s dirSource) file(name string) (BlobAt, error) { return s.inRoot(name) }

func (s dirSource) blob(d content.Digest) (BlobAt, bool, error) {
	path := s.path(blobPath(d))
	f, info, err := durable.OpenRegular(path)
	if err != nil {
		return nil, false, err
	}
	return diskFile{f, info}, !s.linked(path), nil
}

// linked says whether a blob's file, or a directory on the way to it, is a
// symbolic link.
func (s dirSource) linked(path string) bool {
	for range 3 { // the file, blobs/<alg>, blobs
		info, err := os.Lstat(path)
		if err != nil || info.Mode()&fs.ModeSymlink != 0 {
			return true
		}
		path = filepath.Dir(path)
	}
	return false
}

func (s dirSource) blobSize(d content.Digest) (int64, error) {
	path := s.path(blobPath(d))
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, content.At(path, content.Errorf(content.ErrRefused, "not a regular file"))
	}
	return info.Size(), nil
}

func (s dirSource) blobs(yield func(Blob, error) bool) {
	s.eachAlgorithm(yield, func(dir, alg string) bool { return s.blobsIn(dir, alg, yield) })
}

// eachAlgorithm calls in with each directory of blobs, and yield with what is none,
// for as long as they say so.
func (s dirSource) eachAlgorithm(yield func(Blob, error) bool, in func(dir, alg string) bool) {
	algs, err := os.ReadDir(s.path("blobs"))
	if err != nil && !os.IsNotExist(err) {
		yield(Blob{}, err)
		return
	}
	for _, alg := range algs {
		dir := s.path("blobs/" + alg.Name())
		info, err := os.Stat(dir)
		if err != nil || !info.IsDir() {
			b := Blob{Path: "blobs/" + alg.Name(), Err: content.Errorf(content.ErrRefused, "not a directory of blobs")}
			if !yield(b, nil) {
				return
			}
			continue
		}
		if !in(dir, alg.Name()) {
			return
		}
	}
}

// blobsIn yields the files of one algorithm's directory and says whether to go on.
func (s dirSource) blobsIn(dir, alg string, yield func(Blob, error) bool) bool {
	f, err := os.Open(dir)
	if err != nil {
		return yield(Blob{}, err)
	}
	names, err := f.Readdirnames(-1)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return yield(Blob{}, err)
	}
	slices.Sort(names)
	for _, name := range names {
		if !yield(statBlob(dir, alg, name), nil) {
			return false
		}
	}
	return true
}

// statBlob judges one file of a directory of blobs.
func statBlob(dir, alg, name string) Blob {
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		return Blob{Path: "blobs/" + alg + "/" + name, Err: content.Errorf(content.ErrMissing, "link that leads nowhere")}
	}
	return blobOf(alg, name, info.Mode(), info.Size())
}
