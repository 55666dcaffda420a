package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/layout"
)

// description shows a layout.Description to people.
type description struct {
	layout.Description
}

// Tables has the facts, then what is in it, then where it came from.
func (d description) Tables() []render.Table {
	tables := []render.Table{{Rows: d.facts()}}
	add := func(title string, header []string, rows [][]string) {
		if len(rows) > 0 {
			tables = append(tables, render.Table{Title: title, Header: header, Rows: rows})
		}
	}
	add("Manifests", []string{"DIGEST", "SIZE", "PLATFORM", "TYPE"}, d.children())
	add("Layers", []string{"LAYER", "DIGEST", "SIZE", "MEDIA TYPE", "CREATED BY"}, d.layerRows())
	add("History", []string{"CREATED", "LAYER", "STEP"}, d.historyRows())
	add("Labels", nil, pairs(d.ImageConfig().Config.Labels))
	add("Annotations", nil, pairs(d.Annotations))
	var referrers [][]string
	for _, r := range d.Referrers {
		referrers = append(referrers, []string{r.Digest.String(), render.Size(r.Size), r.ArtifactType})
	}
	add("Referrers", []string{"DIGEST", "SIZE", "TYPE"}, referrers)
	return tables
}

func (d description) facts() [][]string {
	image := d.ImageConfig()
	c := image.Config
	var rows [][]string
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	add("Name", d.Name)
	add("Digest", d.Digest.String())
	add("Media type", d.MediaType)
	add("Artifact type", d.ArtifactType)
	add("Size", render.Size(d.TotalSize))
	add("Created", d.Created())
	add("Platform", platformText(d.Platform))
	add("Platforms", strings.Join(d.Platforms, " "))
	if d.Subject != nil {
		add("Subject", d.Subject.Digest.String())
	}
	if d.Config != nil {
		add("Config", d.Config.Digest.String())
	}
	add("Author", image.Author)
	add("User", c.User)
	add("Entrypoint", words(c.Entrypoint))
	add("Cmd", words(c.Cmd))
	add("Workdir", c.WorkingDir)
	add("Ports", strings.Join(slices.Sorted(maps.Keys(c.ExposedPorts)), " "))
	add("Volumes", strings.Join(slices.Sorted(maps.Keys(c.Volumes)), " "))
	add("Stop signal", c.StopSignal)
	for _, variable := range c.Env {
		add("Env", variable)
	}
	return rows
}

// words writes an argument list as JSON, which shows where each word ends.
func words(list []string) string {
	if len(list) == 0 {
		return ""
	}
	text, err := json.Marshal(list)
	if err != nil {
		return strings.Join(list, " ") // strings always encode
	}
	return string(text)
}

func (d description) children() [][]string {
	var rows [][]string
	for _, m := range d.Manifests {
		size, kind := render.Size(m.TotalSize), m.ArtifactType
		switch {
		case m.Absent:
			size = "absent"
		case kind == "":
			kind = m.MediaType
		}
		platform := platformText(m.Platform)
		if len(m.Platforms) > 0 {
			platform = strings.Join(m.Platforms, " ")
		}
		rows = append(rows, []string{m.Digest.String(), size, platform, kind})
	}
	return rows
}

func (d description) layerRows() [][]string {
	var rows [][]string
	for i, l := range d.Layers {
		rows = append(rows, []string{strconv.Itoa(i + 1), l.Digest.String(), render.Size(l.Size), l.MediaType, shorten(l.CreatedBy)})
	}
	return rows
}

func (d description) historyRows() [][]string {
	var rows [][]string
	layer := 0
	for _, h := range d.History() {
		created, number := "", ""
		if h.Created != nil {
			created = h.Created.UTC().Format("2006-01-02 15:04:05")
		}
		if !h.EmptyLayer {
			layer++
			number = strconv.Itoa(layer)
		}
		step := h.CreatedBy
		if step == "" {
			step = h.Comment
		}
		rows = append(rows, []string{created, number, shorten(step)})
	}
	return rows
}

// shorten cuts a step of a history to what fits a line; JSON has it all.
func shorten(step string) string {
	const most = 100
	step = strings.Join(strings.Fields(step), " ")
	if runes := []rune(step); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return step
}

func pairs(m map[string]string) [][]string {
	var rows [][]string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		rows = append(rows, []string{key, m[key]})
	}
	return rows
}
