package rootfs

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/compress"
	"github.com/ocilayout/ocilayout/layout"
)

// Repack names an image in l that is the one which was unpacked into dir and, if
// the directory is not as it was, one gzip layer on top. What config and manifest
// say besides stays byte for byte.
//
// dir was filled by Unpack, or is a bundle that `umoci unpack` or `umoci repack
// --refresh-bundle` left; ErrNotFound if it is neither. The image must be in l
// (ErrNotFound), with its layers (ErrMissing). The directory must not change meanwhile, and is left as it is:
// Repack may be called again, and then finds the same changes.
//
// A file has changed if its type, owner, mode, time in seconds, size, target,
// device, extended attributes or bytes are others than they were. Bytes are looked
// at only where stat says that the file was touched and all the rest is the same.
// The bytes of the layer depend on the directory and o alone. What a layer can't
// hold is ErrUnsupported: a file whose name begins with ".wh.". All is durable when
// Repack returns; if it fails, the names in l are as before.
func Repack(ctx context.Context, l *layout.Layout, dir, name string, o RepackOptions) (_ Repacked, err error) {
	if err := layout.CheckName(name); err != nil {
		return Repacked{}, err
	}
	dir = filepath.Clean(dir)
	s, ours, err := stateOf(dir)
	if err != nil {
		return Repacked{}, err
	}
	base, err := readImage(ctx, l, s.Image, l.Limits())
	if errors.Is(err, content.ErrNotFound) {
		err = content.AtDigest(s.Image.Digest, content.Errorf(content.ErrNotFound, "the image that was unpacked into %s is not in %s", dir, l.Path()))
	}
	if err == nil {
		err = hasLayers(ctx, l, base.manifest.Layers)
	}
	if err != nil {
		return Repacked{}, err
	}
	r := repacking{Layout: l, base: base, o: o, scan: scanner{rootless: s.Rootless}, own: owners{s.Rootless, s.UIDMap, s.GIDMap}, root: dir}
	if s.Bundle {
		r.root = filepath.Join(dir, bundleRoot)
	}
	if r.dir, err = openTree(r.root); err != nil {
		return Repacked{}, err
	}
	defer r.dir.close()
	defer func() { err = errors.Join(err, r.shut()) }()
	if ours {
		err = r.compare(ctx, dir, s)
	} else {
		err = r.compareUmoci(ctx, dir, s)
	}
	if err != nil {
		return Repacked{}, err
	}
	return r.commit(ctx, name)
}

// hasLayers says that an image which gets one more layer is whole.
func hasLayers(ctx context.Context, l *layout.Layout, layers []content.Descriptor) error {
	for _, d := range layers {
		there, err := l.Exists(ctx, d)
		if err == nil && !there && !content.IsForeign(d.MediaType) {
			err = content.AtDigest(d.Digest, content.Errorf(content.ErrMissing, "layer is missing"))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stateOf reads the state of a directory, and says whether it is ours. umoci's is
// taken if umoci has repacked the bundle since.
func stateOf(dir string) (s state, ours bool, err error) {
	s, err = readState(dir)
	if err == nil && !s.Bundle {
		return s, true, nil
	}
	if err != nil && !errors.Is(err, content.ErrNotFound) {
		return s, false, err
	}
	theirs, umociErr := readUmoci(dir)
	switch {
	case errors.Is(umociErr, content.ErrNotFound):
		return s, true, err
	case umociErr != nil:
		return s, false, umociErr
	case err == nil && theirs.Image.Digest == s.Image.Digest:
		return s, true, nil
	}
	return theirs, false, nil
}

// A repacking is one call of Repack.
type repacking struct {
	*layout.Layout
	base image
	o    RepackOptions
	root string
	dir  *tree
	scan scanner
	own  owners
	now  []file
	// opened are directories whose owner may not look into them, and may for a while.
	opened []*file
	changes
}

// compare finds the changes by our list.
func (r *repacking) compare(ctx context.Context, dir string, s state) error {
	before, err := readList(dir, s)
	if err != nil {
		return err
	}
	if err := r.look(ctx); err != nil {
		return err
	}
	c := comparison{dir: r.dir, scan: r.scan}
	if err := c.compare(before, r.now); err != nil {
		return err
	}
	if len(c.doubtful) > 0 {
		layers, err := imagefs.Layers(r.base.manifest.Layers, r.base.config.RootFS.DiffIDs)
		if err != nil {
			return err
		}
		if err := c.settle(ctx, r, layers, r.Limits()); err != nil {
			return err
		}
	}
	r.changes = c.changes
	return nil
}

// compareUmoci finds the changes by umoci's list.
func (r *repacking) compareUmoci(ctx context.Context, dir string, s state) error {
	found, err := umociChanges(dir, s)
	if err != nil {
		return err
	}
	r.changes = *found
	return r.look(ctx)
}

// look lists the directory as it is, and opens what is shut in it.
func (r *repacking) look(ctx context.Context) (err error) {
	if r.now, err = r.scan.scan(ctx, r.root); err != nil || !r.scan.rootless || os.Geteuid() == 0 {
		return err
	}
	for i := range r.now {
		f := &r.now[i]
		if !f.isDir() || f.mode&0o500 == 0o500 {
			continue
		}
		at, base, err := r.dir.locate(f.path)
		if err != nil {
			return content.At(f.path, err)
		}
		if _, err := openUp(at.fd, base); err != nil {
			return content.At(f.path, err)
		}
		r.opened = append(r.opened, f)
	}
	return nil
}

// shut gives the directories that look opened their modes back, the deepest first.
func (r *repacking) shut() error {
	var errs []error
	for _, f := range slices.Backward(r.opened) {
		at, base, err := r.dir.locate(f.path)
		if err == nil {
			err = unix.Fchmodat(at.fd, base, f.mode&0o7777, 0)
		}
		errs = append(errs, content.At(f.path, err))
	}
	return errors.Join(errs...)
}

// commit writes the layer, if there is one, and names the image.
func (r *repacking) commit(ctx context.Context, name string) (done Repacked, err error) {
	done.Base = r.base.desc.Digest
	masks := slices.Clone(r.o.Masks)
	if !r.o.NoMaskVolumes {
		for volume := range r.base.config.Config.Volumes {
			masks = append(masks, volume)
		}
	}
	r.leave(masks)
	members := r.plan(r.now)
	image := r.base.desc
	batch := r.Batch()
	defer func() { err = errors.Join(err, batch.Close()) }()
	if len(members) > 0 {
		if image, err = r.layered(ctx, batch, members, &done); err != nil {
			return done, err
		}
	}
	image.Platform = r.base.platform()
	err = r.Update(ctx, func(tx *layout.Tx) error {
		entry, err := r.entry(tx, name, image)
		if err == nil {
			done.Change, err = tx.Tag(entry, name, r.o.Policy)
		}
		return err
	})
	return done, err
}

// entry is what index.json gets. An entry of the image that was unpacked keeps what
// it has besides: the one that the name has, or if nothing changed any.
func (r *repacking) entry(tx *layout.Tx, name string, image content.Descriptor) (layout.Entry, error) {
	entries, err := tx.ByDigest(r.base.desc.Digest)
	if err != nil {
		return layout.Entry{}, err
	}
	wanted := layout.NewEntry(image).WithName(name)
	for _, e := range entries {
		if e.Name() == wanted.Name() {
			return e.WithContent(image), nil
		}
	}
	if len(entries) > 0 && image.Digest == r.base.desc.Digest {
		return entries[0], nil
	}
	return wanted, nil
}

// layered makes the image with the layer, which is durable then.
func (r *repacking) layered(ctx context.Context, b *layout.Batch, members []member, done *Repacked) (content.Descriptor, error) {
	layer, diffID, err := r.layer(ctx, b, members, done)
	if err != nil {
		return layer, err
	}
	created := r.o.Created
	if created.IsZero() {
		created = time.Now()
	}
	image, err := r.base.withLayer(ctx, b, layer, diffID, created, r.o.History)
	if err != nil {
		return image, err
	}
	return image, b.Publish(ctx)
}

// layer stages the layer.
func (r *repacking) layer(ctx context.Context, b *layout.Batch, members []member, done *Repacked) (_ content.Descriptor, _ content.Digest, err error) {
	blob, err := b.Create(ctx, digest.SHA256)
	if err != nil {
		return content.Descriptor{}, "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, blob.Abort())
		}
	}()
	packed, err := compress.NewGzipWriter(blob, compress.GzipOptions{})
	if err != nil {
		return content.Descriptor{}, "", err
	}
	plain := digest.SHA256.Digester()
	var warn warnings
	p := packer{dir: r.dir, modes: map[string]uint32{}, scan: r.scan, own: r.own, maxTime: r.o.MaxTime, warn: &warn}
	for _, f := range r.opened {
		p.modes[f.path] = f.mode
	}
	err = p.pack(ctx, io.MultiWriter(plain.Hash(), packed), members)
	if err = errors.Join(err, packed.Close()); err != nil {
		return content.Descriptor{}, "", err
	}
	d, size, err := blob.Commit()
	if err != nil {
		return content.Descriptor{}, "", err
	}
	warn.tell(r.o.Warn)
	done.Layer, done.Size, done.Written, done.Removed = d, size, p.written, p.removed
	return content.Descriptor{MediaType: r.base.layerType(), Digest: d, Size: size}, plain.Digest(), nil
}
