package layout

import (
	"context"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"
)

// BlobNames is Blobs for who needs no sizes, which costs a system call less for each
// file: Size is -1 where it was not asked for.
func (r *Reader) BlobNames(ctx context.Context) iter.Seq2[Blob, error] {
	dir, ok := r.directory()
	if !ok {
		return r.Blobs(ctx)
	}
	return func(yield func(Blob, error) bool) {
		yield = stopping(ctx, yield)
		dir.eachAlgorithm(yield, func(path, alg string) bool { return unsizedIn(path, alg, yield) })
	}
}

// stopping ends an iteration with the error of ctx once that is done.
func stopping(ctx context.Context, yield func(Blob, error) bool) func(Blob, error) bool {
	return func(b Blob, err error) bool {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return yield(b, err) && err == nil
	}
}

// unsizedIn is dirSource.blobsIn without the sizes of regular files.
func unsizedIn(dir, alg string, yield func(Blob, error) bool) bool {
	entries, err := readDir(dir)
	if err != nil {
		return yield(Blob{}, err)
	}
	for _, e := range entries {
		b := blobOf(alg, e.Name(), e.Type(), -1)
		if !e.Type().IsRegular() { // a link perhaps
			b = statBlob(dir, alg, e.Name())
		}
		if !yield(b, nil) {
			return false
		}
	}
	return true
}

// readDir lists a directory by name.
func readDir(path string) ([]fs.DirEntry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	entries, err := f.ReadDir(-1)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}
