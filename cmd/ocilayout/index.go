package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// indexFlags are the flags that commands which make an index share.
type indexFlags struct {
	list        ordered // of platform, digest, annotation, require-platform
	conflict    string
	target      mutate.IndexTarget
	nested      bool
	noReferrers bool
}

func (f *indexFlags) conflictFlag() cli.Flag {
	return &cli.StringFlag{Name: "on-conflict", Value: "overwrite", Destination: &f.conflict, Usage: policyUsage}
}

func (f *indexFlags) noReferrersFlag() cli.Flag {
	return &cli.BoolFlag{Name: "no-referrers", Destination: &f.noReferrers, Usage: "leave behind what refers to images of other layouts"}
}

// takeFlags say what of the sources is taken.
func (f *indexFlags) takeFlags() []cli.Flag {
	return []cli.Flag{
		f.list.flag("platform", "take only the image for `PLATFORM` out of indexes"),
		&cli.BoolFlag{Name: "nested", Destination: &f.nested, Usage: "put an index in as it is, instead of the images in it"},
		f.noReferrersFlag(),
		f.conflictFlag(),
	}
}

// targetFlags say what an index made from another is called.
func (f *indexFlags) targetFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "tag", Destination: &f.target.Tag, Usage: "call the new index `NAME`; this or --replace is needed"},
		&cli.BoolFlag{Name: "replace", Destination: &f.target.Replace, Usage: "give it the name of the old one"},
	}
}

// checkTarget wants one of them.
func (f *indexFlags) checkTarget(command string) error {
	d := deriveFlags{tag: f.target.Tag, replace: f.target.Replace}
	return d.check(command)
}

// options reads the flags.
func (f *indexFlags) options() (o mutate.IndexOptions, err error) {
	o = mutate.IndexOptions{Nested: f.nested, NoReferrers: f.noReferrers}
	if o.Policy, err = parsePolicy(f.conflict); err != nil {
		return o, err
	}
	if f.target.Policy = o.Policy; f.target.Replace && o.Policy != layout.Overwrite {
		return o, content.Errorf(content.ErrInvalid, "--replace moves the name: --on-conflict %s is for --tag", f.conflict)
	}
	if o.Annotations, err = parsePairs("annotation", f.list.of("annotation")); err != nil {
		return o, err
	}
	o.Platforms, err = parsePlatforms(f.list.of("platform"))
	return o, err
}

// newName reads the LAYOUT:NAME of an index to be made.
func newName(arg string) (layout.Reference, error) {
	ref, err := layout.ParseReference(arg)
	if err == nil && (ref.Name == "" || ref.Digest != "") {
		err = content.Errorf(content.ErrInvalid, "%s: a new index needs LAYOUT:NAME", ref)
	}
	return ref, err
}

// joining opens what LAYOUT:NAME REF... mean, for join to make an index of.
func (e *env) joining(ctx context.Context, args []string, join func(dst *layout.Layout, name string, sources []layout.Source) error) (err error) {
	sources, err := e.sources(ctx, args[1:])
	if err != nil {
		return err
	}
	defer closing(sources, &err)
	dst, name, err := e.destination(ctx, args[0])
	if err != nil {
		return err
	}
	defer closing(dst, &err)
	return join(dst, name, sources)
}

// subjectOf finds what a new index refers to; nil if that is "". One that begins with
// ":" or "@" is in the layout of the index.
func (e *env) subjectOf(ctx context.Context, index layout.Reference, arg string) (_ *content.Descriptor, err error) {
	if arg == "" {
		return nil, nil
	}
	if strings.HasPrefix(arg, ":") || strings.HasPrefix(arg, "@") {
		arg = index.Layout + arg
	}
	r, ref, err := e.openReader(arg)
	if err != nil {
		return nil, err
	}
	defer closing(r, &err)
	found, err := r.Locate(ctx, ref)
	return &found, err
}

// indexReport shows a mutate.IndexReport to people.
type indexReport struct{ mutate.IndexReport }

// Tables has a line for the name, one for each image and one with the sums.
func (r indexReport) Tables() []render.Table { return indexTables(r.IndexReport, "") }

// mergeReport shows a mutate.MergeReport to people.
type mergeReport struct{ mutate.MergeReport }

// Tables is as of an indexReport, with what became of attestations.
func (r mergeReport) Tables() []render.Table {
	more := ""
	if r.Lifted > 0 {
		more = fmt.Sprintf("; %d attestations became referrers", r.Lifted)
	}
	tables := indexTables(r.IndexReport, more)
	for _, kept := range r.NotLifted {
		tables = append(tables, render.Table{Rows: [][]string{{"attestation " + kept.From.String() + " is no referrer: " + kept.Reason}}})
	}
	return tables
}

func indexTables(r mutate.IndexReport, more string) []render.Table {
	name := changes{r.Change}.Tables()[0]
	var images render.Table
	for _, image := range r.Images {
		platform := image.Platform
		if platform == "" {
			platform = "-"
		}
		images.Rows = append(images.Rows, []string{platform, image.Digest.String()})
	}
	sum := fmt.Sprintf("%d blobs copied, %s; %d were there", r.Blobs, render.Size(r.Bytes), r.Present)
	for _, part := range []struct {
		n    int
		text string
	}{
		{r.Attestations, "attestations are in the index"}, {r.Referrers, "referrers came along"}, {len(r.Absent), "absent in the source"},
		{r.Left, "referrers stay with the index that was there before"},
	} {
		if part.n > 0 {
			sum += fmt.Sprintf("; %d %s", part.n, part.text)
		}
	}
	tables := []render.Table{name}
	if len(images.Rows) > 0 {
		tables = append(tables, images)
	}
	return append(tables, render.Table{Rows: [][]string{{strings.TrimPrefix(sum+more, "; ")}}})
}
