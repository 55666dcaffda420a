package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
	"github.com/ocilayout/ocilayout/mutate/rootfs"
)

// chosenImage finds the image of ref for a platform. Of an index without a platform
// it takes one image and says which.
func (e *env) chosenImage(ctx context.Context, r *layout.Reader, ref layout.Reference, platform string) (content.Descriptor, error) {
	image, err := locate(ctx, r, ref, platform)
	if err != nil {
		return image, err
	}
	image, others, err := imagefs.Choose(ctx, r, image, r.Limits())
	if err == nil && others > 0 {
		e.warnf("%s has images for several platforms: this is the one for %s", ref, platformText(image.Platform))
	}
	return image, err
}

// idMaps reads the values of --uid-map or --gid-map.
func idMaps(texts []string) ([]rootfs.IDMap, error) {
	var maps []rootfs.IDMap
	for _, text := range texts {
		m, err := rootfs.ParseIDMap(text)
		if err != nil {
			return nil, err
		}
		maps = append(maps, m)
	}
	return maps, nil
}

// createdTime reads --created; without it the time is that of SOURCE_DATE_EPOCH.
func createdTime(text string, epoch time.Time) (time.Time, error) {
	if text == "" {
		return epoch, nil
	}
	t, err := mutate.ParseTime(text, mutate.FlagEnv{})
	if err != nil {
		return t, fmt.Errorf("--created: %w", err)
	}
	return t, nil
}

// repackName is the name that a repacked image gets.
func repackName(ref layout.Reference) (string, error) {
	if ref.Digest != "" {
		return "", content.Errorf(content.ErrInvalid, "%s: a destination has no digest", ref)
	}
	return cmp.Or(ref.Name, "latest"), nil
}

// unpacked shows a rootfs.Unpacked to people.
type unpacked struct{ rootfs.Unpacked }

// Tables has one line.
func (u unpacked) Tables() []render.Table {
	return []render.Table{{Rows: [][]string{{fmt.Sprintf("%s: %d files, %s, of %d layers", u.Path, u.Files, render.Size(u.Bytes), u.Layers)}}}}
}

// repacked shows a rootfs.Repacked to people.
type repacked struct{ rootfs.Repacked }

// Tables has what became of the name, and what the layer holds.
func (r repacked) Tables() []render.Table {
	layer := "nothing changed: no layer added"
	if r.Layer != "" {
		layer = fmt.Sprintf("layer %s, %s: %d files written, %d removed", r.Layer, render.Size(r.Size), r.Written, r.Removed)
	}
	return []render.Table{{Rows: [][]string{{changeText(r.Change)}, {layer}}}}
}
