package tarx_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

func TestCleanName(t *testing.T) {
	for in, want := range map[string]string{
		"a":                        "a",
		"./a/b":                    "a/b",
		"././a//b/./c/":            "a/b/c",
		"a/":                       "a",
		".":                        ".",
		"./":                       ".",
		"..a/b..":                  "..a/b..",
		"a/...":                    "a/...",
		`lib/a-\x2db.slice`:        `lib/a-\x2db.slice`,
		"a:b/c":                    "", // a drive letter
		"ab:c":                     "ab:c",
		"dir/c:d":                  "dir/c:d",
		"":                         "",
		"/":                        "",
		"/etc/passwd":              "",
		"..":                       "",
		"../a":                     "",
		"a/../b":                   "",
		"a/..":                     "",
		"./../a":                   "",
		`..\a`:                     "",
		`a\..\..\b`:                "",
		`a/..\b`:                   "",
		`\\server\share`:           "",
		`\a`:                       "",
		`C:\Windows`:               "",
		"c:/windows":               "",
		"./C:/windows":             "",
		"C:":                       "",
		"a\x00b":                   "",
		"\x00":                     "",
		"\xff\xfe":                 "\xff\xfe",
		strings.Repeat("d/", 2000): strings.Repeat("d/", 1999) + "d",
	} {
		got, err := tarx.CleanName(in)
		if want == "" {
			if !errors.Is(err, content.ErrRefused) {
				t.Errorf("CleanName(%q) = %q, %v; want a refusal", in, got, err)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("CleanName(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestCleanNameErrorShowsNothingRaw(t *testing.T) {
	_, err := tarx.CleanName("/\x1b[2J" + strings.Repeat("x", 5000))
	if err == nil || strings.Contains(err.Error(), "\x1b") || len(err.Error()) > 400 {
		t.Errorf("error is not fit for a terminal: %.500q", err)
	}
}

func TestCleanLink(t *testing.T) {
	for _, c := range []struct{ name, target, want string }{
		{"a/layer.tar", "../b/layer.tar", "b/layer.tar"},
		{"a", "b", "b"},
		{"a/b/c", "./../d/", "a/d"},
		{"a/b", "..", "."},
		{"a", "..", ""},
		{"a/b", "../../c", ""},
		{"a", "/etc/passwd", ""},
		{"a", "", ""},
		{"a", `..\b`, ""},
		{"a", `C:\b`, ""},
		{"a", "b\x00", ""},
		{"a/b/c", "d/../../../../e", ""},
	} {
		got, err := tarx.CleanLink(c.name, c.target)
		if c.want == "" {
			if !errors.Is(err, content.ErrRefused) {
				t.Errorf("CleanLink(%q, %q) = %q, %v; want a refusal", c.name, c.target, got, err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("CleanLink(%q, %q) = %q, %v; want %q", c.name, c.target, got, err, c.want)
		}
	}
}

func TestWhiteout(t *testing.T) {
	for _, c := range []struct {
		name       string
		target     string
		opaque, ok bool
		meta       bool
	}{
		{name: "a/b"},
		{name: "a/.wh.b", target: "a/b", ok: true},
		{name: ".wh.b", target: "b", ok: true},
		{name: ".wh..b", target: ".b", ok: true},
		{name: "a/.wh..wh..opq", target: "a", opaque: true, ok: true},
		{name: ".wh..wh..opq", target: ".", opaque: true, ok: true},
		{name: ".wh..wh.plnk", meta: true},
		{name: ".wh..wh.plnk/12.34", meta: true},
		{name: ".wh..wh.orph/.wh.x", meta: true},
		{name: "a/.wh.", meta: true},
		{name: "a/.wh..", meta: true},
		{name: "a/.wh...", meta: true},
		{name: "a/.wh....", target: "a/...", ok: true},
		{name: "a/x.wh.b"},
	} {
		target, opaque, ok := tarx.Whiteout(c.name)
		if target != c.target || opaque != c.opaque || ok != c.ok {
			t.Errorf("Whiteout(%q) = %q, %t, %t", c.name, target, opaque, ok)
		}
		if meta := tarx.WhiteoutMeta(c.name); meta != c.meta {
			t.Errorf("WhiteoutMeta(%q) = %t", c.name, meta)
		}
	}
}

func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"a/b", "./", "../x", `a\..\b`, "C:x", "a//b/", ".wh..wh..opq"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean, err := tarx.CleanName(name)
		if err != nil {
			if !errors.Is(err, content.ErrRefused) {
				t.Fatalf("CleanName(%q): %v", name, err)
			}
			return
		}
		if again, err := tarx.CleanName(clean); err != nil || again != clean {
			t.Fatalf("CleanName(%q) = %q, which cleans to %q, %v", name, clean, again, err)
		}
		if utf8 := strings.ToValidUTF8(clean, "?"); !fs.ValidPath(utf8) {
			t.Fatalf("CleanName(%q) = %q is no valid path", name, clean)
		}
		if target, _, ok := tarx.Whiteout(clean); ok {
			if _, err := tarx.CleanName(target); err != nil {
				t.Fatalf("Whiteout(%q) leads outside, at %q", clean, target)
			}
		}
	})
}

func TestMemberName(t *testing.T) {
	for name, want := range map[string]string{
		"a/b": "a/b", "./a/b/": "a/b", "/a": "a", "//a": "a", "a//b": "a/b", "a//": "a", "a///": "a", ".//a": "a", "a/../b": "b", "a/.": "a",
		"./": "", ".": "", "/": "", ".//": "", "a/..": "", ".a": ".a", "a/.b": "a/.b", "..a": "..a", "a.": "a.",
	} {
		if got, err := tarx.MemberName(name); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"..", "../a", "/../a", "a/../..", "./../a", "a/../../b/"} {
		if got, err := tarx.MemberName(name); !errors.Is(err, content.ErrRefused) {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	if _, err := tarx.MemberName(""); !errors.Is(err, content.ErrCorrupt) {
		t.Errorf("no name: %v", err)
	}
}
