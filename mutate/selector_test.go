package mutate_test

import (
	"errors"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/mutate"
)

func TestParseSelector(t *testing.T) {
	for _, c := range []struct{ in, selector, rest string }{
		{"k=v", "", "k=v"},
		{"", "", ""},
		{"[linux/arm64]k=v", "[linux/arm64]", "k=v"},
		{"[arm64]k=[v]", "[linux/arm64]", "k=[v]"},
		{"[windows(10.0.1)/amd64]", "[windows(10.0.1)/amd64]", ""},
		{"[*]k", "[*]", "k"},
		{`["a","b"]`, "", `["a","b"]`},
		{"[]", "", "[]"},
		{"[1, 2]", "", "[1, 2]"},
		{"[a-z]*.txt", "", "[a-z]*.txt"},
		{"[open", "", "[open"},
	} {
		s, rest, err := mutate.ParseSelector(c.in)
		if err != nil || s.String() != c.selector || rest != c.rest {
			t.Errorf("%q: %q and %q, %v", c.in, s, rest, err)
		}
	}
	if _, _, err := mutate.ParseSelector("[linux/a/b/c]k"); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("what is no platform: %v", err)
	}
}

// TestNoSuchPlatform edits an image that is not there.
func TestNoSuchPlatform(t *testing.T) {
	if _, r := edited(t, build.Hello(), flagged(t, "time", "[linux/s390x]set=1")); r.Changed || len(r.Warnings) != 1 {
		t.Errorf("%+v", r.Report)
	}
	if _, r := edited(t, build.Hello(), flagged(t, "time", "[amd64]set=1")); !r.Changed || len(r.Warnings) != 0 {
		t.Errorf("%+v", r.Report)
	}
}

func TestParseForm(t *testing.T) {
	for _, s := range []string{"gzip", "gzip:9", "zstd", "zstd:22", "none"} {
		if f, err := mutate.ParseForm(s); err != nil || f.String() != s {
			t.Errorf("%s: %v %v", s, f, err)
		}
	}
	for _, s := range []string{"", "xz", "gzip:0", "gzip:10", "zstd:23", "none:1", "gzip:x", "gzip:"} {
		if _, err := mutate.ParseForm(s); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("%q: %v", s, err)
		}
	}
}
