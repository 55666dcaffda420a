// Package testkit is what tests share: layouts that are verified when their test
// ends, archives as files, and external programs. Package build below it makes
// the content, package gen the vectors. Since it verifies, only external tests
// import it.
package testkit

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/verify"
)

// An Option changes what is checked of a layout when its test ends.
type Option int

// BrokenOK says that the test wants a broken layout: it is not verified.
const BrokenOK Option = 1

// Layout writes l to a new directory and returns its path. When the test ends
// the directory is verified, as Watch says. A nil l is an empty layout.
func Layout(t testing.TB, l *build.Layout, options ...Option) string {
	t.Helper()
	if l == nil {
		l = build.NewLayout()
	}
	dir := filepath.Join(t.TempDir(), "layout")
	if err := l.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	Watch(t, dir, options...)
	return dir
}

// Watch verifies the layout dir when the test ends and fails it if there is an
// error, unless an option says that it may be broken. A directory that was never
// made is sound.
func Watch(t testing.TB, dir string, options ...Option) {
	t.Helper()
	for _, o := range options {
		if o == BrokenOK {
			return
		}
	}
	t.Cleanup(func() {
		if _, err := os.Lstat(dir); err == nil {
			Sound(t, dir)
		}
	})
}

// Sound verifies the layout at path, a directory or a tar, now, and reports what
// is wrong with it as errors of the test.
func Sound(t testing.TB, path string) {
	t.Helper()
	report := Verify(t, path)
	for _, p := range report.Problems {
		if p.Severity == verify.SeverityError {
			t.Errorf("%s: %s: %s %s: %s", path, p.ID, p.Path, p.Digest, p.Message)
		}
	}
}

// Verify is the report of the layout at path. One that can't be opened ends the test.
func Verify(t testing.TB, path string) verify.Report {
	t.Helper()
	r, err := layout.OpenReader(path, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }() // only read
	report, err := verify.Check(context.Background(), r, nil, verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// File writes data to a new file and returns its path, which ends in name.
func File(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Archive writes the files as a tar, compressed as the end of name says (.gz, .zst
// or .xz), and returns its path.
func Archive(t testing.TB, name string, files ...build.File) string {
	t.Helper()
	data := build.Tar(files...)
	for suffix, format := range map[string]string{".gz": "gzip", ".zst": "zstd", ".xz": "xz"} {
		if strings.HasSuffix(name, suffix) {
			data = build.Compress(format, data)
		}
	}
	return File(t, name, data)
}
