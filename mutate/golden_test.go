package mutate_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// goldens are edits of the hello image whose result is the same on every machine, with
// every number of cores.
var goldens = [][]string{
	{"time", "set=0"},
	{"config-time", "max=2020-01-01"},
	{"layer-time", "set=2020-01-01T00:00:00.5Z"},
	{"layer-compress", "zstd"},
	{"layer-compress", "gzip:9"},
	{"layer-compress", "none"},
	{"normalize", "", "layer-compress", "gzip:1"},
	{"whiteout", "etc/motd", "opaque", "/etc"},
	{"strip-file", "**/motd"},
	{"layer-rm", "1"},
}

// TestGolden compares the digests of results with testdata/golden.txt, which
// OCILAYOUT_UPDATE=1 writes anew. They change only with a release that says so.
func TestGolden(t *testing.T) {
	var b strings.Builder
	for _, flags := range goldens {
		var text []string
		dst, r := edited(t, build.Hello(), flaggedAll(t, flags, &text)...)
		fmt.Fprintf(&b, "%s  %s\n", r.New, strings.Join(text, " "))
		if strings.HasPrefix(flags[0], "layer-rm") || flags[0] == "whiteout" {
			continue // what they ask for is there once more, or not at all
		}
		if again := twice(t, dst, r, flaggedAll(t, flags, &text)...); again.New != r.New {
			t.Errorf("%v: done once more the result is %s", flags, again.New)
		}
	}
	path := filepath.Join("testdata", "golden.txt")
	if os.Getenv("OCILAYOUT_UPDATE") != "" {
		if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// twice applies edits to the result of an earlier Apply.
func twice(t *testing.T, l *layout.Layout, r mutate.Saved, edits ...mutate.Edit) *mutate.Report {
	t.Helper()
	b := l.Batch()
	defer func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}()
	again, err := mutate.Apply(t.Context(), b, r.Entry, edits, mutate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return again
}
