package ingest

import (
	"context"
	"io"
	"runtime"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A Source is an archive, plain or compressed with gzip, zstd, xz or bzip2.
type Source struct {
	// Reader has the archive's bytes. It is read from where it stands, and is not
	// closed. Of a plain archive in a regular file (an *os.File, or another
	// io.ReaderAt with Seek and Size) several members are read at once.
	Reader io.Reader
	// Name is what messages and progress call the archive.
	Name string
}

// Options say how an archive is imported. The zero value imports every image
// under the names it has in the archive.
type Options struct {
	// Compress is the form in which layers are stored.
	Compress Compression
	// Rootfs takes the archive for a root filesystem: it becomes the one layer of
	// an image whose config is made here.
	Rootfs bool
	// Platform is what an image of a root filesystem runs on. The zero value is
	// linux on this machine's architecture.
	Platform content.Platform
	// Created is the time in the config made for a root filesystem. The zero value
	// leaves it out, so that the same archive always makes the same image.
	Created time.Time
	// Names picks images: one is taken if any of these patterns of path.Match fits
	// its name as it is in the archive, docker's short form of it, or its tag.
	// What refers to an image taken (signatures, SBOMs and the like) comes along. Nil
	// takes everything; a pattern that fits nothing is ErrNotFound.
	Names []string
	// Rename is the name under which the only image taken is put, instead of its
	// own. More than one image is ErrInvalid.
	Rename string
	// Policy says what to do about a name that is taken by other content.
	Policy layout.Policy
	// Limits bound what is read.
	Limits content.Limits
	// Warn takes what is odd about the archive and does not fail the import. It may
	// be nil, and may be called from several goroutines.
	Warn func(error)
}

// Import reads the archive src, stores what its table of contents lists in dst,
// and puts all of its names there in one update, durable when Import returns. If
// it fails the layout keeps its old names, and at most unreferenced blobs, which
// gc removes, stay behind.
//
// Images of old archives of docker save become OCI manifests; their configs keep
// their bytes. Everything else keeps its bytes and digests, entries of index.json
// their unknown fields and annotations too.
//
// What an entry without a name says to belong to (io.containerd.manifest.subject) is
// believed if its manifest says so too: then it goes on the list of referrers under
// the subject's fallback tag, and the entry itself only if it says more. The lists
// that an archive has become one with those of dst.
//
// An archive that contradicts itself, is damaged or truncated, or lists what it
// does not hold is ErrCorrupt; one that is hostile or beyond a limit is ErrRefused;
// what is no archive of these forms is ErrUnsupported; a name that is taken, under
// that policy, ErrConflict. That a child of an index is absent is no error: the
// Result tells.
func Import(ctx context.Context, dst *layout.Layout, src Source, o Options) (Result, error) {
	if err := o.check(); err != nil {
		return Result{}, err
	}
	in, err := open(ctx, src)
	if err != nil {
		return Result{}, content.At(src.Name, err)
	}
	batch := dst.Batch()
	defer func() { _ = batch.Close() }() // it only drops what is not published

	im := newImporter(batch, src.Name, o)
	roots, err := im.read(ctx, in)
	if err != nil {
		return Result{}, content.At(src.Name, err)
	}
	if err := im.publish(ctx); err != nil {
		return Result{}, err
	}
	return im.commit(ctx, dst, roots)
}

// check refuses options that contradict each other, and fills in defaults.
func (o *Options) check() error {
	o.Limits = o.Limits.WithDefaults()
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	if o.Platform.OS == "" && o.Platform.Architecture == "" {
		o.Platform = content.Platform{OS: "linux", Architecture: runtime.GOARCH}
	}
	o.Platform = content.NormalizePlatform(o.Platform)
	if o.Rename != "" {
		if err := layout.CheckName(o.Rename); err != nil {
			return err
		}
	}
	if o.Rootfs && len(o.Names) > 0 {
		return content.Errorf(content.ErrInvalid, "a root filesystem has no names to pick from")
	}
	return checkPatterns(o.Names)
}

// read goes through the archive once and gives what is to have a name. What it
// needs is then wanted and staged.
func (im *importer) read(ctx context.Context, in *input) ([]root, error) {
	if im.o.Rootfs {
		return im.rootfs(ctx, in)
	}
	if err := im.scan(ctx, in); err != nil {
		return nil, err
	}
	if index, ok := im.members[indexName]; ok {
		return im.planOCI(ctx, index)
	}
	return im.planDocker(ctx)
}
