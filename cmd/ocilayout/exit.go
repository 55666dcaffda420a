package main

import (
	"context"
	"errors"
	"io/fs"
	"regexp"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/registry"
)

// Exit codes. Scripts decide by them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitBad         = 4 // content is corrupt or refused, or a check did not hold
	exitDifferent   = 5
	exitInterrupted = 130
)

// A verdict is an error of a command that did its work: the result says it all
// and nothing goes to standard error.
type verdict struct {
	text string
	code int
}

func (v *verdict) Error() string { return v.text }

var (
	// errCheckFailed is returned with a result that lists what did not hold.
	errCheckFailed = &verdict{"a check did not hold", exitBad}
	// errDifferent is returned with a result that lists differences.
	errDifferent = &verdict{"there are differences", exitDifferent}
)

// A usageError says that the command line itself is wrong.
type usageError struct {
	text    string
	command string // whose help to read; "" for the program's
}

func (u *usageError) Error() string { return u.text }

func (u *usageError) Is(target error) bool { return target == errUsage }

var errUsage = errors.New("wrong usage")

// outcomes tells what each kind of error means to a script and a person. The
// first row that matches counts, so kinds come before what they are kinds of.
var outcomes = []struct {
	is   error
	code int
	kind string
	hint string
}{
	{context.Canceled, exitInterrupted, "interrupted", ""},
	{errUsage, exitUsage, "usage", ""},
	{content.ErrDigest, exitBad, "digest", ""},
	{content.ErrSize, exitBad, "size", ""},
	{content.ErrMissing, exitBad, "missing", ""},
	{content.ErrCorrupt, exitBad, "corrupt", ""},
	{content.ErrRefused, exitBad, "refused", ""},
	{content.ErrInvalid, exitUsage, "invalid", ""},
	{content.ErrAmbiguous, exitUsage, "ambiguous", ""},
	{content.ErrBusy, exitFailed, "busy", "another process has the lock; --lock-timeout waits longer"},
	{content.ErrConflict, exitFailed, "conflict", ""},
	{registry.ErrUnauthorized, exitFailed, "unauthorized", "ocilayout login stores credentials"},
	{registry.ErrDenied, exitFailed, "denied", ""},
	{registry.ErrRateLimited, exitFailed, "rate-limited", ""},
	{registry.ErrUnavailable, exitFailed, "unavailable", ""},
	{content.ErrUnsupported, exitFailed, "unsupported", ""},
	{content.ErrAlreadyExists, exitFailed, "exists", ""},
	{content.ErrNotFound, exitNotFound, "not-found", ""},
	{fs.ErrNotExist, exitNotFound, "not-found", ""},
	{fs.ErrPermission, exitFailed, "permission", ""},
}

// failure is an error as programs read it on standard error.
type failure struct {
	Error  string `json:"error"`
	Kind   string `json:"kind"`
	Digest string `json:"digest,omitempty"`
	Path   string `json:"path,omitempty"`
	hint   string
	code   int
}

// report tells err on standard error and returns its exit code.
func (e *env) report(ctx context.Context, err error) int {
	var v *verdict
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil:
		err = context.Canceled // whatever failed, failed of that
	case errors.As(err, &v):
		return v.code
	}
	f := explain(err)
	if e.jsonErrors() {
		_ = render.JSON(e.stderr, f) // there is nowhere else to tell
		return f.code
	}
	line := "ocilayout: " + f.Error
	if f.hint != "" {
		line += " (" + f.hint + ")"
	}
	_, _ = e.stderr.Write([]byte(render.Escape(line) + "\n"))
	return f.code
}

func explain(err error) failure {
	f := failure{Error: err.Error(), Kind: "failed", code: exitFailed}
	for _, row := range outcomes {
		if errors.Is(err, row.is) {
			f.Kind, f.code, f.hint = row.kind, row.code, row.hint
			break
		}
	}
	if f.Kind == "interrupted" {
		f.Error = "interrupted"
	}
	if f.Kind == "refused" && overLimit.MatchString(f.Error) {
		f.hint = "--limit raises limits"
	}
	var usage *usageError
	if errors.As(err, &usage) {
		f.hint = "see 'ocilayout " + usage.command + " --help'"
		if usage.command == "" {
			f.hint = "see 'ocilayout --help'"
		}
	}
	f.Digest, f.Path = address(err)
	return f
}

// overLimit is in what errors say of limits that can be raised.
var overLimit = regexp.MustCompile(`over the limit of|more than the limit of|expands more than`)

// address finds what err is about: the nearest digest and path in its chain.
func address(err error) (digest, path string) {
	var at *content.Error
	for errors.As(err, &at) {
		if digest == "" {
			digest = at.Digest
		}
		if path == "" {
			path = at.Path
		}
		err = at.Err
	}
	var onDisk *fs.PathError
	if path == "" && errors.As(err, &onDisk) {
		path = onDisk.Path
	}
	return digest, path
}
