package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/export"
	"github.com/ocilayout/ocilayout/layout"
)

// exportRoots finds what the references mean. The closer is to be closed after
// the export, and never nil.
func (e *env) exportRoots(ctx context.Context, refs []string) ([]export.Root, io.Closer, error) {
	var roots []export.Root
	var opened closers
	for _, arg := range refs {
		r, ref, err := e.openReader(arg)
		if err != nil {
			return nil, opened, err
		}
		opened = append(opened, r)
		found, err := export.Select(ctx, r, ref)
		if err != nil {
			return nil, opened, err
		}
		roots = append(roots, found...)
	}
	return roots, opened, nil
}

// notAnImage refuses the name of an image in the place of the archive's: it would
// become a file beside the layout.
func notAnImage(file string) error {
	ref, err := layout.ParseReference(file)
	if err != nil || ref.Name == "" {
		return nil
	}
	if _, err := os.Stat(ref.Layout); err != nil {
		return nil
	}
	return &usageError{file + " is an image: the last argument is the archive's FILE, or -", "export"}
}

// closers are closed together.
type closers []io.Closer

// Close closes all of them.
func (c closers) Close() (err error) {
	for _, one := range c {
		err = errors.Join(err, one.Close())
	}
	return err
}

// exported is what export tells: a table of what is in the archive, and on standard
// error what is not.
type exported struct{ export.Result }

func (e *env) exported(r export.Result, err error) (any, error) {
	if err != nil {
		return nil, nameable(err)
	}
	if r.Load != nil {
		return e.loaded(r), nil
	}
	e.notExported("is not in the layout", r.Absent)
	e.notExported("was left out", r.LeftOut)
	return exported{r}, nil
}

// notExported names a few of what an archive lacks, and how many more there are.
func (e *env) notExported(why string, list []content.Descriptor) {
	const most = 5
	for _, d := range list[:min(len(list), most)] {
		what := content.Short(d.Digest)
		if d.Platform != nil {
			what += " (" + content.FormatPlatform(*d.Platform) + ")"
		}
		e.warnf("%s %s", what, why)
	}
	if more := len(list) - most; more > 0 {
		e.warnf("%d more: the same", more)
	}
}

// Tables shows what is in the archive, and how much of it belongs to something.
func (x exported) Tables() []render.Table {
	t := render.Table{Header: []string{"NAME", "DIGEST"}}
	for _, item := range append(x.Images, x.Artifacts...) {
		t.Rows = append(t.Rows, []string{item.Name, content.Short(item.Digest)})
	}
	return withReferrers([]render.Table{t}, x.Referrers)
}

// withReferrers adds a line that says how many referrers came along, if any did.
func withReferrers(tables []render.Table, n int) []render.Table {
	if n == 0 {
		return tables
	}
	text := fmt.Sprintf("%d referrers came along", n)
	if n == 1 {
		text = "1 referrer came along"
	}
	return append(tables, render.Table{Rows: [][]string{{text}}})
}
