package main

import (
	"strconv"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// changes shows what became of names: "app: sha256:old -> sha256:new".
type changes []layout.Change

// Tables has a line for each name.
func (c changes) Tables() []render.Table {
	var rows [][]string
	for _, change := range c {
		rows = append(rows, []string{changeText(change)})
	}
	return []render.Table{{Rows: rows}}
}

func changeText(c layout.Change) string {
	switch {
	case c.Name == "":
		return "a referrer: " + c.Old.String() + " -> gone"
	case c.Skipped:
		return c.Name + ": stays " + c.Old.String()
	case c.New == "":
		return c.Name + ": " + c.Old.String() + " -> gone"
	case c.Moved():
		return c.Name + ": " + c.Old.String() + " -> " + c.New.String()
	}
	return c.Name + ": " + c.New.String()
}

// parsePlatforms reads the values of a repeatable --platform.
func parsePlatforms(texts []string) ([]content.Platform, error) {
	var platforms []content.Platform
	for _, text := range texts {
		p, err := content.ParsePlatform(text)
		if err != nil {
			return nil, err
		}
		platforms = append(platforms, p)
	}
	return platforms, nil
}

// parsePolicy reads --on-conflict.
func parsePolicy(text string) (layout.Policy, error) {
	switch text {
	case "overwrite":
		return layout.Overwrite, nil
	case "error":
		return layout.Fail, nil
	case "skip":
		return layout.Skip, nil
	}
	return layout.Overwrite, content.Errorf(content.ErrInvalid, "--on-conflict %q: want overwrite, error or skip", text)
}

// policyUsage is the help of --on-conflict.
const policyUsage = "what to do where other content has a name already: `WHAT` is overwrite, error or skip"

// deletion shows a layout.Deletion to people.
type deletion struct{ layout.Deletion }

// Tables has a line for each name, and for what went besides.
func (d deletion) Tables() []render.Table {
	rows := [][]string{{d.Digest.String() + ": deleted"}}
	for _, name := range d.Names {
		rows = append(rows, []string{name + ": " + d.Digest.String() + " -> gone"})
	}
	if n := len(d.Referrers); n > 0 {
		rows = append(rows, []string{strconv.Itoa(n) + " referrers deleted"})
	}
	return []render.Table{{Rows: rows}}
}
