package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
)

// expectations holds the files of images to what is expected of them. The error is of
// ctx.
func (c *checker) expectations(ctx context.Context, subjects []subject) error {
	if len(c.o.Expect) == 0 {
		return nil
	}
	looked := map[content.Digest]bool{}
	for _, s := range subjects {
		here := slices.DeleteFunc(slices.Clone(s.images), func(i image) bool { return !i.present })
		if len(here) == 0 {
			c.errorf(ExpectFile, s.where(), "%s has no image here whose files could be looked at", s.title())
		}
		for _, i := range here {
			if looked[i.digest] {
				continue
			}
			looked[i.digest] = true
			if err := c.expectIn(ctx, s, i); err != nil {
				return err
			}
		}
	}
	if len(subjects) == 0 {
		c.errorf(ExpectFile, indexFile, "there is no image with a name whose files could be looked at")
	}
	return nil
}

// expectIn looks at one image. The error is of ctx.
func (c *checker) expectIn(ctx context.Context, s subject, i image) error {
	x := expecting{checker: c, where: blobAt(i.digest), title: s.title()}
	if i.platform != nil && len(s.images) > 1 {
		x.title += " for " + truncate(content.FormatPlatform(content.NormalizePlatform(*i.platform)))
	}
	d := content.Descriptor{MediaType: i.mediaType, Digest: i.digest, Size: c.targets[i.digest].size}
	layers, err := imagefs.LayersOf(ctx, readAgain{c}, d, c.limits)
	if err == nil {
		x.tree, err = imagefs.Build(ctx, c.r, layers, c.limits)
	}
	if err == nil {
		err = x.files(ctx)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		c.errorf(ExpectFile, x.where, "%s: its files can't be looked at: %v", x.title, err)
	}
	return nil
}

// expecting is the look at one image.
type expecting struct {
	*checker
	where at
	title string
	tree  *imagefs.Tree
	sums  map[int][]Expectation // what is expected of the bytes of bodies
}

func (x *expecting) differs(e Expectation, format string, args ...any) {
	x.errorf(ExpectFile, x.where, "%s: %s in %s: %s", e.where(), truncate(e.Path), x.title, fmt.Sprintf(format, args...))
}

// files looks at every path, and then once at the bytes of those whose digest is
// expected.
func (x *expecting) files(ctx context.Context) error {
	x.sums = map[int][]Expectation{}
	for _, e := range x.o.Expect {
		f, err := x.tree.Lookup(e.Path, false)
		switch {
		case errors.Is(err, content.ErrNotFound) && !e.Absent:
			x.differs(e, "is not there")
		case errors.Is(err, content.ErrNotFound):
		case err != nil:
			x.differs(e, "%s", reason(err))
		case e.Absent:
			x.differs(e, "is there, a %s", f.Type())
		default:
			x.file(e, f)
		}
	}
	if len(x.sums) == 0 {
		return nil
	}
	return x.tree.Bodies(ctx, x.r, func(body int, r io.Reader) error {
		if x.sums[body] == nil {
			return nil
		}
		return x.sum(x.sums[body], r)
	})
}

// file looks at what is known of a file without its bytes.
func (x *expecting) file(e Expectation, f imagefs.File) {
	if mode := f.Permissions(); e.Mode != nil && mode != *e.Mode {
		x.differs(e, "mode is %04o, expected %04o", mode, *e.Mode)
	}
	if uid, gid := f.Owner(); e.UID != nil && (uid != *e.UID || gid != *e.GID) {
		x.differs(e, "owner is %d:%d, expected %d:%d", uid, gid, *e.UID, *e.GID)
	}
	if e.Type != "" && f.Type() != e.Type {
		x.differs(e, "type is %s, expected %s", f.Type(), e.Type)
	}
	if e.Size != nil && f.Length() != *e.Size {
		x.differs(e, "size is %d, expected %d", f.Length(), *e.Size)
	}
	if e.Digest == "" {
		return
	}
	if f.Link != "" {
		if first, err := x.tree.Lookup(f.Link, false); err == nil {
			f = first
		}
	}
	switch {
	case f.Type() != "file":
		x.differs(e, "is a %s, which has no bytes", f.Type())
	case f.Body >= 0:
		x.sums[f.Body] = append(x.sums[f.Body], e)
	case e.Digest != e.Digest.Algorithm().FromBytes(nil):
		x.differs(e, "digest is %s, of no bytes", e.Digest.Algorithm().FromBytes(nil))
	}
}

// sum hashes one body with each algorithm that is asked for.
func (x *expecting) sum(list []Expectation, r io.Reader) error {
	digesters := map[digest.Algorithm]digest.Digester{}
	for _, e := range list {
		if alg := e.Digest.Algorithm(); digesters[alg] == nil {
			digesters[alg] = alg.Digester()
		}
	}
	var to []io.Writer
	for _, alg := range slices.SortedFunc(maps.Keys(digesters), cmp.Compare[digest.Algorithm]) {
		to = append(to, digesters[alg].Hash())
	}
	if _, err := io.Copy(io.MultiWriter(to...), r); err != nil {
		return err
	}
	for _, e := range list {
		if got := digesters[e.Digest.Algorithm()].Digest(); got != e.Digest {
			x.differs(e, "digest is %s, expected %s", got, e.Digest)
		}
	}
	return nil
}
