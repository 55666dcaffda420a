package main

import (
	"context"
	"errors"
	"io"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// registryUsage is what commands say that read from registries too.
const registryUsage = "REF may be one in a registry, docker://HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]; flags about registries are for such alone."

// given says whether any flag about registries is set.
func (f *registryFlags) given() bool {
	return f.password || len(f.resolve) > 0 || f.o.PlainHTTP || f.o.TLS || f.o.Insecure ||
		f.o.CAFile+f.o.CertFile+f.o.KeyFile+f.o.HostsDir+f.o.RegistriesConf+f.o.AuthFile+f.o.Username != ""
}

// only refuses flags about registries where there is none.
func (f *registryFlags) only(arg string) error {
	if f.given() {
		return content.Errorf(content.ErrInvalid, "%s is in no registry: there is a flag too many", arg)
	}
	return nil
}

// remote finds what a reference with a registry means. ok is false for another one,
// which is not an error unless a flag about registries is given.
func (f *registryFlags) remote(ctx context.Context, e *env, arg string) (found *registry.Found, ok bool, err error) {
	if !registry.IsReference(arg) {
		return nil, false, f.only(arg)
	}
	ref, s, err := f.target(e, arg)
	if err != nil {
		return nil, true, err
	}
	found, err = registry.Find(ctx, s, ref)
	return found, true, err
}

// A place is where an image is read from: a layout or a registry.
type place interface {
	content.Fetcher
	Limits() content.Limits
}

// open finds an image in a layout or a registry, and in it the one for a platform if
// that is given. The caller closes the closer.
func (f *registryFlags) open(ctx context.Context, e *env, arg, platform string) (place, layout.Entry, io.Closer, error) {
	found, ok, err := f.remote(ctx, e, arg)
	if err != nil {
		return nil, layout.Entry{}, nil, err
	}
	if ok {
		entry := layout.Entry{Descriptor: found.Descriptor}
		entry.Descriptor, err = pick(ctx, found, entry.Descriptor, platform)
		return found, entry, io.NopCloser(nil), err
	}
	r, ref, err := e.openReader(arg)
	if err != nil {
		return nil, layout.Entry{}, nil, err
	}
	entry, err := lookup(ctx, r, ref, platform)
	if err != nil {
		return nil, entry, nil, errors.Join(err, r.Close())
	}
	return r, entry, r, nil
}

// pick finds the image for a platform if that is given.
func pick(ctx context.Context, from place, d content.Descriptor, platform string) (content.Descriptor, error) {
	if platform == "" {
		return d, nil
	}
	want, err := content.ParsePlatform(platform)
	if err != nil {
		return d, err
	}
	return content.SelectPlatform(ctx, from, d, want, from.Limits())
}

// remoteTree is the tree of an image in a registry.
func remoteTree(ctx context.Context, found *registry.Found) (any, error) {
	t, err := layout.NewTreeBuilder(found, found.Limits()).Build(ctx, layout.Entry{Descriptor: found.Descriptor})
	if err != nil {
		return nil, err
	}
	return forest{t}, nil
}

// remoteDigest is the digest of an image in a registry, in one request if no platform
// is picked.
func (f *registryFlags) remoteDigest(ctx context.Context, e *env, arg, platform string) (any, error) {
	if platform != "" {
		_, entry, _, err := f.open(ctx, e, arg, platform)
		if err != nil {
			return nil, err
		}
		return entry.Digest.String(), nil
	}
	repo, ref, err := f.repository(ctx, e, arg)
	if err != nil {
		return nil, err
	}
	d, err := repo.Locate(ctx, ref)
	if err != nil {
		return nil, err
	}
	return d.Digest.String(), nil
}

func (f *registryFlags) repository(ctx context.Context, e *env, arg string) (*registry.Repository, registry.Reference, error) {
	ref, s, err := f.target(e, arg)
	if err != nil {
		return nil, ref, err
	}
	repo, err := s.OpenToRead(ctx, ref)
	return repo, ref, err
}

// remoteCat writes a blob, or with a path a file of an image, from a registry.
func (f *registryFlags) remoteCat(ctx context.Context, e *env, args []string, platform string, layer layerNumber) (any, error) {
	if len(args) == 1 {
		repo, ref, err := f.repository(ctx, e, args[0])
		if err != nil {
			return nil, err
		}
		if ref.Digest == "" {
			return nil, content.Errorf(content.ErrInvalid, "%s has no digest: cat writes the blob of one, or with a PATH a file of an image", args[0])
		}
		rc, err := repo.Content(ctx, ref.Digest)
		return rawStream(rc, err)
	}
	found, _, err := f.remote(ctx, e, args[0])
	if err != nil {
		return nil, err
	}
	d, err := pick(ctx, found, found.Descriptor, platform)
	if err != nil {
		return nil, err
	}
	image, others, err := imagefs.Choose(ctx, found, d, found.Limits())
	if err != nil {
		return nil, err
	}
	if others > 0 {
		e.warnf("%s has images for several platforms: this is the one for %s", args[0], platformText(image.Platform))
	}
	layers, err := imagefs.LayersOf(ctx, found, image, found.Limits())
	if err != nil {
		return nil, err
	}
	rc, err := openFile(ctx, found, layers, layer, args[1])
	return rawStream(rc, err)
}

// rawStream is the result of a command that writes what it reads.
func rawStream(rc io.ReadCloser, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return render.Raw{ReadCloser: rc}, nil
}
