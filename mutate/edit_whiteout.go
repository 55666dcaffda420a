package mutate

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"path"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// Whiteout hides a path of the layers below it: a file, or a directory with all that
// is in it (image-spec layer.md, "Whiteouts"). The bytes stay in their layers.
//
// The mark goes into a small layer on top, one for all Whiteout and Opaque edits that
// follow each other, and with it the directories on the way, as the image has them, for
// which its layers are read from the top as far as need be. Its history entry has no time, so that the result depends on the edits alone; the
// diffIDs of other layers and their descriptors stay. Times are 0; a LayerTime that
// follows changes them. A path in a directory that the image does not have is
// ErrNotFound.
type Whiteout struct{ Path string }

// Image implements Change.
func (c Whiteout) Image(ctx context.Context, im *Image) error {
	p, err := cleanPath(c.Path)
	if err != nil {
		return err
	}
	if p == "." || strings.HasPrefix(path.Base(p), ".wh.") {
		return content.Errorf(content.ErrInvalid, "%q can't be hidden by a whiteout", c.Path)
	}
	return im.mark(ctx, path.Join(path.Dir(p), ".wh."+path.Base(p)))
}

// Opaque hides all that the layers below have in a directory, and keeps the directory
// (image-spec layer.md, "Opaque Whiteout"), otherwise as Whiteout does.
type Opaque struct{ Path string }

// Image implements Change.
func (c Opaque) Image(ctx context.Context, im *Image) error {
	p, err := cleanPath(c.Path)
	if err != nil {
		return err
	}
	return im.mark(ctx, path.Join(p, ".wh..wh..opq"))
}

// mustHave makes sure that a directory is in the image.
func (im *Image) mustHave(ctx context.Context, dir string) error {
	if dir == "." {
		return nil
	}
	h, err := im.lowerDir(ctx, dir)
	if err == nil && h == nil {
		err = content.Errorf(content.ErrNotFound, "the image has no directory %s", dir)
	}
	return err
}

// marks is the layer of an image's whiteouts while it is made.
type marks struct {
	headers []*tar.Header
	has     map[string]bool
}

// mark puts a mark into the layer of whiteouts on top, which it makes if need be.
func (im *Image) mark(ctx context.Context, name string) error {
	if im.Config == nil {
		return content.Errorf(content.ErrUnsupported, "is no image, so it has no files to hide")
	}
	if err := im.mustHave(ctx, path.Dir(name)); err != nil {
		return err
	}
	dirs, err := im.lowerDirs(ctx, name)
	if err != nil {
		return err
	}
	var top *Layer
	if n := len(im.Layers); n > 0 && im.Layers[n-1].marks != nil && len(im.Layers[n-1].steps) == 0 {
		top = im.Layers[n-1]
	} else {
		top = &Layer{Raw: &rawjson.Object{}, MediaType: im.layerType("gzip"), form: &Form{Compression: "gzip"}, marks: &marks{has: map[string]bool{}}, lists: map[string]lowerFile{}}
		im.AddLayer(top, im.entryBy("whiteout"))
	}
	for _, h := range append(dirs, &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, ModTime: time.Unix(0, 0)}) {
		clean := path.Clean(h.Name)
		if h.Typeflag == tar.TypeDir {
			top.lists[clean] = lowerFile{header: h}
		}
		if !top.marks.has[clean] {
			top.marks.has[clean] = true
			top.marks.headers = append(top.marks.headers, h)
		}
	}
	data, err := top.marks.tar()
	top.openKey = "marks " + string(data)
	top.open = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	return err
}

func (m *marks) tar() ([]byte, error) {
	var b bytes.Buffer
	w := tarx.NewWriter(&b, time.Unix(0, 0))
	for _, h := range m.headers {
		if err := w.RawHeader(h); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// layerType is the media type of a new layer of the image, in its family.
func (im *Image) layerType(compression string) string {
	return mediaTypeIn(familyOf(im.MediaType), compression)
}

// entryBy is the history entry of a layer that an edit adds.
func (im *Image) entryBy(edit string) *History {
	h := NewHistory()
	h.Raw.SetString("created_by", "ocilayout mutate: "+edit)
	return h
}

func pathFlag(name, usage string, change func(path string) Change) Flag {
	return Flag{Name: name, Usage: usage, Parse: selected(func(value string, _ FlagEnv) (Change, error) {
		_, err := cleanPath(value)
		return change(value), err
	})}
}

func whiteoutFlags() []Flag {
	return []Flag{
		pathFlag("whiteout", "hide the file or directory at `PATH`, by a mark in a layer on top", func(p string) Change { return Whiteout{p} }),
		pathFlag("opaque", "hide what is in the directory at `PATH`, by a mark in a layer on top", func(p string) Change { return Opaque{p} }),
	}
}
