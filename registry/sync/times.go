package sync

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// times says when the images of tags were made.
func (ob *observer) times(ctx context.Context, p Place, tags []string) (map[string]time.Time, error) {
	made := map[string]time.Time{}
	err := ob.each(ctx, len(tags), func(ctx context.Context, i int) error {
		at, err := ob.time(ctx, p.named(tags[i]))
		ob.mu.Lock()
		defer ob.mu.Unlock()
		made[tags[i]] = at
		return err
	})
	return made, err
}

func (ob *observer) time(ctx context.Context, p Point) (time.Time, error) {
	var from content.Fetcher
	var d content.Descriptor
	if p.Layout == "" {
		found, err := ob.get(ctx, p)
		if err != nil {
			return time.Time{}, err
		}
		if from, err = ob.s.OpenToRead(ctx, p.reference()); err != nil {
			return time.Time{}, err
		}
		from, d = inHand{from, found}, found.Descriptor
	} else {
		s, err := ob.shelf(ctx, p.Layout)
		if err != nil {
			return time.Time{}, err
		}
		if _, d, err = s.find(p); err != nil {
			return time.Time{}, err
		}
		from = inHand{s.reader, nil}
	}
	about, err := layout.Describe(ctx, from, layout.NewEntry(d), content.Limits{}.WithDefaults())
	if err != nil {
		return time.Time{}, content.At(p.String(), err)
	}
	at, _ := time.Parse(time.RFC3339Nano, about.Created()) // nobody knows, then
	return at, nil
}

// inHand reads what was found from memory, and all else from where it lies. It tells
// nothing of referrers.
type inHand struct {
	content.Fetcher
	found *registry.Found
}

// Fetch opens verified content.
func (f inHand) Fetch(ctx context.Context, d content.Descriptor) (io.ReadCloser, error) {
	if f.found != nil && d.Digest == f.found.Digest {
		return content.Verify(io.NopCloser(bytes.NewReader(f.found.Bytes)), d), nil
	}
	return f.Fetcher.Fetch(ctx, d)
}
