package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/registry"
)

// defaultReferrerBytes is registry.DefaultMaxReferrerBytes for people.
const defaultReferrerBytes = "10GB"

// referrerFlags say what comes along with images.
type referrerFlags struct {
	none  bool
	types ordered
	count int
	bytes string
}

func (f *referrerFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "no-referrers", Destination: &f.none, Usage: "leave out what refers to the images"},
		f.types.flag("referrer-type", "let only referrers of artifact type `TYPE` come along, and what refers to them"),
		&cli.IntFlag{Name: "max-referrers", Value: registry.DefaultMaxReferrers, Destination: &f.count, Usage: "refuse more than `N` referrers"},
		&cli.StringFlag{Name: "max-referrer-bytes", Value: defaultReferrerBytes, Destination: &f.bytes, Usage: "refuse referrers that are larger than that all together; " + sizeUsage},
	}
}

// given says whether a flag but --no-referrers is set.
func (f *referrerFlags) given() bool {
	return len(f.types) > 0 || f.count != registry.DefaultMaxReferrers || f.bytes != defaultReferrerBytes
}

// fill puts what the flags say into options.
func (f *referrerFlags) fill(o *registry.PullOptions) (err error) {
	o.NoReferrers, o.ReferrerTypes, o.MaxReferrers = f.none, f.types.of("referrer-type"), f.count
	if o.MaxReferrerBytes, err = parseSize("max-referrer-bytes", f.bytes); err != nil {
		return err
	}
	if f.count < 1 {
		return content.Errorf(content.ErrInvalid, "--max-referrers %d: want at least 1; --no-referrers leaves them out", f.count)
	}
	if f.none && len(o.ReferrerTypes) > 0 {
		return content.Errorf(content.ErrInvalid, "--referrer-type and --no-referrers exclude each other")
	}
	return nil
}

// fewReferrers are as many as are shown one by one.
const fewReferrers = 10

// broughtRows tells people what came along: each, or if there are many how many of
// each type.
func broughtRows(list []registry.Brought) [][]string {
	var rows [][]string
	if len(list) <= fewReferrers {
		for _, b := range list {
			rows = append(rows, []string{fmt.Sprintf("%s %s of %s, %s", typeText(b), content.Short(b.Digest), content.Short(b.Subject), render.Size(b.Size))})
		}
		return rows
	}
	counts := map[string]int{}
	for _, b := range list {
		counts[typeText(b)]++
	}
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		rows = append(rows, []string{fmt.Sprintf("%d of type %s", counts[text], text)})
	}
	return rows
}

func typeText(b registry.Brought) string {
	if b.ArtifactType == "" {
		return "(no type)"
	}
	return b.ArtifactType
}
