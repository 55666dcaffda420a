package main

import (
	"errors"
	"testing"

	"github.com/ocilayout/ocilayout/content"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "12B": 12, "500MB": 500e6, "2GiB": 2 << 30, "3kB": 3000, "9TB": 9e12, "9223372036854775807": 1<<63 - 1} {
		if got, err := parseSize("x", text); err != nil || got != want {
			t.Errorf("%s: got %d, want %d, %v", text, got, want, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "+1", "1.5GB", "GB", "1 GB", "1g", "9223372036854775808", "9223373TB", "1kBB"} {
		if got, err := parseSize("x", text); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
}
