package ui

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
)

// A Level says how much a note matters. A UI shows notes up to its own level.
type Level int

const (
	Error Level = iota // no notes: errors are the command's, not notes
	Warn
	Info
	Debug
)

var levelNames = [...]string{Error: "error", Warn: "warning", Info: "info", Debug: "debug"}

// ParseLevel reads error, warn (or warning), info or debug.
func ParseLevel(name string) (Level, error) {
	if name == "warn" {
		return Warn, nil
	}
	for level, known := range levelNames {
		if name == known {
			return Level(level), nil
		}
	}
	return Error, content.Errorf(content.ErrInvalid, "--log-level %q: want error, warn, info or debug", name)
}

// Notef writes a note on a line of its own, if the UI's level lets it through.
func (u *UI) Notef(level Level, format string, args ...any) {
	if level > u.opts.Level {
		return
	}
	text := fmt.Sprintf(format, args...)
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.opts.JSON {
		u.writeLine("ocilayout: " + levelNames[level] + ": " + text)
		return
	}
	u.writeLine(jsonNote(level, text))
}

func jsonNote(level Level, text string) string {
	var b bytes.Buffer
	note := struct {
		Level   string `json:"level"`
		Message string `json:"message"`
	}{levelNames[level], text}
	if err := render.JSON(&b, note); err != nil {
		return text // a bytes.Buffer and two strings can't fail
	}
	return strings.TrimSuffix(b.String(), "\n")
}
