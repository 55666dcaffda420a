package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// deriveFlags say what becomes of an image that is made of another one.
type deriveFlags struct {
	tag, platform string
	replace       bool
}

// flags are those of squash, rebase and append.
func (f *deriveFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "tag", Destination: &f.tag, Usage: "call the result `NAME`; the old image keeps its names"},
		&cli.BoolFlag{Name: "replace", Destination: &f.replace, Usage: "put the result in the place of the old image, under its name"},
		&cli.StringFlag{Name: "platform", Destination: &f.platform, Usage: "take the image for `PLATFORM` out of an index, and change it alone; needs --tag"},
	}
}

// check refuses what makes no sense before anything is read.
func (f *deriveFlags) check(command string) error {
	wrong := ""
	switch {
	case f.tag == "" && !f.replace:
		wrong = command + " needs --tag NAME, or --replace"
	case f.tag != "" && f.replace:
		wrong = command + " takes one of --tag and --replace"
	case f.replace && f.platform != "":
		wrong = "--replace with --platform would put one image in the place of an index: say --tag"
	}
	if wrong == "" {
		return nil
	}
	return &usageError{wrong, command}
}

// derive makes a change to what ref means in l, and saves it.
func (e *env) derive(ctx context.Context, l *layout.Layout, ref layout.Reference, f deriveFlags, change func(layout.Entry) (mutate.Change, error)) (_ any, err error) {
	entry, err := lookup(ctx, l.Reader, ref, f.platform)
	if err != nil {
		return nil, err
	}
	if f.replace && entry.Raw == nil {
		return nil, content.Errorf(content.ErrInvalid, "%s has no entry to replace: say --tag NAME", ref)
	}
	c, err := change(entry)
	if err != nil {
		return nil, err
	}
	b := l.Batch()
	defer closing(b, &err)
	report, err := mutate.Apply(ctx, b, entry, []mutate.Edit{{On: mutate.Selector{All: true}, Change: c}}, mutate.Options{Limits: l.Limits()})
	if err != nil {
		return nil, err
	}
	for _, warning := range report.Warnings {
		e.warnf("%s", warning)
	}
	saved, err := mutate.Save(ctx, l, b, report, mutate.SaveOptions{Name: f.tag})
	return derived{saved}, err
}

// derived shows what a change made.
type derived struct{ mutate.Saved }

// Tables has the name, then the images of an index, then the layers that are new.
func (d derived) Tables() []render.Table {
	moved := changeText(layout.Change{Name: d.Name, Old: d.Old, New: d.New})
	tables := []render.Table{{Rows: [][]string{{strings.TrimPrefix(moved, ": ")}}}}
	images := render.Table{Header: []string{"PLATFORM", "OLD", "NEW"}}
	for _, i := range d.Images {
		if i.Old != d.Old {
			images.Rows = append(images.Rows, []string{i.Platform, content.Short(i.Old), content.Short(i.New)})
		}
	}
	layers := render.Table{Header: []string{"NEW LAYER", "SIZE", "FILES"}}
	for _, l := range d.Layers {
		layers.Rows = append(layers.Rows, []string{content.Short(l.New), render.Size(l.Size), strconv.Itoa(l.Members)})
	}
	for _, t := range []render.Table{images, layers} {
		if len(t.Rows) > 0 {
			tables = append(tables, t)
		}
	}
	if d.Left > 0 {
		text := fmt.Sprintf("%d referrers stay behind with the old digest", d.Left)
		tables = append(tables, render.Table{Rows: [][]string{{text}}})
	}
	return tables
}

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
	text, r := b.text, here
	if strings.HasPrefix(text, ":") || strings.HasPrefix(text, "@") {
		text = here.Path() + text
	}
	ref, err := layout.ParseReference(text)
	if err != nil {
		return nil, err
	}
	if text == b.text {
		if b.from, err = layout.OpenReader(ref.Layout, e.layoutOptions()); err != nil {
			return nil, err
		}
		r = b.from
	}
	entry, err := r.Lookup(ctx, ref)
	return &mutate.Base{Fetch: r, Descriptor: entry.Descriptor, Name: entry.Name()}, err
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
