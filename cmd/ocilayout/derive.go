package main

import (
	"context"
	"fmt"
	"strconv"

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

// flags are those of mutate, squash, rebase and append.
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
	switch {
	case wrong != "":
		return &usageError{wrong, command}
	case f.tag != "":
		return layout.CheckName(f.tag)
	}
	return nil
}

// derive applies the edits that compile gives to what ref means in l, and saves the
// result.
func (e *env) derive(ctx context.Context, l *layout.Layout, ref layout.Reference, f deriveFlags, compile func() ([]mutate.Edit, error)) (_ any, err error) {
	entry, err := lookup(ctx, l.Reader, ref, f.platform)
	if err != nil {
		return nil, err
	}
	if f.replace && entry.Raw == nil {
		return nil, content.Errorf(content.ErrInvalid, "%s has no entry to replace: say --tag NAME", ref)
	}
	edits, err := compile()
	if err != nil {
		return nil, err
	}
	b := l.Batch()
	defer closing(b, &err)
	report, err := mutate.Apply(ctx, b, entry, edits, mutate.Options{Limits: l.Limits()})
	if err != nil {
		return nil, err
	}
	for _, warning := range report.Warnings {
		e.warnf("%s", warning)
	}
	saved, err := mutate.Save(ctx, l, b, report, mutate.SaveOptions{Name: f.tag})
	return derived{saved}, err
}

// everywhere is a change of an index and of all images in it.
func everywhere(c mutate.Change, err error) ([]mutate.Edit, error) {
	return []mutate.Edit{{On: mutate.Selector{All: true}, Change: c}}, err
}

// derived shows what edits made.
type derived struct{ mutate.Saved }

// Tables has the digests, the name, then the images of an index and the layers that are
// new.
func (d derived) Tables() []render.Table {
	what := d.Old.String() + ": nothing changed"
	if d.Changed {
		what = d.Old.String() + " -> " + d.New.String()
	}
	rows := [][]string{{what}}
	if d.Name != "" {
		rows = append(rows, []string{changeText(layout.Change{Name: d.Name, Old: d.Was, New: d.New})})
	}
	tables := []render.Table{{Rows: rows}}
	images := render.Table{Header: []string{"PLATFORM", "OLD", "NEW"}}
	for _, i := range d.Images {
		if i.Old != d.Old {
			images.Rows = append(images.Rows, []string{i.Platform, content.Short(i.Old), content.Short(i.New)})
		}
	}
	layers := render.Table{Header: []string{"OLD LAYER", "NEW LAYER", "SIZE", "FILES"}}
	for _, l := range d.Layers {
		files := strconv.Itoa(l.Members)
		if l.Members == 0 && l.Old != "" && l.New != "" {
			files = "" // it was not looked into
		}
		layers.Rows = append(layers.Rows, []string{content.Short(l.Old), content.Short(l.New), render.Size(l.Size), files})
	}
	for _, t := range []render.Table{images, layers} {
		if len(t.Rows) > 0 {
			tables = append(tables, t)
		}
	}
	var notes [][]string
	for _, note := range []struct {
		n         int
		one, many string
	}{
		{d.Listed, "1 referrer was listed", "%d referrers were listed"},
		{d.Left, "1 referrer stays behind with the old digest", "%d referrers stay behind with the old digest"},
	} {
		switch note.n {
		case 0:
		case 1:
			notes = append(notes, []string{note.one})
		default:
			notes = append(notes, []string{fmt.Sprintf(note.many, note.n)})
		}
	}
	if len(notes) > 0 {
		tables = append(tables, render.Table{Rows: notes})
	}
	return tables
}
