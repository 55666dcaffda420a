package main

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/toolref"
)

// toolWords are the words for one program; Args is empty if there are none.
type toolWords struct {
	Tool   string   `json:"tool"`
	Args   []string `json:"args"`
	Reason string   `json:"reason,omitempty"` // why there are none
}

func wordsOf(ctx context.Context, r *layout.Reader, ref layout.Reference, program string) (any, error) {
	args, err := toolref.Words(ctx, r, ref, program)
	if err != nil {
		return nil, err
	}
	return toolWords{Tool: program, Args: args}, nil
}

// Tables is the words, as a shell reads them.
func (w toolWords) Tables() []render.Table {
	return []render.Table{{Rows: [][]string{{toolref.Quote(w.Args)}}}}
}

// allWords are the words for every program.
type allWords []toolWords

func wordsOfAll(ctx context.Context, r *layout.Reader, ref layout.Reference) (any, error) {
	var all allWords
	for _, program := range toolref.Tools() {
		args, err := toolref.Words(ctx, r, ref, program)
		w := toolWords{Tool: program, Args: args}
		var none *toolref.NoWordsError
		if errors.As(err, &none) {
			w.Args, w.Reason = []string{}, none.Reason
		} else if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// Tables has a line for each program.
func (all allWords) Tables() []render.Table {
	t := render.Table{Header: []string{"TOOL", "WORDS"}}
	for _, w := range all {
		words := toolref.Quote(w.Args)
		if w.Reason != "" {
			words = "none: " + w.Reason
		}
		t.Rows = append(t.Rows, []string{w.Tool, words})
	}
	return []render.Table{t}
}
