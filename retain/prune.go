package retain

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// Options say what Prune takes away. The zero value takes nothing, which is ErrInvalid.
type Options struct {
	Rules
	// Dangling takes out what refers to a subject that only its referrers lead to, or
	// that is not there.
	Dangling bool
	// DryRun changes nothing.
	DryRun bool
}

// Prune takes away the names of a layout that the rules let go, in one transaction,
// with what refers to content that loses its last name. Referrers, lists of them and
// the entries that cosign made follow their subject: they are no names to the rules.
// The blobs are for gc.
func Prune(ctx context.Context, l *layout.Layout, o Options) (layout.Pruning, error) {
	if o.Keep != nil && *o.Keep < 0 {
		return layout.Pruning{}, content.Errorf(content.ErrInvalid, "%d names can't be kept", *o.Keep)
	}
	if o.Empty() && !o.Dangling {
		return layout.Pruning{}, content.Errorf(content.ErrInvalid, "no rule says what goes: give how many to keep, an age, untagged or dangling")
	}
	return l.Prune(ctx, layout.PruneOptions{
		Choose: func(found []layout.Prunable) []string {
			items := make([]Item, len(found))
			for i, p := range found {
				items[i] = Item{p.Name, p.Created}
			}
			return o.Choose(items)
		},
		Times:    o.NeedTimes(),
		Dangling: o.Dangling,
		DryRun:   o.DryRun,
	})
}
