package content_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
)

func TestParsePlatform(t *testing.T) {
	for in, want := range map[string]string{
		"linux/arm":                 "linux/arm/v7",
		"linux/arm/6":               "linux/arm/v6",
		"linux/armhf":               "linux/arm/v7",
		"linux/arm64/v8":            "linux/arm64",
		"linux/aarch64":             "linux/arm64",
		"linux/amd64/v1":            "linux/amd64",
		"Linux/x86_64":              "linux/amd64",
		"linux/amd64/v3":            "linux/amd64/v3",
		"macos/arm64":               "darwin/arm64",
		"arm64":                     "linux/arm64",
		"windows(10.0.20348)/amd64": "windows(10.0.20348)/amd64",
		"windows(10.0+b+a)/amd64":   "windows(10.0+a+b)/amd64",
		"linux(+sgx)/amd64":         "linux(+sgx)/amd64",
		"linux/riscv64":             "linux/riscv64",
	} {
		p, err := content.ParsePlatform(in)
		if err != nil || content.FormatPlatform(p) != want {
			t.Errorf("%q is %q, %v; want %q", in, content.FormatPlatform(p), err, want)
		}
		if again, err := content.ParsePlatform(want); err != nil || content.FormatPlatform(again) != want {
			t.Errorf("%q written and read is %q, %v", want, content.FormatPlatform(again), err)
		}
	}
	for _, in := range []string{"", "/", "linux/", "/amd64", "linux/amd64/v1/x", "linux amd64", "nosuch", "linux(10/amd64", "windows(10.0)(11.0)/amd64"} {
		if p, err := content.ParsePlatform(in); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("%q is %+v, %v", in, p, err)
		}
	}
}

func TestMatchPlatform(t *testing.T) {
	for _, c := range []struct {
		want, have string
		match      bool
	}{
		{"linux/arm64", "linux/arm64/v8", true},
		{"linux/arm", "linux/arm/v6", false},
		{"windows/amd64", "windows(10.0.20348)/amd64", true},
		{"windows(10.0.17763)/amd64", "windows(10.0.20348)/amd64", false},
		{"linux(+sgx)/amd64", "linux/amd64", false},
		{"linux/amd64", "linux(+sgx)/amd64", true},
	} {
		want, err := content.ParsePlatform(c.want)
		if err != nil {
			t.Fatal(err)
		}
		have, err := content.ParsePlatform(c.have)
		if err != nil {
			t.Fatal(err)
		}
		if got := content.MatchPlatform(want, have); got != c.match {
			t.Errorf("%s for %s: %v", c.have, c.want, got)
		}
	}
}

func FuzzParsePlatform(f *testing.F) {
	for _, s := range []string{"linux/arm/v7", "windows(10.0+a)/amd64", "arm64", "a/b/c/d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := content.ParsePlatform(s)
		if err != nil {
			return
		}
		again, err := content.ParsePlatform(content.FormatPlatform(p))
		if err != nil || content.FormatPlatform(again) != content.FormatPlatform(p) {
			t.Fatalf("%q is %+v, then %+v, %v", s, p, again, err)
		}
	})
}

func TestCheckDigest(t *testing.T) {
	hex := strings.Repeat("0123456789abcdef", 4)
	for in, verifiable := range map[string]bool{
		"sha256:" + hex: true, "sha512:" + hex + hex: true, "blake3:abc": false, "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564": false,
	} {
		d := content.Digest(in)
		if err := content.CheckDigest(d); err != nil || content.Verifiable(d) != verifiable {
			t.Errorf("%s: %v, verifiable %v", in, err, content.Verifiable(d))
		}
	}
	for _, in := range []string{"", "sha256", "sha256:", ":" + hex, "sha256:" + hex[1:], "sha256:" + strings.ToUpper(hex), "sha256:" + hex + "/..", "SHA256:" + hex, "a..b:c", "a-:c", "sha256:" + strings.Repeat("a", 600)} {
		if err := content.CheckDigest(content.Digest(in)); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("%q: %v", in, err)
		}
	}
}
