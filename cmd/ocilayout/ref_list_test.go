package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
)

func TestRefList(t *testing.T) {
	got, err := parseRefList("refs", strings.NewReader("\ufeff# all of them\n\n\thost/a:v1 \r\nhost/b#x:v2  b # the other\nlast"))
	want := []listedRef{{"host/a:v1", "", "refs:3"}, {"host/b#x:v2", "b", "refs:4"}, {"last", "", "refs:5"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, want %v, %v", got, want, err)
	}
	for name, test := range map[string]struct {
		text  string
		want  error
		where string
	}{
		"nothing":         {"", content.ErrNotFound, "refs: "},
		"comments alone":  {"# a\n  # b\n", content.ErrNotFound, "refs: "},
		"three words":     {"a\nb c d\n", content.ErrInvalid, "refs:2: "},
		"a line too long": {"a\n" + strings.Repeat("x", maxRefLine+1), content.ErrRefused, "refs:2: "},
		"too many":        {strings.Repeat("a\n", maxRefList+1), content.ErrRefused, fmt.Sprint("refs:", maxRefList+1, ": ")},
	} {
		if _, err := parseRefList("refs", strings.NewReader(test.text)); !errors.Is(err, test.want) || !strings.HasPrefix(err.Error(), test.where) {
			t.Errorf("%s: got %v, want %v at %s", name, err, test.want, test.where)
		}
	}
}
