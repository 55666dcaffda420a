package render

import (
	"io"
	"slices"
	"strings"
	"text/template"

	"github.com/ocilayout/ocilayout/content"
)

// A Format is a parsed --format. Its zero value is the table.
type Format struct {
	name     string // "" and "table", "json", "template", or a Former's own
	template *template.Template
	terminal bool
}

// Parse reads "table", "json", a Go template (known by its braces), or one of
// the names in own. With terminal set, what a template writes is escaped for one.
func Parse(text string, terminal bool, own ...string) (Format, error) {
	switch {
	case text == "table" || text == "json" || slices.Contains(own, text):
		return Format{name: text}, nil
	case strings.Contains(text, "{{"):
		t, err := parseTemplate(text)
		return Format{name: "template", template: t, terminal: terminal}, err
	}
	choices := strings.Join(append([]string{"table", "json"}, own...), ", ")
	return Format{}, content.Errorf(content.ErrInvalid,
		"--format %q: want %s or a Go template such as '{{.digest}}'", text, choices)
}

// IsJSON says whether errors are to be JSON as well.
func (f Format) IsJSON() bool { return f.name == "json" }

// IsTable says whether the output is for people.
func (f Format) IsTable() bool { return f.name == "" || f.name == "table" }

// Write writes result, which the package comment describes, to w.
func (f Format) Write(w io.Writer, result any) error {
	if result == nil {
		return nil
	}
	if raw, ok := result.(Raw); ok {
		return writeRaw(w, raw)
	}
	switch f.name {
	case "", "table":
		return writeTable(w, result)
	case "json":
		if s, ok := itemize(result); ok {
			return writeArray(w, s)
		}
		return writeJSON(w, result)
	case "template":
		if s, ok := itemize(result); ok {
			return s.items(func(item any) error {
				return executeTemplate(w, f.template, item, f.terminal)
			})
		}
		return executeTemplate(w, f.template, result, f.terminal)
	}
	former, ok := result.(Former)
	if !ok {
		return content.Errorf(content.ErrUnsupported, "--format %s: this result has no such form", f.name)
	}
	return former.Form(w, f.name)
}

func writeRaw(w io.Writer, raw Raw) error {
	_, err := io.Copy(w, raw)
	if closeErr := raw.Close(); err == nil {
		err = closeErr
	}
	return err
}

func writeTable(w io.Writer, result any) error {
	switch r := result.(type) {
	case string:
		_, err := io.WriteString(w, Escape(r)+"\n")
		return err
	case stream:
		return writeRows(w, r)
	case Tabler:
		return writeTables(w, r.Tables())
	}
	return content.Errorf(content.ErrUnsupported, "--format table: a %T is no table", result)
}
