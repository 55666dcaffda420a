package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/content"
)

func TestOutcomes(t *testing.T) {
	const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, c := range []struct {
		name                     string
		err                      error
		code                     int
		kind, wantDigest, wantAt string
	}{
		{"done", nil, 0, "", "", ""},
		{"plain", errors.New("odd"), 1, "failed", "", ""},
		{"usage", &usageError{"odd", "ls"}, 2, "usage", "", ""},
		{"invalid", content.Errorf(content.ErrInvalid, "odd"), 2, "invalid", "", ""},
		{"ambiguous", content.Errorf(content.ErrAmbiguous, "odd"), 2, "ambiguous", "", ""},
		{"not found", content.At("L", content.Errorf(content.ErrNotFound, "no app")), 3, "not-found", "", "L"},
		{"no file", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, 3, "not-found", "", "x"},
		{"missing is corrupt", content.AtDigest(digest, content.ErrMissing), 4, "missing", digest, ""},
		{"digest", content.At("L", content.AtDigest(digest, content.ErrDigest)), 4, "digest", digest, "L"},
		{"size", fmt.Errorf("while: %w", content.AtDigest(digest, content.ErrSize)), 4, "size", digest, ""},
		{"corrupt", content.ErrCorrupt, 4, "corrupt", "", ""},
		{"refused", content.ErrRefused, 4, "refused", "", ""},
		{"busy", content.ErrBusy, 1, "busy", "", ""},
		{"conflict", content.ErrConflict, 1, "conflict", "", ""},
		{"unsupported", content.ErrUnsupported, 1, "unsupported", "", ""},
		{"exists", content.ErrAlreadyExists, 1, "exists", "", ""},
		{"interrupted", fmt.Errorf("x: %w", context.Canceled), 130, "interrupted", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stderr bytes.Buffer
			e := &env{stderr: &stderr}
			if code := e.report(t.Context(), c.err); code != c.code {
				t.Errorf("exit %d, want %d", code, c.code)
			}
			if c.err == nil {
				if stderr.Len() > 0 {
					t.Errorf("stderr has %q", stderr.String())
				}
				return
			}
			line := stderr.String()
			if !strings.HasPrefix(line, "ocilayout: ") || strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
				t.Errorf("stderr has %q", line)
			}
			stderr.Reset()
			e.global.format = "json"
			if code := e.report(t.Context(), c.err); code != c.code {
				t.Errorf("with json exit %d, want %d", code, c.code)
			}
			var f failure
			if err := json.Unmarshal(stderr.Bytes(), &f); err != nil {
				t.Fatal(err)
			}
			if f.Kind != c.kind || f.Digest != c.wantDigest || f.Path != c.wantAt {
				t.Errorf("got %+v", f)
			}
		})
	}
}

func TestVerdictsAreSilent(t *testing.T) {
	var stderr bytes.Buffer
	e := &env{stderr: &stderr}
	if code := e.report(t.Context(), errCheckFailed); code != 4 {
		t.Errorf("a failed check exits %d", code)
	}
	if code := e.report(t.Context(), errDifferent); code != 5 {
		t.Errorf("differences exit %d", code)
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr has %q", stderr.String())
	}
}

func TestErrorsAreOneEscapedLine(t *testing.T) {
	var stderr bytes.Buffer
	e := &env{stderr: &stderr}
	e.report(t.Context(), errors.New("two\nlines \x1b[2J"))
	if got, want := stderr.String(), "ocilayout: two\\nlines \\x1b[2J\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhateverFailsWhenInterruptedWasInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	e := &env{stderr: &stderr}
	if code := e.report(ctx, errors.New("read: file already closed")); code != 130 {
		t.Errorf("exit %d", code)
	}
	if got := stderr.String(); got != "ocilayout: interrupted\n" {
		t.Errorf("got %q", got)
	}
	if code := e.report(ctx, nil); code != 0 {
		t.Errorf("work that was done anyway exits %d", code)
	}
}

func TestDidYouMean(t *testing.T) {
	known := map[string]bool{"inspect": true, "digest": true, "init": true, "ls": true, "put": true}
	for word, want := range map[string]string{
		"inspct": "inspect", "digset": "digest", "int": "init", "lss": "ls", "unrelated": "", "x": "", "": "", "all": "", "pot": "put",
	} {
		got := strings.TrimSuffix(strings.TrimPrefix(didYouMean(word, known), ": did you mean "), "?")
		if got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestOrderedKeepsOrderAndCommas(t *testing.T) {
	var list ordered
	labels, envs := list.flag("label", "`K=V`"), list.flag("env", "`K=V`")
	c := &command{name: "c", flags: []cli.Flag{labels, envs}}
	e := &env{table: []*command{c}}
	c.run = func(context.Context, *env, []string) (any, error) { return nil, nil }
	err := e.app().RunContext(t.Context(), []string{"ocilayout", "c", "--label=a,b", "--env=x=1,2", "--label=c"})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(list); got != "[{label a,b} {env x=1,2} {label c}]" {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprint(list.of("label")); got != "[a,b c]" {
		t.Errorf("labels are %s", got)
	}
}

// TestKindsAreDocumented: scripts decide by them.
func TestKindsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/scripting.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range outcomes {
		if !strings.Contains(string(page), "`"+row.kind+"`") {
			t.Errorf("docs/scripting.md lacks the kind %s", row.kind)
		}
	}
}
