package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// editFlags makes flags of all edits, which store into one list.
func editFlags(list *ordered) []cli.Flag {
	var flags []cli.Flag
	for _, f := range mutate.Flags() {
		if f.Bare {
			flags = append(flags, list.toggle(f.Name, f.Usage))
		} else {
			flags = append(flags, list.flag(f.Name, f.Usage))
		}
	}
	return flags
}

// edits reads the edits that flags ask for, in their order. What they lead to in other
// layouts stays open until open is closed.
func (e *env) edits(ctx context.Context, l *layout.Layout, list ordered, open *closers) ([]mutate.Edit, error) {
	created, err := sourceDate()
	if err != nil {
		return nil, err
	}
	flagEnv := mutate.FlagEnv{Created: created, Layout: l.Reader, Now: func() time.Time {
		if created.IsZero() {
			return time.Now()
		}
		return created
	}}
	flagEnv.Resolve = func(ref string) (content.Fetcher, content.Descriptor, error) {
		r, found, err := e.resolveFrom(ctx, l.Reader, ref)
		if r != nil && r != l.Reader {
			*open = append(*open, r)
		}
		return r, found, err
	}
	byName := map[string]mutate.Flag{}
	for _, f := range mutate.Flags() {
		byName[f.Name] = f
	}
	edits := make([]mutate.Edit, len(list))
	for i, v := range list {
		if edits[i], err = byName[v.flag].Parse(v.value, flagEnv); err != nil {
			return nil, fmt.Errorf("--%s: %w", v.flag, err)
		}
	}
	return edits, nil
}

// resolveFrom finds a reference in here, if it begins with ":" or "@", or in the layout
// that it names. The caller closes the reader, unless it is here or nil.
func (e *env) resolveFrom(ctx context.Context, here *layout.Reader, text string) (*layout.Reader, content.Descriptor, error) {
	r := here
	if strings.HasPrefix(text, ":") || strings.HasPrefix(text, "@") {
		text = here.Path() + text
	} else {
		there, _, err := e.openReader(text)
		if err != nil {
			return nil, content.Descriptor{}, err
		}
		r = there
	}
	ref, err := layout.ParseReference(text)
	if err != nil {
		return r, content.Descriptor{}, err
	}
	found, err := r.Lookup(ctx, ref)
	return r, found.Descriptor, err
}

// mutateFlags say what is edited and what becomes of it.
type mutateFlags struct {
	list          ordered
	tag, platform string
	replace       bool
}

// check refuses what makes no sense before anything is read.
func (f *mutateFlags) check() error {
	wrong := ""
	switch {
	case len(f.list) == 0:
		wrong = "mutate needs an edit"
	case f.tag == "" && !f.replace:
		wrong = "mutate needs --tag NAME, or --replace"
	case f.tag != "" && f.replace:
		wrong = "mutate takes one of --tag and --replace"
	case f.replace && f.platform != "":
		wrong = "--replace with --platform would put one image in the place of an index: say --tag, or select with [" + f.platform + "] in front of values"
	}
	if wrong == "" {
		return nil
	}
	return &usageError{wrong, "mutate"}
}

// mutate edits what ref means in l.
func (e *env) mutate(ctx context.Context, l *layout.Layout, ref layout.Reference, f mutateFlags) (_ any, err error) {
	entry, err := lookup(ctx, l.Reader, ref, f.platform)
	if err != nil {
		return nil, err
	}
	if f.replace && entry.Raw == nil {
		return nil, content.Errorf(content.ErrInvalid, "%s has no entry to replace: say --tag NAME", ref)
	}
	var open closers
	defer func() { closing(open, &err) }()
	edits, err := e.edits(ctx, l, f.list, &open)
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
	return mutated{saved}, err
}

// mutated shows what edits made.
type mutated struct{ mutate.Saved }

// Tables has the digests, the name, then the images of an index and the layers that are
// new.
func (m mutated) Tables() []render.Table {
	what := m.Old.String() + ": nothing changed"
	if m.Changed {
		what = m.Old.String() + " -> " + m.New.String()
	}
	rows := [][]string{{what}}
	if m.Name != "" {
		rows = append(rows, []string{changeText(layout.Change{Name: m.Name, Old: m.Was, New: m.New})})
	}
	tables := []render.Table{{Rows: rows}}
	images := render.Table{Header: []string{"PLATFORM", "OLD", "NEW"}}
	for _, i := range m.Images {
		if i.Old != m.Old {
			images.Rows = append(images.Rows, []string{i.Platform, content.Short(i.Old), content.Short(i.New)})
		}
	}
	layers := render.Table{Header: []string{"OLD LAYER", "NEW LAYER", "SIZE"}}
	for _, l := range m.Layers {
		layers.Rows = append(layers.Rows, []string{content.Short(l.Old), content.Short(l.New), render.Size(l.Size)})
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
		{m.Listed, "1 referrer was listed", "%d referrers were listed"},
		{m.Left, "1 referrer stays behind with the old digest", "%d referrers stay behind with the old digest"},
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
