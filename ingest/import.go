package ingest

import (
	"context"
	"io"
	"runtime"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A Source is an archive, plain or compressed with gzip, zstd, xz or bzip2, or a
// layout in a directory.
type Source struct {
	// Reader has the archive's bytes. It is read from where it stands, and is not
	// closed. Of a plain archive in a regular file (an *os.File, or another
	// io.ReaderAt with Seek and Size) several members are read at once.
	Reader io.Reader
	// Layout is read instead, if it is not nil: only what is taken of it, and without
	// a copy where the filesystem can share bytes. The caller closes it.
	Layout *layout.Reader
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
	// takes everything; a pattern that fits nothing in any archive is ErrNotFound.
	Names []string
	// Rename is the name under which the only image taken is put, instead of its
	// own. More than one image, in all archives together, is ErrInvalid.
	Rename string
	// Attestations says what becomes of those that BuildKit puts into indexes.
	Attestations Attestations
	// Policy says what to do about a name that is taken by other content.
	Policy layout.Policy
	// Limits bound what is read.
	Limits content.Limits
	// Warn takes what is odd about the archive and does not fail the import. It may
	// be nil, and may be called from several goroutines.
	Warn func(error)
}

// Import is ImportAll with one archive.
func Import(ctx context.Context, dst *layout.Layout, src Source, o Options) (Result, error) {
	results, err := ImportAll(ctx, dst, []Source{src}, o)
	if err != nil {
		return Result{}, err
	}
	return results[0], nil
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
