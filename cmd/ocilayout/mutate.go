package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
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
		if add, ok := edits[i].Change.(mutate.LayerAdd); ok {
			if err := e.spool(&add, open); err != nil {
				return nil, fmt.Errorf("--%s: %w", v.flag, err)
			}
			edits[i].Change = add
		}
	}
	return edits, nil
}

// spool puts standard input into a file where it is the tar of a layer.
func (e *env) spool(add *mutate.LayerAdd, open *closers) (err error) {
	if add.Tar == "-" {
		add.Tar, err = e.spooledInput(open)
	}
	return err
}

// spooledInput is a file with what standard input has, for who reads it more than once.
// It is gone when open is closed.
func (e *env) spooledInput(open *closers) (string, error) {
	if slices.ContainsFunc(*open, func(c io.Closer) bool { _, ok := c.(spooled); return ok }) {
		return "", content.Errorf(content.ErrInvalid, "standard input can be read only once")
	}
	f, err := os.CreateTemp("", "ocilayout-stdin-")
	if err != nil {
		return "", err
	}
	*open = append(*open, spooled{f})
	_, err = io.Copy(f, e.stdin)
	return f.Name(), err
}

// spooled is a file that is removed when it is closed.
type spooled struct{ *os.File }

// Close closes and removes the file.
func (f spooled) Close() error { return errors.Join(f.File.Close(), os.Remove(f.Name())) }

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
