package mutate

import (
	"context"
	"errors"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// Rebase is a Change that puts the layers and the history of another base in the place
// of those that an image was built on, and records the new base.
//
// The layers of the old base must be those that the image begins with, else it is
// ErrRefused and nothing changes: blob by blob, or where those differ by their
// diffIDs. The config stays as it is unless MergeConfig is set.
type Rebase struct {
	// New is what the image is put on; nil is what the name that its annotations give
	// its base stands for now.
	New *Base
	// Old is what the image was built on; nil is what its annotations say.
	Old *Base
	// Find finds bases for both.
	Find BaseFinder
	// MergeConfig makes of what a container is run with (the field config) what the new
	// base says, wherever the image says what the old base did: a field as a whole,
	// of Env, Labels, ExposedPorts and Volumes each variable, label, port and path.
	// What only the new base has is added.
	MergeConfig bool
}

// Image rebases one image.
func (r *Rebase) Image(ctx context.Context, im *Image) error {
	if !im.IsImage() && im.Index() != nil {
		return nil
	}
	from, err := r.from(ctx, im)
	if err != nil {
		return err
	}
	to, err := r.to(ctx, im)
	if err != nil {
		return err
	}
	if err := from.checkPrefix(im); err != nil {
		return err
	}
	if from.Descriptor.Digest != to.Descriptor.Digest {
		if err := r.move(ctx, im, from, to); err != nil {
			return err
		}
	}
	im.recordBase(to.Name, to.Descriptor.Digest)
	return nil
}

// Index brings up to date what an index says of the base of its images.
func (r *Rebase) Index(ctx context.Context, ix *Index) error {
	next := r.New
	if name := baseName(ix.Manifest, ix.Entry); next == nil && name != "" {
		found, err := r.Find(ctx, name, "")
		if err != nil {
			return content.At("new base", err)
		}
		next = &found
	}
	if next != nil {
		ix.recordBase(next.Name, next.Descriptor.Digest)
	}
	return nil
}

// baseName is the first name of a base that is noted.
func baseName(where ...*rawjson.Object) string {
	for _, o := range where {
		if name := annotationsOf(o).GetString(ocispec.AnnotationBaseImageName); name != "" {
			return name
		}
	}
	return ""
}

// move replaces what an image has of one base by another.
func (r *Rebase) move(ctx context.Context, im *Image, from, to *baseImage) error {
	layers, err := to.layersFor(ctx, im)
	if err != nil {
		return err
	}
	im.History = rebased(im, from.im, to.im, layers)
	im.Layers = slices.Concat(layers, im.Layers[len(from.im.Layers):])
	if r.MergeConfig {
		if err := mergeConfig(im.Config, from.im.Config, to.im.Config); err != nil {
			return err
		}
	}
	im.followOS(to.im)
	return nil
}

// from is what an image was built on.
func (r *Rebase) from(ctx context.Context, im *Image) (*baseImage, error) {
	if !im.IsImage() {
		return nil, content.Errorf(content.ErrUnsupported, "is no image and has no base")
	}
	if r.Old != nil {
		return r.Old.image(ctx, im.Platform, im.Job.Limits)
	}
	old, err := im.findBase(ctx, r.Find)
	if err != nil {
		return nil, content.At("old base", err)
	}
	return old.image(ctx, im.Platform, im.Job.Limits)
}

// to is what an image is put on.
func (r *Rebase) to(ctx context.Context, im *Image) (*baseImage, error) {
	if r.New != nil {
		return r.New.image(ctx, im.Platform, im.Job.Limits)
	}
	name, _ := im.recordedBase()
	if name == "" {
		return nil, content.Errorf(content.ErrNotFound, "new base: none is given, and no annotation %s names one", ocispec.AnnotationBaseImageName)
	}
	base, err := r.Find(ctx, name, "")
	if err != nil {
		return nil, content.At("new base", err)
	}
	return base.image(ctx, im.Platform, im.Job.Limits)
}

// A BaseState says what has become of the base of one image.
type BaseState struct {
	Platform string `json:"platform"`
	Name     string `json:"name,omitempty"` // of the base
	// Old is the base that the image records, "" if it records none, and New what the
	// base is now.
	Old   content.Digest `json:"old,omitempty"`
	New   content.Digest `json:"new"`
	Moved bool           `json:"moved"`
}

// Check says of every selected image of root whether its base is another one by now:
// whether what its name stands for, or New, is what the image records, or, where it
// records no digest, has the layers that the image begins with. Nothing is written.
func (r *Rebase) Check(ctx context.Context, f content.Fetcher, root layout.Entry, on Selector, limits content.Limits) ([]BaseState, error) {
	job := &Job{Source: f, Limits: limits.WithDefaults(), Report: &Report{}, spelled: spellings{}}
	tree, err := loadTree(ctx, job, root)
	if err != nil {
		return nil, err
	}
	states := []BaseState{}
	err = tree.edit(ctx, Edit{On: on, Change: ImageFunc(func(ctx context.Context, im *Image) error {
		if !im.IsImage() && im.Index() != nil {
			return nil
		}
		state, err := r.state(ctx, im)
		states = append(states, state)
		return err
	})})
	return states, err
}

func (r *Rebase) state(ctx context.Context, im *Image) (BaseState, error) {
	now, err := r.to(ctx, im)
	if err != nil {
		return BaseState{}, err
	}
	s := BaseState{Platform: content.FormatPlatform(im.Platform), Name: now.Name, New: now.Descriptor.Digest}
	if _, s.Old = im.recordedBase(); r.Old != nil {
		s.Old = r.Old.Descriptor.Digest
	}
	switch {
	case s.Old == "":
		err := now.checkPrefix(im)
		s.Moved = errors.Is(err, content.ErrRefused)
	case s.Old == now.Descriptor.Digest || s.Old == now.whole:
	default:
		s.Moved = true
		if old, err := r.from(ctx, im); err == nil { // the record may be of an index for more platforms
			s.Moved = old.Descriptor.Digest != now.Descriptor.Digest
		}
	}
	return s, nil
}

// layersFor are the layers of the base as the image is to have them, with media types
// of its family. Blobs that only the base's layout has are brought.
func (b *baseImage) layersFor(ctx context.Context, im *Image) ([]*Layer, error) {
	layers := make([]*Layer, len(b.im.Layers))
	for i, from := range b.im.Layers {
		if err := content.CheckDigest(from.DiffID); err != nil {
			return nil, content.AtDigest(b.Descriptor.Digest, content.Errorf(content.ErrCorrupt, "the config has no diffID for layer %d", i+1))
		}
		l, err := KnownLayer(from.Descriptor, from.DiffID)
		if err != nil {
			return nil, err
		}
		l.Raw, l.MediaType = from.Raw, inFamily(im.MediaType, from.MediaType)
		layers[i] = l
		if err := bring(ctx, im.Job, b.Fetch, from); err != nil {
			return nil, err
		}
	}
	return layers, nil
}

// bring stages a layer of another store, unless it is there already.
func bring(ctx context.Context, job *Job, from content.Fetcher, l *Layer) error {
	there, err := job.Batch.Exists(ctx, l.Descriptor)
	if err != nil || there {
		return err
	}
	err = job.Batch.PushFrom(ctx, from, l.Descriptor)
	switch {
	case errors.Is(err, content.ErrNotFound) && content.IsForeign(l.MediaType):
		return nil
	case errors.Is(err, content.ErrNotFound):
		return content.AtDigest(l.Descriptor.Digest, content.Errorf(content.ErrMissing, "layer %d of the new base is missing", l.Number))
	}
	return err
}

// inFamily is a layer's media type in the family, OCI's or docker's, of a manifest's.
func inFamily(manifest, layer string) string {
	docker := strings.HasPrefix(layer, "application/vnd.docker.")
	compression := content.LayerCompression(layer)
	switch {
	case compression == "" || docker == (manifest == content.DockerManifest):
		return layer
	case docker && content.IsForeign(layer):
		return nondistributable + "+gzip"
	case docker:
		return mediaTypeIn("", compression)
	case content.IsForeign(layer) && compression == "gzip":
		return content.DockerForeignLayer
	}
	return mediaTypeIn(content.DockerLayer, compression)
}

// rebased is the history of im with that of the base it is put on in the place of its
// old one's.
func rebased(im, from, to *Image, layers []*Layer) []*History {
	if im.History == nil {
		return nil
	}
	var history []*History
	for _, h := range to.History {
		n := &History{Raw: h.Raw, stray: h.stray}
		if at := slices.Index(to.Layers, h.Layer); at >= 0 {
			n.Layer = layers[at]
		}
		history = append(history, n)
	}
	if to.History == nil {
		for _, l := range layers {
			h := NewHistory()
			h.Layer = l
			history = append(history, h)
		}
	}
	return append(history, im.History[historyOfBase(im, from):]...)
}

// historyOfBase is how many entries of the history are the base's: as many as it has
// if they stand for its layers, else those up to its last layer.
func historyOfBase(im, base *Image) int {
	layers := len(base.Layers)
	if n := len(base.History); n <= len(im.History) && layersIn(im.History[:n]) == layers {
		return n
	}
	for i := range im.History {
		if layersIn(im.History[:i]) == layers {
			return i
		}
	}
	return len(im.History)
}

func layersIn(history []*History) (n int) {
	for _, h := range history {
		if h.Layer != nil {
			n++
		}
	}
	return n
}
