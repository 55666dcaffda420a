package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/consumer"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/export"
	"github.com/ocilayout/ocilayout/layout"
)

// A forFlags is who export and copy are for.
type forFlags struct{ consumer, repository string }

// flags are those of both commands.
func (f *forFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "for", Destination: &f.consumer, Usage: "take only what `CONSUMER` loads, under names that it reads: " + consumerNames()},
		&cli.StringFlag{Name: "base-name", Destination: &f.repository, Usage: "with --for, the `REPOSITORY` of names that are a tag alone"},
	}
}

func consumerNames() string {
	var names []string
	for _, c := range consumer.All() {
		names = append(names, string(c))
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// parse reads the flags; the consumer is "" if there is none.
func (f *forFlags) parse() (consumer.Consumer, error) {
	if f.consumer == "" && f.repository != "" {
		return "", content.Errorf(content.ErrInvalid, "--base-name is for --for")
	}
	if f.consumer == "" {
		return "", nil
	}
	return consumer.Parse(f.consumer)
}

// remarks tells on standard error what rules made of entries: a few of each rule, and
// how many more there are.
func (e *env) remarks(what string, list []consumer.Remark) {
	const most = 3
	byRule := map[string][]consumer.Remark{}
	var order []string
	for _, r := range list {
		if byRule[r.Rule] == nil {
			order = append(order, r.Rule)
		}
		byRule[r.Rule] = append(byRule[r.Rule], r)
	}
	for _, rule := range order {
		all := byRule[rule]
		for _, r := range all[:min(len(all), most)] {
			who := cmp.Or(r.Name, content.Short(r.Digest))
			if who != "" {
				who += " "
			}
			if what != "" {
				who += what + ": "
			}
			e.warnf("%s%s (%s)", who, r.Reason, rule)
		}
		if more := len(all) - most; more > 0 {
			e.warnf("%d more: the same (%s)", more, rule)
		}
	}
}

// loadable shows what is in an archive for a consumer: the names as it shows them, a
// line each.
type loadable struct{ export.Result }

// Tables has nothing but the names.
func (x loadable) Tables() []render.Table { return nameLines(x.Load.Names) }

func nameLines(names []string) []render.Table {
	t := render.Table{}
	for _, name := range names {
		t.Rows = append(t.Rows, []string{name})
	}
	return []render.Table{t}
}

// nameable adds to an error about a tag that stands alone which flag gives it a
// repository.
func nameable(err error) error {
	if !strings.Contains(err.Error(), "(rule name-repository)") || !errors.Is(err, content.ErrRefused) {
		return err
	}
	return fmt.Errorf("%w: --base-name gives one", err)
}

// loaded tells what an archive for a consumer lacks, and returns its result.
func (e *env) loaded(r export.Result) loadable {
	e.remarks("left out", r.Load.LeftOut)
	e.remarks("", r.Load.Changed)
	return loadable{r}
}

// copied is what a copy for a consumer tells: the transfer, and the names in front.
type copied struct {
	layout.TransferReport
	Load export.Load `json:"load"`
}

// Tables has nothing but the names.
func (c copied) Tables() []render.Table { return nameLines(c.Load.Names) }

// copyFor copies what a consumer accepts.
func (e *env) copyFor(ctx context.Context, dst *layout.Layout, from sources, o consumer.CopyOptions) (any, error) {
	selection, report, err := consumer.Copy(ctx, dst, from, o)
	if err != nil {
		return nil, nameable(err)
	}
	e.remarks("left out", selection.LeftOut)
	e.remarks("", selection.Changed)
	return copied{report, export.Load{Consumer: o.For, Names: selection.Names(), LeftOut: selection.LeftOut, Changed: selection.Changed}}, nil
}
