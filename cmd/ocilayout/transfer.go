package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// sources are open layouts and what is taken of each.
type sources []layout.Source

// sources opens what references mean, which must be there: a destination is not
// made for nothing. Close closes all.
func (e *env) sources(ctx context.Context, args []string) (sources, error) {
	var open sources
	for _, arg := range args {
		r, ref, err := e.openReader(arg)
		if err != nil {
			return nil, errors.Join(err, open.Close())
		}
		open = append(open, layout.Source{Reader: r, Ref: ref})
		if ref.Name == "" && ref.Digest == "" {
			continue
		}
		if _, err := r.Lookup(ctx, ref); err != nil {
			return nil, errors.Join(err, open.Close())
		}
	}
	return open, nil
}

// Close closes every source.
func (s sources) Close() error {
	var errs []error
	for _, src := range s {
		errs = append(errs, src.Reader.Close())
	}
	return errors.Join(errs...)
}

// destination opens LAYOUT[:NAME] for writing, and makes the layout if it is not
// there. The caller closes it.
func (e *env) destination(ctx context.Context, arg string) (*layout.Layout, string, error) {
	ref, err := layout.ParseReference(arg)
	if err == nil && ref.Digest != "" {
		err = content.Errorf(content.ErrInvalid, "%s: a destination has no digest", ref)
	}
	if err != nil {
		return nil, "", err
	}
	l, err := e.initLayout(ctx, arg, ref.Layout)
	return l, ref.Name, err
}

// initLayout opens the layout of an argument for writing, and makes it if it is not there:
// one that is called as an archive is only if the argument says that it is a layout.
func (e *env) initLayout(ctx context.Context, arg, path string) (*layout.Layout, error) {
	if strings.HasPrefix(arg, path) && strings.HasSuffix(strings.ToLower(path), ".tar") {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, content.Errorf(content.ErrInvalid, "%s would be a directory: export, and pull, write archives; with oci: in front it is a layout", path)
		}
	}
	return layout.Init(ctx, path, e.layoutOptions())
}

// transfer shows a layout.TransferReport to people.
type transfer struct{ layout.TransferReport }

// Tables has a line for each name and one with the sums.
func (t transfer) Tables() []render.Table {
	sum := fmt.Sprintf("%d blobs copied, %s; %d were there", t.Blobs, render.Size(t.Bytes), t.Present)
	if t.Referrers > 0 {
		sum += fmt.Sprintf("; %d referrers came along", t.Referrers)
	}
	if n := len(t.Absent); n > 0 {
		sum += fmt.Sprintf("; %d absent in the source", n)
	}
	tables := changes(t.Changes).Tables()
	tables[0].Rows = append(append(tables[0].Rows, narrowings(t.Narrowed)...), []string{sum})
	return tables
}

// narrowings has a line for each index that became another.
func narrowings(list []layout.Narrowing) [][]string {
	var rows [][]string
	for _, n := range list {
		row := "narrowed: " + n.Old.String() + " -> " + n.New.String()
		if n.Left > 0 {
			row += fmt.Sprintf("; %d referrers of the old index stay behind", n.Left)
		}
		rows = append(rows, []string{row})
	}
	return rows
}
