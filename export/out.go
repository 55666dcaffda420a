package export

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// An archive is planned and ready to be written, once.
type archive interface {
	// writeFile writes it to an empty file and returns its size.
	writeFile(ctx context.Context, f *durable.File) (int64, error)
	// writeStream writes it to w and returns its size.
	writeStream(ctx context.Context, w io.Writer) (int64, error)
	// result says what is in it.
	result() Result
}

// prepare plans the archive of a form, for a consumer if there is one.
func prepare(ctx context.Context, roots []Root, o Options) (archive, error) {
	if o.For != "" {
		return prepareFor(ctx, roots, o)
	}
	return plainly(ctx, roots, o)
}

// plainly plans the archive of all that the roots mean.
func plainly(ctx context.Context, roots []Root, o Options) (archive, error) {
	p, err := newPlan(ctx, roots, o)
	if err != nil {
		return nil, err
	}
	switch o.Form {
	case Docker:
		return newDockerArchive(ctx, p)
	case RootFS:
		return newRootArchive(ctx, p)
	default:
		return newOCIArchive(ctx, p)
	}
}

// ToFile writes the archive of the roots to the file path. The file appears, or
// takes the place of the one that is there, in one step when it is whole, proven
// and durable; whatever fails leaves path as it was and nothing beside it. Where
// path is a device or pipe it is written to as by [ToWriter].
//
// Corrupt content is ErrCorrupt, a blob that must be there and is not ErrMissing;
// what a form can't hold is ErrUnsupported, a platform that no image is for
// ErrNotFound, a name for two images from two layouts ErrConflict, options that
// contradict each other ErrInvalid, and what the consumer would not load ErrRefused.
func ToFile(ctx context.Context, path string, roots []Root, o Options) (Result, error) {
	o = o.withDefaults()
	o.file = filepath.Base(path)
	a, err := prepare(ctx, roots, o)
	if err != nil {
		return Result{}, err
	}
	path, special, err := target(path)
	if err != nil {
		return Result{}, err
	}
	if special {
		return toSpecial(ctx, path, a)
	}
	disk := durable.FS{NoSync: o.NoSync}
	staged, err := disk.StageFor(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, content.At(filepath.Dir(path), content.Errorf(fs.ErrNotExist, "no such directory"))
	}
	if err != nil {
		return Result{}, content.At(path, err)
	}
	size, err := a.writeFile(ctx, staged)
	if err == nil {
		err = disk.Replace(staged, path)
	}
	if err != nil {
		return Result{}, errors.Join(err, staged.Discard())
	}
	return sized(a, size), nil
}

// ToWriter writes the archive of the roots to w as a stream. Blobs are proven
// while they are written, so that after an error some of them may be out: what
// w got is an archive only if the error is nil. Errors are those of [ToFile].
func ToWriter(ctx context.Context, w io.Writer, roots []Root, o Options) (Result, error) {
	a, err := prepare(ctx, roots, o.withDefaults())
	if err != nil {
		return Result{}, err
	}
	size, err := a.writeStream(ctx, w)
	if err != nil {
		return Result{}, err
	}
	return sized(a, size), nil
}

func sized(a archive, size int64) Result {
	r := a.result()
	r.Bytes = size
	return r
}

// target resolves links in the last element of path, so that the file that they
// lead to is replaced, and says whether something that is no file is there.
func target(path string) (resolved string, special bool, err error) {
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return path, false, nil
	case err != nil:
		return path, false, err
	case info.IsDir():
		return path, false, content.At(path, content.Errorf(content.ErrInvalid, "is a directory"))
	case !info.Mode().IsRegular():
		return path, true, nil
	}
	resolved, err = filepath.EvalSymlinks(path)
	return resolved, false, err
}

func toSpecial(ctx context.Context, path string, a archive) (Result, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return Result{}, err
	}
	size, err := a.writeStream(ctx, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return Result{}, err
	}
	return sized(a, size), nil
}

// resultOf says what a plan holds, once it is written; the forms change what is
// different in them. What was only for writing is let go of first, since there may be
// very many entries.
func (p *plan) resultOf() Result {
	p.kept, p.entries.packed = kept{}, list[byte]{}
	images := 0
	for _, e := range p.entries.list {
		if e.image {
			images++
		}
	}
	r := Result{Form: p.o.Form, Images: make([]Item, 0, images), Blobs: p.blobs, Absent: p.report(p.absent), LeftOut: p.report(p.leftOut)}
	if others := len(p.entries.list) - images; others > 0 {
		r.Artifacts = make([]Item, 0, others)
	}
	subjects := map[digestID]content.Digest{0: ""} // many entries have the same
	for _, e := range p.entries.list {
		subject, ok := subjects[e.subject]
		if !ok {
			subject = p.digest(e.subject)
			subjects[e.subject] = subject
		}
		item := Item{string(p.entries.name(e)), p.digest(e.id), p.words.text(e.mediaType), subject}
		if e.subject != 0 {
			r.Referrers++
		}
		if e.image {
			r.Images = append(r.Images, item)
		} else {
			r.Artifacts = append(r.Artifacts, item)
		}
	}
	return r
}
