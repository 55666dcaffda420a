package layout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

// A Reader reads a layout and cannot change it. It is safe for concurrent use.
type Reader struct {
	path    string
	src     source
	archive bool
	o       Options
	blobs   blobDir
}

var _ content.Store = (*Layout)(nil)

// OpenReader opens a layout for reading: a directory, or an uncompressed tar,
// which is read in place. Nothing is written but, by questions about what refers to
// what, the catalog in our own state, where that is possible. The caller closes it. What
// is neither is ErrNotFound if the path is absent, else ErrUnsupported.
func OpenReader(path string, o Options) (*Reader, error) {
	r := &Reader{path: path, o: o.withDefaults()}
	info, err := os.Stat(path)
	if err != nil {
		return nil, notFound(path, err)
	}
	if info.IsDir() {
		r.src = dirSource{path}
	} else if r.src, err = openTar(path, r.o.Limits); err != nil {
		return nil, err
	} else {
		r.archive = true
	}
	if err := r.checkMarker(); err != nil {
		_ = r.src.close() // only read
		return nil, err
	}
	return r, nil
}

// notFound gives an absent file the sentinel that callers look for.
func notFound(path string, err error) error {
	if path == "-" {
		return content.At(path, content.Errorf(content.ErrNotFound, "standard input is no layout, which is read in place: import takes it, or write it to a file"))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return content.At(path, content.Errorf(content.ErrNotFound, "no such file or directory"))
	}
	return err
}

// checkMarker reads oci-layout (image-spec image-layout.md, "oci-layout file").
// Without it, as BuildKit wrote layouts before 2023, an index.json will do.
func (r *Reader) checkMarker() error {
	data, err := r.readMarker()
	if errors.Is(err, content.ErrNotFound) {
		f, indexErr := r.src.index()
		if indexErr != nil {
			return content.At(r.path, content.Errorf(content.ErrUnsupported, "not an OCI layout: it has neither oci-layout nor index.json%s", r.instead()))
		}
		_ = f.Close() // only read
		r.o.Warn(content.At(filepath.Join(r.path, "oci-layout"), content.Errorf(content.ErrNotFound, "is missing; reading the layout all the same")))
		return nil
	}
	if err != nil {
		return err
	}
	var marker struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := json.Unmarshal(data, &marker); err != nil {
		return content.At(filepath.Join(r.path, "oci-layout"), content.Errorf(content.ErrCorrupt, "not valid JSON: %w", err))
	}
	if marker.Version != "1.0.0" {
		return content.At(filepath.Join(r.path, "oci-layout"), content.Errorf(content.ErrUnsupported, "layout version is %q, want 1.0.0", marker.Version))
	}
	return nil
}

// instead says what an archive that is no layout is, if that is clear.
func (r *Reader) instead() string {
	if !r.archive {
		return ""
	}
	if _, err := r.ReadFile("manifest.json", 0); errors.Is(err, content.ErrNotFound) {
		return ""
	}
	return ", but docker's manifest.json: import it"
}

// readMarker reads oci-layout, which skopeo and regctl write in place each time that
// they write at all: a torn one is read again before it is called corrupt.
func (r *Reader) readMarker() (data []byte, err error) {
	for attempt := time.Duration(1); ; attempt++ {
		data, err = r.ReadFile("oci-layout", 64<<10)
		if err != nil || json.Valid(data) || attempt == 4 || r.archive {
			return data, err
		}
		time.Sleep(attempt * 10 * time.Millisecond)
	}
}

// Close releases the layout. Readers from Fetch and ReaderAt must be closed before.
func (r *Reader) Close() error { return errors.Join(r.blobs.close(), r.src.close()) }

// Path is where the layout lies, as it was given to OpenReader.
func (r *Reader) Path() string { return r.path }

// IsArchive says whether the layout is in a tar.
func (r *Reader) IsArchive() bool { return r.archive }

// Limits are those that the layout is read with, every one set.
func (r *Reader) Limits() content.Limits { return r.o.Limits }

// ReadFile reads a file of the layout's root: oci-layout, index.json, or one that
// another tool put there. A larger one than max bytes is ErrRefused, and so is a
// link that leads out of the layout.
func (r *Reader) ReadFile(name string, max int64) ([]byte, error) {
	f, err := r.OpenFile(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	if f.Size() > max {
		return nil, content.At(filepath.Join(r.path, name), content.Errorf(content.ErrRefused, "%d bytes are over the limit of %d", f.Size(), max))
	}
	data, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	return data, content.At(filepath.Join(r.path, name), err)
}

// OpenFile opens a file of the layout's root as ReadFile finds it. The caller closes it.
func (r *Reader) OpenFile(name string) (BlobAt, error) {
	f, err := r.src.file(name)
	if err != nil {
		return nil, notFound(filepath.Join(r.path, name), err)
	}
	return f, nil
}

// View runs fn with one reading of index.json. Names do not change under fn,
// whatever others do meanwhile; blobs may. An index.json that is torn, since a
// foreign tool writes it in place, is read again before it is called corrupt.
func (r *Reader) View(ctx context.Context, fn func(*Index) error) error {
	return r.view(ctx, nil, fn)
}

// view is View of an Index that knows of the entries that wants wants; nil is all.
func (r *Reader) view(ctx context.Context, wants filter, fn func(*Index) error) error {
	x, f, err := r.readIndex(ctx, wants)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	return fn(x)
}

// inMemory is up to where an index.json is read whole, so that nobody can change
// it under us.
const inMemory = 1 << 20

func (r *Reader) readIndex(ctx context.Context, wants filter) (*Index, indexFile, error) {
	for attempt := 1; ; attempt++ {
		f, err := r.src.index()
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = content.At(filepath.Join(r.path, "index.json"), content.Errorf(content.ErrCorrupt, "is missing"))
			}
			return nil, nil, err
		}
		x, err := parseIndex(f, r.o.Limits, nil, wants)
		if err == nil {
			return x, f, nil
		}
		_ = f.Close() // only read
		if attempt == 4 || r.archive || !errors.Is(err, content.ErrCorrupt) {
			return nil, nil, content.At(filepath.Join(r.path, "index.json"), err)
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(time.Duration(attempt) * 10 * time.Millisecond):
		}
	}
}

func parseIndex(f indexFile, limits content.Limits, visit visitor, wants filter) (*Index, error) {
	if f.Size() > limits.Index {
		return nil, content.Errorf(content.ErrRefused, "%d bytes are over the limit of %d", f.Size(), limits.Index)
	}
	var src io.ReaderAt = f
	if f.Size() <= inMemory {
		data, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
		if err != nil {
			return nil, err
		}
		src = bytes.NewReader(data)
	}
	return readIndex(src, f.Size(), limits, visit, wants)
}

// Resolve finds what a name means: Index.Resolve on the newest index.json. A
// digest is found too, as oras-go's resolvers do.
func (r *Reader) Resolve(ctx context.Context, name string) (content.Descriptor, error) {
	ref := Reference{Name: name}
	if d := content.Digest(name); content.Verifiable(d) {
		ref = Reference{Digest: d}
	}
	e, err := r.Lookup(ctx, ref)
	return e.Descriptor, err
}

// Lookup finds the entry that ref means; ref.Layout is not looked at. A digest
// needs no entry: its descriptor is then made of the blob, and Raw is nil. A name
// with a digest must have it.
func (r *Reader) Lookup(ctx context.Context, ref Reference) (Entry, error) {
	var found Entry
	err := r.view(ctx, ref.filter(), func(x *Index) (err error) {
		found, err = pick(ref, x.Resolve, x.ByDigest)
		return err
	})
	if errors.Is(err, content.ErrNotFound) && ref.Name != "" && ref.Digest == "" {
		return found, content.At(r.path, r.notCalled(ctx, ref.Name))
	}
	if err == nil && found.Digest == "" {
		found.Descriptor, err = r.describeBlob(ctx, ref.Digest)
	}
	return found, content.At(r.path, err)
}

// notCalled says that no entry has a name, and which names there are, a bounded
// number of them.
func (r *Reader) notCalled(ctx context.Context, name string) error {
	const most = 10
	var names []string
	err := r.View(ctx, func(x *Index) error {
		named := func(s Summary) bool { return s.Name != "" && s.Kind != KindFallback && !isCosignTag(s.Name) }
		for e, err := range x.EntriesIf(named) {
			if err != nil {
				return err
			}
			if len(names) == most {
				names = append(names, "...")
				return nil
			}
			names = append(names, e.Name())
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(names) == 0:
		return content.Errorf(content.ErrNotFound, "no entry is called %q, nor has any a name", name)
	}
	return content.Errorf(content.ErrNotFound, "no entry is called %q, only %s", name, strings.Join(names, ", "))
}

// filter wants the entries that pick may look at.
func (ref Reference) filter() filter {
	switch {
	case ref.Digest != "":
		return func(_ Summary, digest []byte) bool { return string(digest) == string(ref.Digest) }
	case ref.Name != "":
		m := newMatcher(ref.Name)
		return func(s Summary, _ []byte) bool { return m.rank(s) > 0 }
	}
	return nil
}

// pick finds the entry of ref. If only its digest is given and has none, the entry
// is empty.
func pick(ref Reference, resolve func(string) (Entry, error), byDigest func(content.Digest) ([]Entry, error)) (Entry, error) {
	if ref.Digest == "" {
		return resolve(ref.Name)
	}
	if err := content.CheckDigest(ref.Digest); err != nil {
		return Entry{}, err
	}
	entries, err := byDigest(ref.Digest)
	if err != nil || ref.Name == "" && len(entries) == 0 {
		return Entry{}, err
	}
	if ref.Name == "" {
		return entries[0], nil
	}
	m := newMatcher(ref.Name)
	for _, e := range entries {
		if m.rank(e.summary()) > 0 {
			return e, nil
		}
	}
	return Entry{}, content.Errorf(content.ErrNotFound, "no entry is called %q with digest %s", ref.Name, ref.Digest)
}

// describeBlob makes a descriptor of a blob that no entry names: its media type is
// what its JSON says, or what it looks like.
func (r *Reader) describeBlob(ctx context.Context, d content.Digest) (content.Descriptor, error) {
	size, err := r.Size(ctx, d)
	desc := content.Descriptor{MediaType: "application/octet-stream", Digest: d, Size: size}
	if err != nil || size > r.o.Limits.Manifest || !content.Verifiable(d) {
		return desc, err
	}
	data, err := content.FetchAll(ctx, r, desc, r.o.Limits.Manifest)
	if err != nil {
		return desc, err
	}
	if t := guessMediaType(data); t != "" {
		desc.MediaType = t
	}
	return desc, nil
}

// Blobs yields every file below blobs/, sorted by algorithm and name, also those
// that can be no blob: see Blob.Err. An error ends it.
func (r *Reader) Blobs(ctx context.Context) iter.Seq2[Blob, error] {
	return func(yield func(Blob, error) bool) { r.src.blobs(stopping(ctx, yield)) }
}
