package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// An imageDiff is what the flags of diff say about two images.
type imageDiff struct {
	ignore   mutate.Ignored
	explain  bool
	platform string
}

// run compares two images, or two layouts if the references are to whole ones.
func (o imageDiff) run(ctx context.Context, a, b *layout.Reader, from, to layout.Reference) (any, error) {
	switch images, err := areImages(from, to); {
	case err != nil:
		return nil, err
	case images:
		return o.images(ctx, a, b, from, to)
	case o.ignore != nil || o.explain || o.platform != "":
		return nil, content.Errorf(content.ErrInvalid, "--ignore, --explain and --platform are for two images, not for whole layouts")
	}
	d, err := layout.Diff(ctx, a, b, layout.DiffOptions{})
	if err != nil {
		return nil, err
	}
	return differenceTable{d}, differentUnless(d.Equal)
}

func (o imageDiff) images(ctx context.Context, a, b *layout.Reader, from, to layout.Reference) (any, error) {
	if o.explain && o.ignore["layers"] {
		return nil, content.Errorf(content.ErrInvalid, "--explain is about layers, which --ignore leaves out")
	}
	one, err := lookup(ctx, a, from, o.platform)
	if err != nil {
		return nil, err
	}
	other, err := lookup(ctx, b, to, o.platform)
	if err != nil {
		return nil, err
	}
	d, err := mutate.Compare(ctx, mutate.CompareSide{Reader: a, Target: one.Descriptor}, mutate.CompareSide{Reader: b, Target: other.Descriptor},
		mutate.CompareOptions{Ignore: o.ignore, Explain: o.explain, Limits: a.Limits()})
	if err != nil {
		return nil, err
	}
	return imageDifference{d}, differentUnless(d.Equal)
}

// imageDifference shows a mutate.Comparison to people.
type imageDifference struct{ mutate.Comparison }

// Tables has a table of fields, layers and files for the image, or for each platform.
func (d imageDifference) Tables() []render.Table {
	var tables []render.Table
	add := func(x mutate.ImageDifference) {
		part := partTables(x)
		if x.Platform != "" {
			tables = append(tables, render.Table{Rows: [][]string{{platformLine(x)}}})
		}
		tables = append(tables, part...)
	}
	add(d.ImageDifference)
	for _, x := range d.Platforms {
		add(x)
	}
	summary := "equal"
	switch {
	case d.Equal && len(d.Ignored) > 0:
		summary = "equal, but for " + strings.Join(d.Ignored, ", ")
	case !d.Equal:
		summary = fmt.Sprintf("%d blobs added of %s, %d removed", len(d.Blobs.Added), render.Size(d.Blobs.Bytes), len(d.Blobs.Removed))
	}
	return append(tables, render.Table{Rows: [][]string{{summary}}})
}

func platformLine(x mutate.ImageDifference) string {
	switch {
	case x.From == nil:
		return x.Platform + ": added " + x.To.Digest.String()
	case x.To == nil:
		return x.Platform + ": removed " + x.From.Digest.String()
	}
	return x.Platform + ": " + x.From.Digest.String() + " -> " + x.To.Digest.String()
}

// partTables are the tables of what differs between two images.
func partTables(x mutate.ImageDifference) []render.Table {
	var tables []render.Table
	fields := render.Table{Header: []string{"GROUP", "FIELD", "FROM", "TO"}}
	for _, f := range x.Fields {
		fields.Rows = append(fields.Rows, []string{f.Group, f.Path, shortValue(f.From), shortValue(f.To)})
	}
	layers := render.Table{Header: []string{"LAYER", "CHANGE", "FROM", "TO", "WHY"}}
	for _, l := range x.Layers {
		layers.Rows = append(layers.Rows, layerRows(l)...)
	}
	for _, t := range []render.Table{fields, layers} {
		if len(t.Rows) > 0 {
			tables = append(tables, t)
		}
	}
	if x.Files == nil {
		return tables
	}
	files := render.Table{Header: []string{"FILE", "WHAT", "FROM", "TO", "PATH"}}
	for _, f := range x.Files.Changes {
		files.Rows = append(files.Rows, []string{f.Change, strings.Join(f.What, ","), fileText(f.From, f.What), fileText(f.To, f.What), f.Path})
	}
	switch {
	case len(files.Rows) > 0:
		sum := fmt.Sprintf("%d files added, %d removed, %d changed", x.Files.Added, x.Files.Removed, x.Files.Changed)
		tables = append(tables, files, render.Table{Rows: [][]string{{sum}}})
	case x.Files.Reason != "":
		tables = append(tables, render.Table{Rows: [][]string{{"files not compared: " + x.Files.Reason}}})
	}
	return tables
}

// maxCell is the most bytes of a value that a table shows.
const maxCell = 60

func shortValue(value []byte) string {
	text := string(value)
	if len(text) > maxCell {
		text = strings.ToValidUTF8(text[:maxCell], "") + "..."
	}
	return text
}

func layerRows(l mutate.LayerDifference) [][]string {
	number := ""
	var from, to string
	if l.From != nil {
		number, from = strconv.Itoa(l.From.Number), content.Short(l.From.Digest)+" "+render.Size(l.From.Size)
	}
	if l.To != nil {
		to = content.Short(l.To.Digest) + " " + render.Size(l.To.Size)
		if n := strconv.Itoa(l.To.Number); n != number {
			number = strings.TrimPrefix(number+">"+n, ">")
		}
	}
	why := make([]string, 0, len(l.Why)+len(l.Fields))
	for _, f := range l.Fields {
		why = append(why, f.Path+" "+shortValue(f.From)+" -> "+shortValue(f.To))
	}
	for _, r := range l.Why {
		why = append(why, reasonText(r))
	}
	row := []string{number, l.Change, from, to}
	if len(why) == 0 {
		return [][]string{row}
	}
	rows := [][]string{append(row, why[0])}
	for _, text := range why[1:] {
		rows = append(rows, []string{"", "", "", "", text})
	}
	return rows
}

func reasonText(r mutate.LayerReason) string {
	text := r.Reason
	if r.Count > 0 {
		text += fmt.Sprintf(" (%d):", r.Count)
	}
	if r.Example != "" && r.Example != r.From {
		text += " " + r.Example
	}
	if r.From != "" || r.To != "" {
		text += " " + r.From + " -> " + r.To
	}
	return text
}

// fileText says of a file what has changed, or of one that only one side has its type
// and size.
func fileText(f *mutate.ComparedFile, what []string) string {
	if f == nil {
		return ""
	}
	var words []string
	for _, fact := range what {
		switch fact {
		case "type":
			words = append(words, f.Type)
		case "mode":
			words = append(words, f.Mode)
		case "owner":
			words = append(words, fmt.Sprintf("%d:%d", f.UID, f.GID))
		case "size":
			words = append(words, strconv.FormatInt(f.Size, 10))
		case "time":
			words = append(words, f.Time)
		case "target":
			words = append(words, f.Target)
		case "hardlink":
			words = append(words, "="+f.Hardlink)
		case "device":
			words = append(words, fmt.Sprint(f.Device))
		}
	}
	if len(what) == 0 {
		words = []string{f.Type, strconv.FormatInt(f.Size, 10)}
	}
	return strings.Join(words, " ")
}
