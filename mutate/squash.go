package mutate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
)

// Squash is a Change that makes one layer of several: one that has all that they
// change, and nothing that they only hide; see [imagefs.Squash]. What lies in lower
// layers stays hidden where it was.
//
// The new layer has the compression of the old ones, gzip if they differ. The
// history entries of the old ones stay, marked as empty, and one is added behind
// them. An image where fewer than two layers are meant stays as it is.
type Squash struct {
	// First and Last are the layers squashed, from 1; a Last of 0 is the highest.
	First, Last int
	// AboveBase squashes the layers above those of the base in place of First and Last.
	AboveBase bool
	// Find finds the base that annotations name, for AboveBase.
	Find BaseFinder

	made     map[string]squashed // what became of the same layers in another image
	baseless bool                // the base of an image is squashed
}

type squashed struct {
	desc   content.Descriptor
	diffID content.Digest
}

// ParseLayers reads a range of layers, counted from 1: 2-4, 2- to the highest, -3
// from the lowest. Anything else, one layer alone too, is ErrInvalid.
func ParseLayers(text string) (first, last int, err error) {
	from, to, ok := strings.Cut(text, "-")
	first, last = 1, 0
	if from != "" {
		first, err = strconv.Atoi(from)
	}
	if to != "" && err == nil {
		last, err = strconv.Atoi(to)
	}
	if !ok || err != nil || from == "" && to == "" || first < 1 || to != "" && last <= first {
		return 0, 0, content.Errorf(content.ErrInvalid, "%q is no range of layers: want two numbers from 1, as in 2-4, or 2- for all from the second on", text)
	}
	return first, last, nil
}

// Image squashes layers of one image.
func (s *Squash) Image(ctx context.Context, im *Image) error {
	if !im.IsImage() && im.Index() != nil {
		return nil
	}
	if !im.IsImage() {
		return content.Errorf(content.ErrUnsupported, "is no image and has no layers to squash")
	}
	first, last, err := s.layers(ctx, im)
	if err != nil || last-first < 1 {
		return err
	}
	if err := s.checkBase(ctx, im, first); err != nil {
		return err
	}
	old := im.Layers[first-1 : last]
	made, err := s.make(ctx, im, first, last)
	if err != nil {
		return err
	}
	l, err := KnownLayer(made.desc, made.diffID)
	if err != nil {
		return err
	}
	h := NewHistory()
	if created := im.Config.Get("created"); created != nil {
		h.Raw.Set("created", created)
	}
	h.Raw.SetString("created_by", "ocilayout squash")
	h.Raw.SetString("comment", fmt.Sprintf("layers %d to %d", first, last))
	im.replaceLayers(old, l, h)
	return nil
}

// Index takes out what an index says of a base that its images do not begin with any
// more.
func (s *Squash) Index(_ context.Context, ix *Index) error {
	if s.baseless {
		ix.recordBase("", "")
	}
	return nil
}

// layers are the numbers of the first and last layer to squash in an image.
func (s *Squash) layers(ctx context.Context, im *Image) (first, last int, err error) {
	first, last = max(s.First, 1), s.Last
	if last == 0 {
		last = len(im.Layers)
	}
	if s.AboveBase {
		base, err := im.findBase(ctx, s.Find)
		if err != nil {
			return 0, 0, err
		}
		b, err := base.image(ctx, im.Platform, im.Job.Limits)
		if err == nil {
			err = b.checkPrefix(im)
		}
		if err != nil {
			return 0, 0, err
		}
		return len(b.im.Layers) + 1, len(im.Layers), nil
	}
	if n := max(s.First, s.Last); n > len(im.Layers) {
		return 0, 0, content.Errorf(content.ErrNotFound, "has %d layers and no layer %d", len(im.Layers), n)
	}
	return first, last, nil
}

// checkBase takes out the annotations of a base whose layers are squashed: they say
// that the image begins with its layers. Where the base can't be found they are taken
// for right as long as the first layer stays.
func (s *Squash) checkBase(ctx context.Context, im *Image, first int) error {
	name, digest := im.recordedBase()
	if s.AboveBase || name == "" && digest == "" {
		return nil
	}
	stays := first > 1
	if stays && s.Find != nil {
		base, err := im.findBase(ctx, s.Find)
		var b *baseImage
		if err == nil {
			b, err = base.image(ctx, im.Platform, im.Job.Limits)
		}
		if errors.Is(err, content.ErrNotFound) || errors.Is(err, content.ErrMissing) {
			return nil
		}
		if err != nil {
			return err
		}
		stays = len(b.im.Layers) < first
	}
	if !stays {
		im.recordBase("", "")
		s.baseless = true
		im.Job.Warn("the result does not begin with the layers of its base %s any more, and does not name it", Base{Name: name, Descriptor: content.Descriptor{Digest: digest}}.label())
	}
	return nil
}

// make writes the new layer, unless it has been made for another image.
func (s *Squash) make(ctx context.Context, im *Image, first, last int) (squashed, error) {
	layers := make([]imagefs.Layer, last)
	key := fmt.Sprint(first, im.Algorithm)
	compression, mediaType := "", im.Layers[last-1].MediaType
	for i, l := range im.Layers[:last] {
		if l.Number == 0 || l.Touched() {
			return squashed{}, content.Errorf(content.ErrUnsupported, "layer %d is changed by another edit and can't be squashed in the same run", i+1)
		}
		if err := content.CheckDigest(l.DiffID); err != nil {
			return squashed{}, content.Errorf(content.ErrCorrupt, "the config has no diffID for layer %d", i+1)
		}
		layers[i] = imagefs.Layer{Descriptor: l.Descriptor, DiffID: l.DiffID}
		key += " " + l.Descriptor.Digest.String()
		if i < first-1 {
			continue
		}
		if is := content.LayerCompression(l.MediaType); compression == "" || is == compression {
			compression = is
		} else {
			compression = "gzip"
		}
		if content.IsForeign(l.MediaType) {
			mediaType = l.MediaType // what may not be given away may not be in a new layer
		}
	}
	mediaType = mediaTypeIn(mediaType, compression)
	key += " " + mediaType
	if done, ok := s.made[key]; ok {
		return done, nil
	}
	w := &squashWriter{ctx: ctx, job: im.Job, alg: algorithmFor(im.Algorithm, im.Layers[last-1].Descriptor.Digest), form: compression}
	defer w.abort()
	members, err := imagefs.Squash(ctx, im.Job.Source, layers, first-1, im.Job.Limits, w.begin)
	if err != nil {
		return squashed{}, err
	}
	done, err := w.commit(mediaType)
	if err != nil {
		return squashed{}, err
	}
	r := im.Job.Report
	r.LayersRead += last // those below too, to know what there is to hide
	r.Layers = append(r.Layers, LayerReport{New: done.desc.Digest, DiffID: done.diffID, Size: done.desc.Size, Members: members})
	if s.made == nil {
		s.made = map[string]squashed{}
	}
	s.made[key] = done
	return done, nil
}

// replaceLayers puts l in the place of some layers that lie on each other, and h behind
// their entries in the history.
func (im *Image) replaceLayers(old []*Layer, l *Layer, h *History) {
	at := slices.Index(im.Layers, old[0])
	im.Layers = slices.Replace(slices.Clone(im.Layers), at, at+len(old), l)
	if im.History == nil {
		return
	}
	place := len(im.History)
	for i, entry := range im.History {
		if slices.Contains(old, entry.Layer) {
			entry.Layer = nil
			place = i + 1
		}
	}
	h.Layer = l
	im.History = slices.Insert(slices.Clone(im.History), place, h)
}
