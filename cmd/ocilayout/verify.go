package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/consumer"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/verify"
)

// verifyFlags say what verify checks.
type verifyFlags struct {
	o     verify.Options
	level string
	list  ordered
}

func (f *verifyFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "level", Value: verify.Full.String(), Destination: &f.level, Usage: "how far to look: at `LEVEL` quick only manifests and configs are read, at bytes every blob is hashed, at full layers are looked into too"},
		f.list.flag("require", "what every image must have, as `KIND:VALUE`: referrer:TYPE or platform:P"),
		&cli.BoolFlag{Name: "allow-missing", Destination: &f.o.AllowMissing, Usage: "content that is not there is no error, in a layout that is sparse on purpose"},
		f.list.flag("for", "say what `CONSUMER` sees, and why it would refuse: "+consumerNames()),
		f.list.flag("expect", "hold the files of every image to the lines of `FILE`, such as: etc/passwd mode=0644 owner=0:0"),
		f.list.flag("repair-from", "bring in blobs that are wrong or missing from `SOURCE`, a layout or an archive, in the order given"),
		&cli.IntFlag{Name: "workers", Destination: &f.o.Workers, Usage: "read `N` blobs at once; one for each core if not given"},
	}
}

// options reads the flags.
func (f *verifyFlags) options(e *env) (_ verify.Options, err error) {
	if f.o.Level, err = verify.ParseLevel(f.level); err != nil {
		return f.o, err
	}
	for _, text := range f.list.of("require") {
		if err := f.require(text); err != nil {
			return f.o, err
		}
	}
	for _, name := range f.list.of("for") {
		c, err := consumer.Parse(name)
		if err != nil {
			return f.o, err
		}
		f.o.For = append(f.o.For, c)
	}
	for _, path := range f.list.of("expect") {
		if err := f.expect(e, path); err != nil {
			return f.o, err
		}
	}
	return f.o, nil
}

func (f *verifyFlags) require(text string) error {
	kind, value, _ := strings.Cut(text, ":")
	switch {
	case kind == "referrer" && value != "":
		f.o.Referrers = append(f.o.Referrers, value)
	case kind == "platform":
		p, err := content.ParsePlatform(value)
		if err != nil {
			return err
		}
		f.o.Platforms = append(f.o.Platforms, p)
	default:
		return content.Errorf(content.ErrInvalid, "--require %q: want referrer:TYPE or platform:P", text)
	}
	return nil
}

func (f *verifyFlags) expect(e *env, path string) error {
	file, err := e.input(path)
	if err != nil {
		return err
	}
	list, err := verify.ParseExpectations(path, file)
	f.o.Expect = append(f.o.Expect, list...)
	return errors.Join(err, file.Close())
}

// verified checks what arg means.
func (e *env) verified(ctx context.Context, arg string, o verify.Options) (_ verify.Report, err error) {
	r, ref, err := e.openReader(arg)
	if err != nil {
		return verify.Report{}, err
	}
	defer closing(r, &err)
	roots, err := verifyRoots(ctx, r, ref)
	if err != nil {
		return verify.Report{}, err
	}
	o.Limits = e.limits
	return verify.Check(ctx, r, roots, o)
}

// repaired checks what arg means and repairs it from sources.
func (e *env) repaired(ctx context.Context, arg string, from []string, o verify.Options) (_ verify.Report, err error) {
	l, ref, err := e.openWriter(arg)
	if err != nil {
		return verify.Report{}, err
	}
	defer closing(l, &err)
	var opened closers
	defer func() { err = errors.Join(err, opened.Close()) }()
	var sources []verify.Source
	for _, path := range from {
		s, err := verify.OpenSource(path, e.layoutOptions())
		if err != nil {
			return verify.Report{}, err
		}
		sources, opened = append(sources, s), append(opened, s)
	}
	roots, err := verifyRoots(ctx, l.Reader, ref)
	if err != nil {
		return verify.Report{}, err
	}
	o.Limits = e.limits
	return verify.Repair(ctx, l, roots, sources, o)
}

// verifyRoots is what a reference to one image means; nil for a whole layout.
func verifyRoots(ctx context.Context, r *layout.Reader, ref layout.Reference) ([]content.Descriptor, error) {
	if ref.Name == "" && ref.Digest == "" {
		return nil, nil
	}
	entry, err := r.Lookup(ctx, ref)
	return []content.Descriptor{entry.Descriptor}, err
}

// mended lists what was repaired.
func (v verdictTable) mended() render.Table {
	t := render.Table{Header: []string{"REPAIRED", "SIZE", "FROM"}}
	for _, r := range v.Repaired {
		t.Rows = append(t.Rows, []string{string(r.Digest), render.Size(r.Size), r.From})
	}
	return t
}

// sees says in a line what a consumer makes of what was verified.
func (v verdictTable) sees(view verify.View) string {
	for _, p := range v.Problems {
		if p.Consumer == view.Consumer && p.Severity == verify.SeverityError {
			return fmt.Sprintf("%s fails: %s (%s)", view.Consumer, strings.TrimPrefix(p.Message, string(view.Consumer)+": "), p.ID)
		}
	}
	text := fmt.Sprintf("%s sees %d images", view.Consumer, len(view.Names))
	if len(view.Names) == 1 {
		text = fmt.Sprintf("%s sees 1 image", view.Consumer)
	}
	if view.Consumer.Listed() {
		text += ": " + strings.Join(view.Names, ", ")
	}
	return text
}
