package export

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// isWhole says whether a root stands for all entries of its source.
func (r Root) isWhole() bool { return r.Entry.Digest == "" }

// view calls fn with a reading of the index.json that a root stands for.
func (r Root) view(ctx context.Context, fn func(x *layout.Index) error) error {
	k, ok := r.Source.(keeper)
	if !ok {
		return content.Errorf(content.ErrInvalid, "the source can't list its entries")
	}
	return k.View(ctx, fn)
}

// spread puts in place of a root that is all of a layout the roots that it stands for.
func spread(ctx context.Context, roots []Root) ([]Root, error) {
	var all []Root
	for _, r := range roots {
		if !r.isWhole() {
			all = append(all, r)
			continue
		}
		err := r.view(ctx, func(x *layout.Index) error {
			for e, err := range x.Entries() {
				if err != nil {
					return err
				}
				all = append(all, Root{Source: r.Source, Entry: e, Chosen: r.Chosen})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
