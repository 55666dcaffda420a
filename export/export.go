// Package export takes content out of layouts into one archive: an OCI archive
// that is complete and that docker reads too, an archive of `docker save`, or the
// root filesystem of an image.
//
// An archive is deterministic: equal entries, content and options give the same
// bytes, whoever wrote the layout and in whatever order. Every blob is proven on
// its way out, and a file appears under its name only when it is whole: see
// [ToFile] and [ToWriter]. [Select] says what is meant by a reference.
package export

import (
	"context"
	"time"

	"github.com/ocilayout/ocilayout/consumer"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A Source is where the content of a root is: a *layout.Reader, or a store like it.
type Source interface {
	content.Fetcher
	// Size is that of the bytes under a digest; ErrNotFound if there are none.
	Size(ctx context.Context, d content.Digest) (int64, error)
	// ReaderAt opens the bytes under a digest; they are proven here.
	ReaderAt(ctx context.Context, d content.Digest) (layout.BlobAt, error)
}

// A Root is an entry to export, with all that it reaches.
type Root struct {
	// Source has the content. Where it is a *layout.Reader, or a store like it, what
	// belongs to a chosen entry is found there too.
	Source Source
	// Entry is the entry; one that has no digest stands for all that Source, which
	// is a *layout.Reader then, lists in its index.json when it is exported.
	Entry layout.Entry
	// Chosen is set for an entry that the user named: it is never left out, so that
	// a form which has no place for it fails.
	Chosen bool
}

// A Form is a form of archive.
type Form string

// The forms.
const (
	OCI    Form = "oci"    // a layout in a tar, with docker's manifest.json in it
	Docker Form = "docker" // as docker save wrote it before Docker 25: plain layers
	RootFS Form = "rootfs" // the merged files of one image
)

// Options say how to export. The zero value makes a complete OCI archive.
type Options struct {
	// Form is OCI if empty.
	Form Form
	// For, if set, is who loads the archive: it holds what that consumer accepts, under
	// names that it reads, and nothing is written if the consumer would refuse it. No
	// referrers come along. The form is OCI.
	For consumer.Consumer
	// Repository goes in front of names that are a tag alone, for a consumer that needs
	// full ones.
	Repository string
	// Platforms narrow images down. With one, a name points to the manifest of
	// that platform; with several the index stays and the children for others are
	// left out of the archive. An image that lacks one is ErrNotFound.
	Platforms []content.Platform
	// Name is the name of the one image in the archive; the layout's if empty.
	Name string
	// NoReferrers leaves out what has a subject, and cosign's tags, unless chosen.
	// Otherwise what belongs to a chosen entry, and to what that reaches, comes along.
	NoReferrers bool
	// FallbackTags leaves in the lists of referrers under their tags, and cosign's
	// tags under their names, for readers that take the unpacked archive as a layout.
	// Otherwise those entries have no names, since they would pass for images, and an
	// import gives them back.
	FallbackTags bool
	// Time is that of the archive's members; zero is 1970. A root filesystem keeps
	// the times of its files.
	Time time.Time
	// NoSync leaves out the fsync of the finished file.
	NoSync bool
	// Limits bound what is read; zero fields mean the defaults.
	Limits content.Limits

	file string // the name of the archive's file, if it has one
}

func (o Options) withDefaults() Options {
	if o.Form == "" {
		o.Form = OCI
	}
	if o.Time.IsZero() {
		o.Time = time.Unix(0, 0)
	}
	o.Limits = o.Limits.WithDefaults()
	return o
}

func (o Options) check() error {
	switch o.Form {
	case OCI, Docker, RootFS:
	default:
		return content.Errorf(content.ErrInvalid, "%q is no form of archive: want oci, docker or rootfs", o.Form)
	}
	if o.Form != OCI && len(o.Platforms) > 1 {
		return content.Errorf(content.ErrInvalid, "a %s archive holds one platform of an image, %d are given", o.Form, len(o.Platforms))
	}
	if o.Form == RootFS && o.Name != "" {
		return content.Errorf(content.ErrInvalid, "a root filesystem has no name")
	}
	if o.FallbackTags && (o.NoReferrers || o.Form != OCI) {
		return content.Errorf(content.ErrInvalid, "fallback tags are for an oci archive with referrers")
	}
	if err := o.checkFor(); err != nil {
		return err
	}
	if o.Name != "" {
		return layout.CheckName(o.Name)
	}
	return nil
}

// A Result says what is in an archive.
type Result struct {
	Form      Form   `json:"form"`
	Images    []Item `json:"images"`
	Artifacts []Item `json:"artifacts,omitempty"`
	// Referrers is how many of the artifacts belong to something.
	Referrers int `json:"referrers,omitempty"`
	// Blobs are the members that are content, each once; of a root filesystem, its files.
	Blobs int `json:"blobs"`
	// Bytes is the size of the archive.
	Bytes int64 `json:"bytes"`
	// Absent is what the archive's manifests refer to and the layout does not have.
	Absent []content.Descriptor `json:"absent,omitempty"`
	// Load says what the consumer gets, if the archive is for one.
	Load *Load `json:"load,omitempty"`
	// LeftOut is what the layout has and the options, or the form, left out.
	LeftOut []content.Descriptor `json:"leftOut,omitempty"`
}

// An Item is an entry of the archive's index. Name is "" for one without.
type Item struct {
	Name      string         `json:"name"`
	Digest    content.Digest `json:"digest"`
	MediaType string         `json:"mediaType"`
	// Subject is what an artifact belongs to.
	Subject content.Digest `json:"subject,omitempty"`
}

// Select finds the roots that a reference to a layout means: the one entry of a
// name or digest, or if ref has neither one root that is all entries, of which there
// must be some.
func Select(ctx context.Context, r *layout.Reader, ref layout.Reference) ([]Root, error) {
	if ref.Name != "" || ref.Digest != "" {
		e, err := r.Lookup(ctx, ref)
		return []Root{{Source: r, Entry: e, Chosen: true}}, err
	}
	err := r.View(ctx, func(x *layout.Index) error {
		if x.Len() == 0 {
			return content.Errorf(content.ErrNotFound, "the layout has no entries")
		}
		return nil
	})
	return []Root{{Source: r}}, content.At(r.Path(), err)
}
