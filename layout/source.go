package layout

import (
	"io"
	"io/fs"

	"github.com/ocilayout/ocilayout/content"
)

// A source is where the files of a layout are: a directory, or a tar.
type source interface {
	// index opens index.json.
	index() (indexFile, error)
	// blob opens the bytes under a digest, which has the grammar of one. Absent is
	// fs.ErrNotExist. proven is false where the bytes may be a file from outside.
	blob(d content.Digest) (b BlobAt, inside bool, err error)
	// blobSize is the size of the bytes under a digest.
	blobSize(d content.Digest) (int64, error)
	// blobs yields everything below blobs/.
	blobs(yield func(Blob, error) bool)
	// file opens another file of the layout's root.
	file(name string) (BlobAt, error)
	close() error
}

// indexFile is one state of index.json.
type indexFile interface {
	BlobAt
	// changed says whether the file has another state by now.
	changed() bool
}

// BlobAt is a blob, or another file of a layout, as it lies there: nothing is
// proven. The caller closes it.
type BlobAt interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// A Blob is a file below blobs/ that has the name of a digest. Path is where
// it lies in the layout. Err, if set, says why the file cannot be a blob: it has
// the name of none (and then no digest), or it is not a regular file.
type Blob struct {
	Digest content.Digest
	Size   int64
	Path   string
	Err    error
}

// blobPath is where the bytes of a digest lie, in a layout's root, with slashes.
func blobPath(d content.Digest) string {
	return "blobs/" + d.Algorithm().String() + "/" + d.Encoded()
}

// blobOf judges one file below blobs/ by its name and type.
func blobOf(alg, name string, mode fs.FileMode, size int64) Blob {
	b := Blob{Path: "blobs/" + alg + "/" + name, Size: size}
	d := content.Digest(alg + ":" + name)
	switch {
	case content.CheckDigest(d) != nil:
		b.Err = content.Errorf(content.ErrRefused, "not the name of a digest")
	case !mode.IsRegular():
		b.Digest = d
		b.Err = content.Errorf(content.ErrRefused, "not a regular file")
	default:
		b.Digest = d
	}
	return b
}
