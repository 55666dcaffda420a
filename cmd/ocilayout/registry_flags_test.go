package main

import (
	"errors"
	"flag"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
)

// TestSides: the flags of either side set what they say, and that side alone.
func TestSides(t *testing.T) {
	src, dst := registryFlags{side: sourceSide}, registryFlags{side: destinationSide}
	set := flag.NewFlagSet("copy", flag.ContinueOnError)
	for _, f := range append(src.flags(), dst.flags()...) {
		if err := f.Apply(set); err != nil {
			t.Fatal(err)
		}
	}
	err := set.Parse([]string{"--src-username", "me", "--src-password-stdin", "--src-resolve", "A.example:5000:[::1]",
		"--src-resolve", "b.example:443:127.0.0.2", "--dst-authfile", "auth.json", "--dst-plain-http"})
	if err != nil {
		t.Fatal(err)
	}
	e := &env{stdin: strings.NewReader("secret\n")}
	from, err := src.options(e)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := src.options(e); err != nil || again.Password != "secret" {
		t.Errorf("asked again: %q, %v", again.Password, err)
	}
	to, err := dst.options(e)
	if err != nil {
		t.Fatal(err)
	}
	if from.Username != "me" || from.Password != "secret" || from.AuthFile != "" || from.PlainHTTP ||
		len(from.Resolve) != 2 || from.Resolve["a.example:5000"].String() != "::1" {
		t.Errorf("source: %+v", from)
	}
	if to.Username != "" || to.Password != "" || to.AuthFile != "auth.json" || !to.PlainHTTP || len(to.Resolve) != 0 {
		t.Errorf("destination: %+v", to)
	}
	dst.o.Username, dst.password = "you", true
	if _, err := dst.options(e); !errors.Is(err, content.ErrInvalid) || !strings.Contains(err.Error(), "one password") {
		t.Errorf("a second password: %v", err)
	}
	dst.password = false
	if _, err := dst.options(e); !errors.Is(err, content.ErrInvalid) || !strings.Contains(err.Error(), "--dst-password-stdin") {
		t.Errorf("a user without a password: %v", err)
	}
}
