package verify_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/verify"
)

func TestParseExpectations(t *testing.T) {
	got, err := verify.ParseExpectations("file", strings.NewReader(
		"\n# comment\n  a/b\tmode=04755  owner=1:2 \n\"with \\\"space\" type=dir size=0\n!gone\n!\"!odd\"\n"))
	if err != nil || len(got) != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	if x := got[0]; x.Path != "a/b" || x.Line != 3 || *x.Mode != 0o4755 || *x.UID != 1 || *x.GID != 2 || x.Absent {
		t.Errorf("%+v", x)
	}
	if x := got[1]; x.Path != `with "space` || x.Type != "dir" || *x.Size != 0 || x.Mode != nil {
		t.Errorf("%+v", x)
	}
	if x := got[3]; x.Path != "!odd" || !x.Absent || x.Line != 6 {
		t.Errorf("%+v", x)
	}
	for _, line := range []string{
		"a mode", "a mode=", "a mode=8", "a mode=17777", "a mode=-1", "a owner=1", "a owner=root:root", "a owner=1:", "a type=pipe", "a size=-1", "a size=1k",
		"a sha256=abc", "a sha256=" + strings.Repeat("A", 64), "a md5=0", "a mode=1 mode=1", "!a mode=1", "!", `""`, `"a`, `"a"b`, `"\x"`, "a  =1", strings.Repeat("a", 1<<17),
	} {
		if got, err := verify.ParseExpectations("file", strings.NewReader("ok\n"+line)); err == nil {
			t.Errorf("%.40q: %+v", line, got)
		} else if !errors.Is(err, content.ErrInvalid) || !strings.HasPrefix(err.Error(), "file:2: ") {
			t.Errorf("%.40q: %v", line, err)
		}
	}
}

// expected checks the files of a layout and returns the messages.
func expected(t *testing.T, l *build.Layout, lines string, o verify.Options, roots ...content.Descriptor) []string {
	t.Helper()
	var err error
	if o.Expect, err = verify.ParseExpectations("x", strings.NewReader(lines)); err != nil {
		t.Fatal(err)
	}
	report, err := verify.Check(context.Background(), open(t, testkit.Layout(t, l, testkit.BrokenOK)), roots, o)
	if err != nil {
		t.Fatal(err)
	}
	var messages []string
	for _, p := range report.Problems {
		if p.ID == verify.ExpectFile {
			if p.Severity != verify.SeverityError || report.OK {
				t.Errorf("%+v is no error", p)
			}
			messages = append(messages, p.Message)
		}
	}
	return messages
}

// filesLayout is an image whose second layer changes the first.
func filesLayout() *build.Layout {
	l := build.NewLayout()
	l.Tag("v1", l.Image(build.Image{Layers: []build.Layer{
		{Files: []build.File{build.Text("a", "one"), build.Text("b", "b"), build.Text("empty", ""), build.Dir("d"), build.Text("d/f", "f"), build.Symlink("s", "d")}},
		{Files: []build.File{{Name: "a", Body: []byte("two"), Mode: 0o600, UID: 5, GID: 6}, build.Text(".wh.b", ""), build.Hardlink("h", "a")}},
	}}))
	return l
}

func TestExpect(t *testing.T) {
	sum := func(text string) string { return fmt.Sprintf(" sha256=%x\n", sha256.Sum256([]byte(text))) }
	for lines, want := range map[string]string{
		"a mode=600 owner=5:6 type=file size=3" + sum("two"): "",
		"h type=file size=3" + sum("two"):                    "",
		"empty size=0" + sum(""):                             "",
		"s/f size=1" + sum("f"):                              "", // through a link
		"s type=symlink\ns/ type=dir\n/d/":                   "",
		"!b\n!d/none":                                        "",
		"d/f mode=0644 owner=0:0":                            "",
		"a" + sum("one"):                                     "x:1: a in v1: digest is sha256:",
		"h" + sum("one"):                                     "x:1: h in v1: digest is sha256:",
		"empty" + sum("x"):                                   "x:1: empty in v1: digest is sha256:",
		"d" + sum(""):                                        "x:1: d in v1: is a dir, which has no bytes",
		"\n\na mode=0644":                                    "x:3: a in v1: mode is 0600, expected 0644",
		"a owner=5:5":                                        "x:1: a in v1: owner is 5:6, expected 5:5",
		"a type=dir":                                         "x:1: a in v1: type is file, expected dir",
		"a size=4":                                           "x:1: a in v1: size is 3, expected 4",
		"b":                                                  "x:1: b in v1: is not there",
		"!s":                                                 "x:1: s in v1: is there, a symlink",
		"a sha512=" + strings.Repeat("0", 128):               "x:1: a in v1: digest is sha512:",
	} {
		got := expected(t, filesLayout(), lines, verify.Options{})
		if want == "" && got != nil || want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], want)) {
			t.Errorf("%q: %q, want %q", lines, got, want)
		}
	}
}

// TestExpectOf: every image with a name, each once, or the one that was named; what has
// no files that could be looked at is told.
func TestExpectOf(t *testing.T) {
	l := filesLayout()
	other := l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})
	index := l.Index(l.Entries[0], other)
	l.Tag("v2", index)
	l.Add(l.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("x", "x")}}}})) // without a name
	l.Tag("chart", l.Artifact("text/plain", nil, []byte("chart")))
	if got := expected(t, l, "a", verify.Options{}); len(got) != 1 || !strings.HasPrefix(got[0], "x:1: a in v2 for linux/arm64: ") {
		t.Errorf("%q", got)
	}
	if got := expected(t, l, "a", verify.Options{}, l.Entries[0]); got != nil {
		t.Errorf("%q", got)
	}
	if got := expected(t, l, "a", verify.Options{}, l.Entries[3]); len(got) != 1 || !strings.Contains(got[0], "chart has no image here") {
		t.Errorf("%q", got)
	}
	if got := expected(t, build.NewLayout(), "a", verify.Options{}); len(got) != 1 {
		t.Errorf("%q of a layout without images", got)
	}
	delete(l.Blobs, other.Digest)
	m, err := content.ParseManifest("", l.Blobs[l.Entries[0].Digest])
	if err != nil {
		t.Fatal(err)
	}
	delete(l.Blobs, m.Layers[0].Digest)
	got := expected(t, l, "a", verify.Options{AllowMissing: true})
	if len(got) != 1 || !strings.Contains(got[0], "its files can't be looked at") || !strings.Contains(got[0], m.Layers[0].Digest.String()) {
		t.Errorf("%q of an image without a layer", got)
	}
}

// TestExpectQuick: the level says nothing about files that are expected.
func TestExpectQuick(t *testing.T) {
	got := expected(t, filesLayout(), "!a\nd", verify.Options{Level: verify.Quick})
	if !slices.Equal(got, []string{"x:1: a in v1: is there, a file"}) {
		t.Errorf("%q", got)
	}
}

// FuzzExpectations: whatever is written, it is read or refused with its line.
func FuzzExpectations(f *testing.F) {
	f.Add("a mode=0755 owner=0:0 type=file size=1\n!b\n\"c d\" sha256=00")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := verify.ParseExpectations("file", strings.NewReader(text))
		if err != nil && !strings.HasPrefix(err.Error(), "file:") {
			t.Errorf("%v", err)
		}
		for _, x := range list {
			if x.Path == "" || x.Line < 1 || x.Absent && (x.Mode != nil || x.Digest != "") {
				t.Errorf("%+v", x)
			}
		}
	})
}
