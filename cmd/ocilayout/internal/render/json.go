package render

import (
	"bufio"
	"encoding/json"
	"io"
)

// jsonText writes to w what an encoder writes to it, escaped. An encoder hands
// over one whole value in each Write, so no rune is ever split.
type jsonText struct {
	w io.Writer
}

func (t jsonText) Write(p []byte) (int, error) {
	if _, err := t.w.Write(escapeJSON(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func jsonEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(jsonText{w})
	enc.SetEscapeHTML(false)
	return enc
}

// JSON writes v as one line of JSON.
func JSON(w io.Writer, v any) error {
	return jsonEncoder(w).Encode(v)
}

func writeJSON(w io.Writer, v any) error {
	enc := jsonEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// writeArray streams the items of s as a JSON array, each on a line of its own.
// If s fails midway the array is left open, so that no parser takes it for whole.
func writeArray(w io.Writer, s itemized) error {
	out := bufio.NewWriterSize(w, 64<<10)
	items := &lineTrimmer{w: out}
	enc := jsonEncoder(items)
	before := "[\n"
	err := s.items(func(item any) error {
		out.WriteString(before)
		before = ",\n"
		return enc.Encode(item)
	})
	if err == nil {
		end := "\n]\n"
		if before == "[\n" {
			end = "[]\n"
		}
		out.WriteString(end)
	}
	if flushErr := out.Flush(); flushErr != nil {
		return flushErr
	}
	return err
}

// lineTrimmer drops the line end that an encoder puts after each value, so that
// the comma can follow it.
type lineTrimmer struct {
	w io.Writer
}

func (t *lineTrimmer) Write(p []byte) (int, error) {
	n := len(p)
	if n > 0 && p[n-1] == '\n' {
		p = p[:n-1]
	}
	if _, err := t.w.Write(p); err != nil {
		return 0, err
	}
	return n, nil
}
