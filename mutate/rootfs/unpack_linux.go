package rootfs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
)

// clockGrain is more than the time in which the filesystem's clock may stand still:
// what changes that much later has another ctime.
const clockGrain = 20 * time.Millisecond

// Unpack writes the files of an image, which f has, into the directory dir, or of a
// bundle into rootfs in it. dir must be empty or not be there (ErrAlreadyExists).
// What Repack needs comes to lie beside it, in dir.ocilayout/, in the place of what
// an earlier Unpack left there.
//
// Every layer is proven by its digest and diffID, but only once it is written: if
// Unpack fails, with ErrCorrupt or otherwise, what was written until then is still
// there, and the error says so. What is no image is ErrUnsupported, a name that
// leads out of dir ErrRefused; nothing is ever written outside of dir and
// dir.ocilayout. Without root, or Rootless, an image with files of several owners is
// ErrUnsupported.
//
// A directory that no layer lists belongs to root and has the mode 0755 and the
// time 0 of Unix. The files are not durable when Unpack returns.
func Unpack(ctx context.Context, f content.Fetcher, image content.Descriptor, dir string, o UnpackOptions) (Unpacked, error) {
	o.Limits, dir = o.Limits.WithDefaults(), filepath.Clean(dir)
	config, layers, err := openImage(ctx, f, image, o.Limits)
	if err != nil {
		return Unpacked{}, err
	}
	for _, prepare := range []func(string) error{checkFresh, freshState, makeDir} {
		if err := prepare(dir); err != nil {
			return Unpacked{}, err
		}
	}
	root := dir
	if o.Bundle {
		root = filepath.Join(dir, bundleRoot)
		if err := os.Mkdir(root, 0o700); err != nil {
			return Unpacked{}, err
		}
	}
	files, err := unpackInto(ctx, f, image, config, layers, dir, root, o)
	if err != nil {
		return Unpacked{}, fmt.Errorf("%w; a part of the image is left in %s", err, dir)
	}
	done := Unpacked{Digest: image.Digest, Path: root, Layers: len(layers), Files: len(files), Bytes: totalSize(files)}
	return done, nil
}

// openImage reads what an image says of itself.
func openImage(ctx context.Context, f content.Fetcher, image content.Descriptor, limits content.Limits) (ocispec.Image, []imagefs.Layer, error) {
	m, _, err := content.FetchManifest(ctx, f, image, limits)
	if err != nil {
		return ocispec.Image{}, nil, err
	}
	if !m.IsImage() || m.Config == nil {
		return ocispec.Image{}, nil, content.AtDigest(image.Digest, content.Errorf(content.ErrUnsupported, "is no image and has no files"))
	}
	config, _, err := content.FetchConfig(ctx, f, *m.Config, limits)
	if err != nil {
		return config, nil, err
	}
	layers, err := imagefs.Layers(m.Layers, config.RootFS.DiffIDs)
	return config, layers, content.AtDigest(image.Digest, err)
}

func unpackInto(ctx context.Context, f content.Fetcher, image content.Descriptor, config ocispec.Image, layers []imagefs.Layer, dir, root string, o UnpackOptions) ([]file, error) {
	var warn warnings
	if err := extract(ctx, f, layers, root, o, &warn); err != nil {
		return nil, err
	}
	if o.Bundle {
		if err := writeBundle(dir, image, config, o); err != nil {
			return nil, err
		}
	}
	last := time.Now()
	files, err := scanner{rootless: o.Rootless, xattrs: true}.scan(ctx, root)
	if err != nil {
		return nil, err
	}
	if o.Rootless {
		last = time.Now() // looking into what is shut changes it too
	}
	time.Sleep(clockGrain - time.Since(last)) // what is changed from now on shows by its ctime
	own := ownersOf(o)
	s := state{Image: image, Bundle: o.Bundle, Rootless: own.rootless, UIDMap: own.uids, GIDMap: own.gids}
	if err := writeState(dir, s, files, o.NoSync); err != nil {
		return nil, err
	}
	warn.tell(o.Warn)
	return files, nil
}

// extract writes all layers into root.
func extract(ctx context.Context, f content.Fetcher, layers []imagefs.Layer, root string, o UnpackOptions, warn *warnings) error {
	t, err := openTree(root)
	if err != nil {
		return err
	}
	defer t.close()
	e, err := newExtractor(t, o, warn)
	if err != nil {
		return err
	}
	in := openStream(ctx, f, layers, o.Limits)
	defer in.Close()
	for i, l := range layers {
		if err := e.layer(ctx, in, o.Limits.Members); err != nil {
			return content.At(fmt.Sprintf("layer %d", i+1), content.AtDigest(l.Digest, err))
		}
		in.next()
	}
	return e.finish()
}

// totalSize adds up the regular files, each once however many links it has.
func totalSize(files []file) int64 {
	type inode struct{ dev, ino uint64 }
	several := map[inode]bool{}
	total := int64(0)
	for i := range files {
		f := &files[i]
		if f.mode&unix.S_IFMT != unix.S_IFREG || several[inode{f.dev, f.ino}] {
			continue
		}
		if f.links > 1 {
			several[inode{f.dev, f.ino}] = true
		}
		total += f.size
	}
	return total
}
