package vector_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

var sample = vector.Vector{
	Name: "sample", Kind: "reference", Expect: "ok", Problem: []string{"sparse", "unbound"}, Import: "refused",
	Spec: "image-layout.md#index-json-file", Comment: "all the keys: there are", Body: []byte("a: b\n\nc"),
	Values: map[string]string{"layout": "dir", "name": "", "digest": "with \"quotes\"\n"},
}

// referred is a vector with what refers to what.
var referred = vector.Vector{
	Name: "referred", Kind: "layout", Expect: "ok", Subject: "sha256:ab", Referrers: []string{"cosign text/spdx", "subject a/b"},
	Comment: "two referrers", Body: []byte("tar"), Values: map[string]string{},
}

func TestRoundTrip(t *testing.T) {
	for _, want := range []vector.Vector{sample, referred} {
		got, err := vector.Parse(want.Name, want.Bytes())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	good := string(sample.Bytes())
	for name, file := range map[string]string{
		"misspelt key":    strings.Replace(good, "comment:", "coment:", 1),
		"no key":          "text\n" + good,
		"unknown kind":    strings.Replace(good, "kind: reference", "kind: ref", 1),
		"unknown outcome": strings.Replace(good, "expect: ok", "expect: fine", 1),
		"ok with exit 4":  strings.Replace(good, "exit: 0", "exit: 4", 1),
		"referrers":       strings.Replace(good, "import: refused", "referrers: subject a/b", 1),
		"no comment":      strings.Replace(good, "comment: all the keys: there are\n", "", 1),
		"no body":         "kind: layout\nexpect: ok\nexit: 0\ncomment: x\n\n",
		"truncated body":  good[:len(good)-4],
		"no empty line":   "kind: layout\nexpect: ok",
	} {
		if v, err := vector.Parse(name, []byte(file)); err == nil {
			t.Errorf("%s: taken as %+v", name, v)
		}
	}
}

// TestLoadTooFew: a corpus that went away does not pass.
func TestLoadTooFew(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sample"), sample.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if all, err := vector.Load(dir, 1); err != nil || len(all) != 1 {
		t.Errorf("%d vectors, %v, want 1", len(all), err)
	}
	if _, err := vector.Load(dir, 2); err == nil {
		t.Error("one vector passed for two")
	}
}
