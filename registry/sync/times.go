package sync

import (
	"context"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
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
		from, d = found, found.Descriptor
	} else {
		s, err := ob.shelf(ctx, p.Layout)
		if err != nil {
			return time.Time{}, err
		}
		if _, d, err = s.find(p); err != nil {
			return time.Time{}, err
		}
		from = s.reader
	}
	about, err := layout.Describe(ctx, fetchOnly{from}, layout.NewEntry(d), content.Limits{}.WithDefaults())
	if err != nil {
		return time.Time{}, content.At(p.String(), err)
	}
	at, _ := time.Parse(time.RFC3339Nano, about.Created()) // nobody knows, then
	return at, nil
}

// fetchOnly tells nothing of referrers, so that nobody is asked for them.
type fetchOnly struct{ content.Fetcher }
