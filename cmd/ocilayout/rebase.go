package main

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// A baseFlag is a base as the command line gives it, and the layout that it is from.
type baseFlag struct {
	text string
	from *layout.Reader // to be closed
}

// open finds the base; "" is none. A reference that begins with ":" or "@" is one in
// the layout here.
func (b *baseFlag) open(ctx context.Context, e *env, here *layout.Reader) (*mutate.Base, error) {
	if b.text == "" {
		return nil, nil
	}
	r, entry, err := e.resolveFrom(ctx, here, b.text)
	if r != here {
		b.from = r
	}
	if err != nil {
		return nil, err
	}
	return &mutate.Base{Fetch: r, Descriptor: entry.Descriptor, Name: entry.Name()}, nil
}

// Close closes the layout that the base is from.
func (b *baseFlag) Close() error {
	if b.from == nil {
		return nil
	}
	return b.from.Close()
}

// rebaseFlags are what is put in the place of what.
type rebaseFlags struct {
	next, old baseFlag
	merge     bool
}

// Close closes the layouts of both bases.
func (f *rebaseFlags) Close() error { return errors.Join(f.next.Close(), f.old.Close()) }

// change makes the change that the flags mean for an image in the layout here.
func (f *rebaseFlags) change(ctx context.Context, e *env, here *layout.Reader) (*mutate.Rebase, error) {
	r := &mutate.Rebase{MergeConfig: f.merge}
	var err error
	if r.New, err = f.next.open(ctx, e, here); err != nil {
		return nil, err
	}
	if r.Old, err = f.old.open(ctx, e, here); err != nil {
		return nil, err
	}
	layouts := []*layout.Reader{here}
	for _, from := range []*layout.Reader{f.next.from, f.old.from} {
		if from != nil {
			layouts = append(layouts, from)
		}
	}
	r.Find = mutate.FindBase(layouts...)
	return r, nil
}

// checkBase says whether bases have moved.
func (e *env) checkBase(ctx context.Context, arg, platform string, f *rebaseFlags) (_ any, err error) {
	r, ref, err := e.openReader(arg)
	if err != nil {
		return nil, err
	}
	defer closing(r, &err)
	entry, err := lookup(ctx, r, ref, platform)
	if err != nil {
		return nil, err
	}
	change, err := f.change(ctx, e, r)
	if err != nil {
		return nil, err
	}
	states, err := change.Check(ctx, r, entry, mutate.Selector{}, r.Limits())
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		if s.Moved {
			return baseStates(states), errDifferent
		}
	}
	return baseStates(states), nil
}

// baseStates shows which bases have moved.
type baseStates []mutate.BaseState

// Tables has a line for each image.
func (list baseStates) Tables() []render.Table {
	t := render.Table{Header: []string{"PLATFORM", "BASE", "RECORDED", "NOW", "MOVED"}}
	for _, s := range list {
		moved := "no"
		if s.Moved {
			moved = "yes"
		}
		t.Rows = append(t.Rows, []string{s.Platform, s.Name, content.Short(s.Old), content.Short(s.New), moved})
	}
	return []render.Table{t}
}
