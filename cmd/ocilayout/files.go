package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/layout"
)

// imageLayers finds the image of ref for a platform and reads what its layers are.
// Of an index without a platform it takes one image and says which.
func (e *env) imageLayers(ctx context.Context, r *layout.Reader, ref layout.Reference, platform string) ([]imagefs.Layer, error) {
	image, err := e.chosenImage(ctx, r, ref, platform)
	if err != nil {
		return nil, err
	}
	return imagefs.LayersOf(ctx, r, image, r.Limits())
}

// A layerNumber counts an image's layers from 1, the lowest, or from -1, the
// highest; 0 is no number.
type layerNumber int

func (n *layerNumber) flag() cli.Flag {
	return &cli.GenericFlag{Name: "layer", Value: n, Usage: "take layer `N` alone, counted from 1 as inspect does, or from the top with -1"}
}

// Set reads the number of the flag.
func (n *layerNumber) Set(text string) error {
	v, err := strconv.Atoi(text)
	if err != nil || v == 0 {
		return fmt.Errorf("layers are counted from 1, or from the top with -1")
	}
	*n = layerNumber(v)
	return nil
}

func (n *layerNumber) String() string { return "" }

// of finds the layer's place in a list.
func (n layerNumber) of(layers []imagefs.Layer) (int, error) {
	i := int(n) - 1
	if n < 0 {
		i = len(layers) + int(n)
	}
	if i < 0 || i >= len(layers) {
		return 0, content.Errorf(content.ErrNotFound, "no layer %d, the image has %d", n, len(layers))
	}
	return i, nil
}

// A fileItem is a file of an image, or of one layer.
type fileItem struct {
	imagefs.Member
	layer  int // counted from 1
	digest content.Digest
}

// MarshalJSON writes what --format json shows.
func (f fileItem) MarshalJSON() ([]byte, error) {
	uid, gid := f.Owner()
	return json.Marshal(struct {
		Path   string            `json:"path"`
		Type   string            `json:"type"`
		Mode   string            `json:"mode"` // octal
		UID    int               `json:"uid"`
		GID    int               `json:"gid"`
		Size   int64             `json:"size"`
		Time   string            `json:"mtime"`
		Layer  int               `json:"layer"`
		Digest content.Digest    `json:"digest"` // of the layer
		Target string            `json:"target,omitempty"`
		Link   string            `json:"hardlink,omitempty"`
		Hides  string            `json:"hides,omitempty"`
		Device []int64           `json:"device,omitempty"`
		Xattrs map[string][]byte `json:"xattrs,omitempty"`
	}{
		Path: f.Path, Type: f.Type(), Mode: fmt.Sprintf("%04o", f.Permissions()), UID: uid, GID: gid, Size: f.Length(),
		Time: f.ModTime().UTC().Format(time.RFC3339Nano), Layer: f.layer, Digest: f.digest, Target: f.symlink(), Link: f.hardlink(), Hides: f.Hides,
		Device: f.device(), Xattrs: f.Xattrs(),
	})
}

func (f fileItem) symlink() string {
	if f.Type() == "symlink" {
		return f.Target()
	}
	return ""
}

func (f fileItem) hardlink() string {
	if f.Type() == "hardlink" {
		return f.Target()
	}
	return f.Link
}

func (f fileItem) device() []int64 {
	if f.Mode()&fs.ModeDevice == 0 {
		return nil
	}
	major, minor := f.Device()
	return []int64{major, minor}
}

// imageFiles lists the files of an image that a name selects.
func imageFiles(ctx context.Context, r *layout.Reader, layers []imagefs.Layer, name string) (iter.Seq2[fileItem, error], error) {
	t, err := imagefs.Build(ctx, r, layers, r.Limits())
	if err != nil {
		return nil, err
	}
	files, err := t.Select(name)
	if err != nil {
		return nil, err
	}
	return func(yield func(fileItem, error) bool) {
		for f := range files {
			item := fileItem{imagefs.Member{File: f}, f.Layer() + 1, layers[f.Layer()].Digest}
			if f.Path != "." && !yield(item, nil) {
				return
			}
		}
	}, nil
}

// layerFiles lists the members of one layer that a name selects.
func layerFiles(ctx context.Context, r *layout.Reader, layers []imagefs.Layer, n layerNumber, name string) (iter.Seq2[fileItem, error], error) {
	at, err := n.of(layers)
	if err != nil {
		return nil, err
	}
	members, err := imagefs.Scan(ctx, r, layers[at], r.Limits())
	if err != nil {
		return nil, err
	}
	if members, err = imagefs.SelectMembers(members, name); err != nil {
		return nil, err
	}
	return func(yield func(fileItem, error) bool) {
		for _, m := range members {
			if !yield(fileItem{m, at + 1, layers[at].Digest}, nil) {
				return
			}
		}
	}, nil
}

// fileList shows files to people.
func fileList(items iter.Seq2[fileItem, error], long bool) render.List[fileItem] {
	if !long {
		return render.List[fileItem]{Row: func(f fileItem) []string { return []string{f.Path} }, Items: items}
	}
	header := []string{"MODE", "OWNER", "SIZE", "TIME", "LAYER", "PATH"}
	return render.List[fileItem]{Header: header, Row: longFileRow, Items: items}
}

func longFileRow(f fileItem) []string {
	size := strconv.FormatInt(f.Length(), 10)
	if d := f.device(); d != nil {
		size = fmt.Sprintf("%d,%d", d[0], d[1])
	}
	name := f.Path
	switch {
	case f.Opaque:
		name += " hides " + path.Join(f.Hides, "*")
	case f.Hides != "":
		name += " hides " + f.Hides
	case f.symlink() != "":
		name += " -> " + f.symlink()
	case f.hardlink() != "":
		name += " = " + f.hardlink()
	}
	uid, gid := f.Owner()
	return []string{
		modeText(f.Mode()), strconv.Itoa(uid) + ":" + strconv.Itoa(gid), size,
		f.ModTime().UTC().Format("2006-01-02 15:04:05"), strconv.Itoa(f.layer), name,
	}
}

// modeText writes a mode as ls does.
func modeText(m fs.FileMode) string {
	kind := byte('-')
	switch {
	case m.IsDir():
		kind = 'd'
	case m&fs.ModeSymlink != 0:
		kind = 'l'
	case m&fs.ModeCharDevice != 0:
		kind = 'c'
	case m&fs.ModeDevice != 0:
		kind = 'b'
	case m&fs.ModeNamedPipe != 0:
		kind = 'p'
	}
	text := []byte(m.Perm().String())
	text[0] = kind
	for _, special := range []struct {
		bit        fs.FileMode
		at         int
		set, alone byte
	}{{fs.ModeSetuid, 3, 's', 'S'}, {fs.ModeSetgid, 6, 's', 'S'}, {fs.ModeSticky, 9, 't', 'T'}} {
		if m&special.bit == 0 {
			continue
		}
		if text[special.at] == 'x' {
			text[special.at] = special.set
		} else {
			text[special.at] = special.alone
		}
	}
	return string(text)
}
