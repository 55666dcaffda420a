package sync

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"text/template"
	"time"
)

// An Environment is what templates see of the world.
type Environment struct {
	Getenv   func(string) string
	ReadFile func(string) ([]byte, error)
}

// System is the environment of this process.
func System() Environment { return Environment{os.Getenv, os.ReadFile} }

// expand runs a template as regsync does: a variable that is not set, or a file that
// can't be read, is empty.
func (env Environment) expand(text string, data any) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	t, err := template.New("value").Funcs(env.functions()).Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = t.Execute(&out, data)
	return out.String(), err
}

func (env Environment) functions() template.FuncMap {
	return template.FuncMap{
		"default":     orDefault,
		"env":         env.Getenv,
		"file":        env.file,
		"join":        strings.Join,
		"json":        func(v any) (string, error) { return toJSON(v, "") },
		"jsonPretty":  func(v any) (string, error) { return toJSON(v, "  ") },
		"printPretty": func(v any) (string, error) { return toJSON(v, "  ") },
		"lower":       strings.ToLower,
		"upper":       strings.ToUpper,
		"split":       strings.Split,
		"time":        func() clock { return clock{} },
		"trimSpace":   strings.TrimSpace,
	}
}

// file is what a file holds, without the space around it.
func (env Environment) file(path string) string {
	data, err := env.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func orDefault(other, value any) any {
	if v := reflect.ValueOf(value); !v.IsValid() || v.IsZero() {
		return other
	}
	return value
}

func toJSON(v any, indent string) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	err := encoder.Encode(v)
	return out.String(), err
}

// A clock is what the function time gives.
type clock struct{}

// Now is the time.
func (clock) Now() time.Time { return time.Now() }

// Parse reads a time as package time does.
func (clock) Parse(layout, value string) (time.Time, error) { return time.Parse(layout, value) }
