package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

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
		return r, found.Descriptor, err
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
func (e *env) resolveFrom(ctx context.Context, here *layout.Reader, text string) (*layout.Reader, layout.Entry, error) {
	r := here
	var ref layout.Reference
	var err error
	if strings.HasPrefix(text, ":") || strings.HasPrefix(text, "@") {
		ref, err = layout.ParseReference(here.Path() + text)
	} else {
		r, ref, err = e.openReader(text)
	}
	if err != nil {
		return r, layout.Entry{}, err
	}
	found, err := r.Lookup(ctx, ref)
	return r, found, err
}
