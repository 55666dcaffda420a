package main

import (
	"context"
	"os"
	"strings"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// isArchive says whether pull writes an archive: to standard output, what is called so
// by skopeo's scheme, or a file that ends in .tar where no directory is.
func isArchive(arg string, ref layout.Reference) bool {
	for _, scheme := range []string{"oci:", "ocidir://", "oci-layout://"} {
		if strings.HasPrefix(arg, scheme) {
			return false
		}
	}
	if arg == "-" || strings.HasPrefix(arg, "oci-archive:") {
		return true
	}
	info, err := os.Stat(ref.Layout)
	return strings.HasSuffix(strings.ToLower(ref.Layout), ".tar") && (err != nil || !info.IsDir())
}

// archive pulls into the archive of a reference.
func (f *pullFlags) archive(ctx context.Context, e *env, s *registry.Session, wants []registry.Want, ref layout.Reference, o registry.PullOptions) (_ any, err error) {
	ao := registry.ArchiveOptions{PullOptions: o, NoSync: e.global.noSync}
	if ao.Time, err = sourceDate(); err != nil {
		return nil, err
	}
	var done registry.ArchiveReport
	if ref.Layout == "-" {
		done, err = registry.PullToWriter(ctx, s, wants, e.stdout, ao)
	} else {
		done, err = registry.PullToFile(ctx, s, wants, ref.Layout, ao)
	}
	if err != nil {
		return nil, err
	}
	e.notExported("is not in the registry", done.Absent)
	if ref.Layout == "-" {
		return nil, writeDigest(f.digestFile, done.Digest)
	}
	return pulledArchive{done}, writeDigest(f.digestFile, done.Digest)
}

// pulledArchive shows a registry.ArchiveReport to people.
type pulledArchive struct{ registry.ArchiveReport }

// Tables shows what is in the archive.
func (a pulledArchive) Tables() []render.Table { return exported{a.Result}.Tables() }
