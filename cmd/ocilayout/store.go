package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// layoutOptions are what the global flags say about layouts.
func (e *env) layoutOptions() layout.Options {
	return layout.Options{
		NoSync:      e.global.noSync,
		Limits:      e.limits,
		LockTimeout: max(e.global.lockTimeout, time.Nanosecond), // 0 does not wait
		Warn:        func(err error) { e.warnf("%v", err) },
	}
}

// openReader opens the layout of a reference for reading. The caller closes it.
func (e *env) openReader(arg string) (*layout.Reader, layout.Reference, error) {
	ref, err := layout.ParseReference(arg)
	if err != nil {
		return nil, ref, err
	}
	r, err := layout.OpenReader(ref.Layout, e.layoutOptions())
	return r, ref, err
}

// openWriter opens the layout of a reference for writing. The caller closes it.
func (e *env) openWriter(arg string) (*layout.Layout, layout.Reference, error) {
	ref, err := layout.ParseReference(arg)
	if err != nil {
		return nil, ref, err
	}
	l, err := layout.Open(ref.Layout, e.layoutOptions())
	return l, ref, err
}

// wholeLayout refuses a reference to one image, for commands that are about all.
func wholeLayout(ref layout.Reference) error {
	if ref.Name != "" || ref.Digest != "" {
		return content.Errorf(content.ErrInvalid, "%s is one image, and a whole layout is wanted: %s", ref, ref.Layout)
	}
	return nil
}

// lookup finds the entry of ref, and in it the image for a platform if one is given.
func lookup(ctx context.Context, r *layout.Reader, ref layout.Reference, platform string) (layout.Entry, error) {
	entry, err := r.Lookup(ctx, ref)
	if err != nil || platform == "" {
		return entry, err
	}
	want, err := content.ParsePlatform(platform)
	if err != nil {
		return entry, err
	}
	found, err := content.SelectPlatform(ctx, r, entry.Descriptor, want, r.Limits())
	if err != nil || found.Digest == entry.Digest {
		return entry, err
	}
	return layout.Entry{Descriptor: found}, nil
}

// locate is lookup for who needs no more than where the content is, and may ask the
// catalog.
func locate(ctx context.Context, r *layout.Reader, ref layout.Reference, platform string) (content.Descriptor, error) {
	found, err := r.Locate(ctx, ref)
	if err != nil || platform == "" {
		return found, err
	}
	want, err := content.ParsePlatform(platform)
	if err != nil {
		return found, err
	}
	return content.SelectPlatform(ctx, r, found, want, r.Limits())
}

// closing adds what Close says to an error.
func closing(c io.Closer, err *error) {
	*err = errors.Join(*err, c.Close())
}

// platformUsage is the help of --platform where one is picked.
const platformUsage = "pick the image for `PLATFORM` from an index, such as linux/arm64"

// withCloser closes what the stream was opened from behind it.
type withCloser struct {
	io.ReadCloser
	from io.Closer
}

func (w withCloser) Close() error {
	return errors.Join(w.ReadCloser.Close(), w.from.Close())
}

// rawBytes is the result of a command that writes bytes as they are.
func rawBytes(data []byte, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return render.Raw{ReadCloser: io.NopCloser(bytes.NewReader(data))}, nil
}
