package mutate

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
)

// How files were compared.
const (
	FilesSame       = "same layers" // so that none was read
	FilesCompared   = "compared"
	FilesUnreadable = "unreadable" // some layer is of a form that nobody here reads, or absent
)

// A FilesDifference compares the files of two images as containers see them.
type FilesDifference struct {
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"` // why they are unreadable
	// Added, Removed and Changed are how many of each are in Changes.
	Added   int              `json:"added"`
	Removed int              `json:"removed"`
	Changed int              `json:"changed"`
	Changes []FileDifference `json:"changes"`
}

// A FileDifference is a path that is not the same on both sides.
type FileDifference struct {
	Path   string `json:"path"`
	Change string `json:"change"` // "added", "removed" or "changed"
	// What has changed: "type", "mode", "owner", "size", "time", "content", "target",
	// "hardlink", "xattrs", "device". If the type has, nothing else is looked at.
	What []string `json:"what,omitempty"`
	// From and To are the file; one is nil if only the other is there.
	From *ComparedFile `json:"from,omitempty"`
	To   *ComparedFile `json:"to,omitempty"`
}

// A ComparedFile is what is known of a file. Size is that of what is read from it.
type ComparedFile struct {
	Type     string            `json:"type"`
	Mode     string            `json:"mode"` // octal
	UID      int               `json:"uid"`
	GID      int               `json:"gid"`
	Size     int64             `json:"size"`
	Time     string            `json:"mtime"`
	Layer    int               `json:"layer"` // from 1
	Target   string            `json:"target,omitempty"`
	Hardlink string            `json:"hardlink,omitempty"`
	Device   []int64           `json:"device,omitempty"`
	Xattrs   map[string][]byte `json:"xattrs,omitempty"`
}

// files compares the files of two images. If all layers are the same, changed is
// false and nothing is read.
func (c *comparer) files(ctx context.Context, a, b *comparedManifest, changed bool) (*FilesDifference, error) {
	if c.o.Ignore.any("files") {
		return nil, nil
	}
	d := &FilesDifference{State: FilesCompared, Changes: []FileDifference{}}
	if !changed {
		d.State = FilesSame
		return d, nil
	}
	var stacks [2]imagefs.Stack
	for i, m := range []*comparedManifest{a, b} {
		layers, err := m.layersOf()
		if err != nil {
			return nil, content.AtDigest(m.desc.Digest, err)
		}
		stacks[i] = imagefs.Stack{Fetcher: m.store, Layers: layers}
	}
	from, to, err := imagefs.BuildPair(ctx, stacks[0], stacks[1], c.o.Limits)
	if reason := unreadable(err, a, b); reason != "" {
		d.State, d.Reason = FilesUnreadable, reason
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	w := fileComparer{comparer: c, d: d, from: from, to: to, fromLayers: stacks[0].Layers, toLayers: stacks[1].Layers}
	if err := w.walk(); err != nil {
		return nil, err
	}
	if err := w.contents(ctx); err != nil {
		return nil, err
	}
	w.finish()
	return d, nil
}

// unreadable tells why layers could not be read, if the images are whole all the same.
func unreadable(err error, images ...*comparedManifest) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, content.ErrUnsupported):
		return err.Error()
	case !errors.Is(err, content.ErrMissing):
		return ""
	}
	for _, m := range images {
		for _, l := range m.m.Layers {
			if content.IsForeign(l.MediaType) {
				return err.Error()
			}
		}
	}
	return ""
}
