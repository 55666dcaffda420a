package sync

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// backup gives what a target has a second name. That it can't be done is no reason to
// leave the target as it is: it may be broken.
func (r *runner) backup(ctx context.Context, ob *observer, s *Step) {
	if s.Backup == nil {
		return
	}
	old := s.Target
	old.Digest = s.Have.Digest
	if err := r.copyAlone(ctx, ob, old, *s.Backup); err != nil {
		r.o.warn(content.At(s.Target.String(), content.Errorf(content.ErrConflict, "it has no backup: %w", err)))
	}
}

// copyAlone copies one image, by its digest, with nothing that refers to it.
func (r *runner) copyAlone(ctx context.Context, ob *observer, from, to Point) (err error) {
	if to.Layout == "" {
		_, err := r.send(ctx, ob, from, to, registry.PushOptions{NoReferrers: true})
		return err
	}
	dst, err := layout.Init(ctx, to.Layout, r.o.Layout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	switch from.Layout {
	case "":
		_, err = registry.Pull(ctx, r.s, from.reference(), dst, registry.PullOptions{Name: to.Name, NoReferrers: true})
	case to.Layout:
		_, err = dst.TagNames(ctx, from.inLayout(), []string{to.Name}, layout.TagOptions{})
	default:
		var shelf *shelf
		if shelf, err = ob.shelf(ctx, from.Layout); err == nil {
			_, err = layout.Transfer(ctx, dst, []layout.Source{{Reader: shelf.reader, Ref: from.inLayout()}}, layout.TransferOptions{Name: to.Name, NoReferrers: true})
		}
	}
	return err
}
