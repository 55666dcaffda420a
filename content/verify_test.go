package content_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
)

func TestVerify(t *testing.T) {
	const text = "hello"
	for _, c := range []struct {
		name, data string
		want       content.Descriptor
		err        error
	}{
		{"right", text, content.Descriptor{Digest: digest.FromString(text), Size: 5}, nil},
		{"right by sha512", text, content.Descriptor{Digest: digest.SHA512.FromString(text), Size: 5}, nil},
		{"empty", "", content.Descriptor{Digest: digest.FromString("")}, nil},
		{"short", "hell", content.Descriptor{Digest: digest.FromString(text), Size: 5}, content.ErrSize},
		{"one byte more", "hello!", content.Descriptor{Digest: digest.FromString(text), Size: 5}, content.ErrSize},
		{"other bytes", "jello", content.Descriptor{Digest: digest.FromString(text), Size: 5}, content.ErrDigest},
		{"negative size", text, content.Descriptor{Digest: digest.FromString(text), Size: -1}, content.ErrSize},
		{"unknown algorithm", text, content.Descriptor{Digest: "blake3:abcd", Size: 5}, content.ErrUnsupported},
		{"no digest", text, content.Descriptor{Digest: "sha256:../../x", Size: 5}, content.ErrInvalid},
	} {
		for form, r := range map[string]io.Reader{
			"whole": strings.NewReader(c.data), "byte by byte": iotest.OneByteReader(strings.NewReader(c.data)),
			"with the error": iotest.DataErrReader(strings.NewReader(c.data)),
		} {
			data, err := io.ReadAll(content.Verify(io.NopCloser(r), c.want))
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("%s, %s: %v, want %v", c.name, form, err, c.err)
			}
			if int64(len(data)) > max(c.want.Size, 0) {
				t.Errorf("%s, %s: %d bytes were handed out of %d", c.name, form, len(data), c.want.Size)
			}
		}
	}
}

// TestProves: only a whole proof, of the same content, stands for another.
func TestProves(t *testing.T) {
	want := content.Descriptor{Digest: digest.FromString("hello"), Size: 5}
	read := func(n int) io.ReadCloser {
		rc := content.Verify(io.NopCloser(strings.NewReader("hello")), want)
		if _, err := io.CopyN(io.Discard, rc, int64(n)); err != nil {
			t.Fatal(err)
		}
		return rc
	}
	for name, c := range map[string]struct {
		rc    io.ReadCloser
		of    content.Descriptor
		proof bool
	}{
		"the same":      {read(0), content.Descriptor{MediaType: "a/type", Digest: want.Digest, Size: 5}, true},
		"another size":  {read(0), content.Descriptor{Digest: want.Digest, Size: 4}, false},
		"other content": {read(0), content.Descriptor{Digest: digest.FromString("jello"), Size: 5}, false},
		"read in part":  {read(1), want, false},
		"no proof":      {io.NopCloser(strings.NewReader("hello")), want, false},
	} {
		if got := content.Proves(c.rc, c.of); got != c.proof {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestVerifyPassesErrorsOn(t *testing.T) {
	broken := errors.New("broken pipe")
	r := io.MultiReader(strings.NewReader("hel"), iotest.ErrReader(broken))
	_, err := io.ReadAll(content.Verify(io.NopCloser(r), content.Descriptor{Digest: digest.FromString("hello"), Size: 5}))
	if !errors.Is(err, broken) || errors.Is(err, content.ErrCorrupt) {
		t.Errorf("a failing source: %v", err)
	}
}
