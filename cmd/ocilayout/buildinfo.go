package main

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
)

// buildInfo says what a binary was made of.
type buildInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from a tree with changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// buildOf reads info, which is nil in a binary built without modules.
func buildOf(info *debug.BuildInfo) buildInfo {
	b := buildInfo{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		return b
	}
	b.Version = cmp.Or(info.Main.Version, b.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// Tables shows b to people.
func (b buildInfo) Tables() []render.Table {
	rows := [][]string{{"ocilayout", b.Version}}
	if b.Commit != "" {
		commit := b.Commit
		if b.Modified {
			commit += " (modified)"
		}
		rows = append(rows, []string{"commit", commit})
	}
	return []render.Table{{Rows: append(rows, []string{"go", b.Go}, []string{"platform", b.Platform})}}
}
