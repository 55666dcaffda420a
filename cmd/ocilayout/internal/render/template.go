package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/template"

	"github.com/ocilayout/ocilayout/content"
)

// functions are those that a template can call beside the built-in ones.
var functions = template.FuncMap{
	"json":      templateJSON,
	"join":      templateJoin,
	"split":     func(sep, s string) []string { return strings.Split(s, sep) },
	"upper":     strings.ToUpper,
	"lower":     strings.ToLower,
	"replace":   func(old, with, s string) string { return strings.ReplaceAll(s, old, with) },
	"contains":  func(part, s string) bool { return strings.Contains(s, part) },
	"hasPrefix": func(prefix, s string) bool { return strings.HasPrefix(s, prefix) },
	"hasSuffix": func(suffix, s string) bool { return strings.HasSuffix(s, suffix) },
	"default":   templateDefault,
	"size":      templateSize,
	"short":     func(digest string) string { return content.Short(content.Digest(digest)) },
}

func parseTemplate(text string) (*template.Template, error) {
	t, err := template.New("format").Funcs(functions).Parse(text)
	if err != nil {
		return nil, content.Errorf(content.ErrInvalid, "--format: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	return t, nil
}

// executeTemplate runs t over v as JSON shows it, and ends the line.
func executeTemplate(w io.Writer, t *template.Template, v any, terminal bool) error {
	data, err := jsonShape(v)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return content.Errorf(content.ErrInvalid, "--format: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	if !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
		b.WriteByte('\n')
	}
	if !terminal {
		_, err = w.Write(b.Bytes())
		return err
	}
	_, err = io.WriteString(w, escape(b.String(), "\n\t"))
	return err
}

// jsonShape returns v as maps, slices, strings and json.Numbers.
func jsonShape(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var shape any
	err = dec.Decode(&shape)
	return shape, err
}

func templateJSON(v any) (string, error) {
	var b bytes.Buffer
	err := JSON(&b, v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// templateJoin joins the items of a list.
func templateJoin(sep string, v any) (string, error) {
	switch list := v.(type) {
	case nil:
		return "", nil
	case []string:
		return strings.Join(list, sep), nil
	case []any:
		words := make([]string, len(list))
		for i, item := range list {
			words[i] = fmt.Sprint(item)
		}
		return strings.Join(words, sep), nil
	default:
		return "", fmt.Errorf("join: %T is no list", v)
	}
}

// templateDefault returns v, or other if v is absent or an empty string.
func templateDefault(other, v any) any {
	if v == nil || v == "" {
		return other
	}
	return v
}

func templateSize(v any) (string, error) {
	number, ok := v.(json.Number)
	if !ok {
		return "", fmt.Errorf("size: %v is no number", v)
	}
	n, err := number.Int64()
	if err != nil {
		return "", fmt.Errorf("size: %s is no whole number", number)
	}
	return Size(n), nil
}
