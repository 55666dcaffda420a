package durable

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// unnamed stages a file for final that has no name.
func unnamed(t *testing.T, d FS, final, text string) *File {
	t.Helper()
	f, err := d.StageFor(final)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Discard() })
	if !f.unnamed {
		t.Skipf("every file has a name on the filesystem of %s", filepath.Dir(final))
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	return f
}

func namesIn(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, nameOf(e.Name()))
	}
	return strings.Join(names, " ")
}

func wantBytes(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); string(got) != want || err != nil {
		t.Errorf("%s has %q, %v; want %q", path, got, err, want)
	}
}

func TestUnnamedFile(t *testing.T) {
	dir := work(t)
	final := filepath.Join(dir, "out.tar")
	var k disk
	f := unnamed(t, k.fs(), final, "first")
	if got := namesIn(t, dir); got != "" {
		t.Errorf("while it is written the directory has %q", got)
	}
	if f.Name() != final {
		t.Errorf("Name: %s", f.Name())
	}
	if err := f.Discard(); err != nil {
		t.Error(err)
	}
	if got := namesIn(t, dir); got != "" {
		t.Errorf("after Discard the directory has %q", got)
	}
	f = unnamed(t, k.fs(), final, "second")
	if err := errors.Join(k.fs().Replace(f, final), f.Discard(), f.Discard()); err != nil {
		t.Error(err)
	}
	wantBytes(t, final, "second")
	wantCalls(t, &k, "sync out.tar", "link out.tar", "sync out.tar", "sync work")
	k = disk{}
	f = unnamed(t, k.fs(), final, "third")
	wantBytes(t, final, "second")
	if err := errors.Join(k.fs().Replace(f, final), f.Discard()); err != nil {
		t.Error(err)
	}
	wantBytes(t, final, "third")
	wantCalls(t, &k, "sync out.tar", "link out.tar", "link staged", "rename staged out.tar", "sync out.tar", "sync work")
	if got := namesIn(t, dir); got != "out.tar" {
		t.Errorf("the directory has %q", got)
	}
}

// TestUnnamedFileThatCanNotBeLinked: the filesystem has files without a name and
// refuses to give them one.
func TestUnnamedFileThatCanNotBeLinked(t *testing.T) {
	dir := work(t)
	final := filepath.Join(dir, "out.tar")
	k := disk{fail: 2, err: &os.PathError{Op: "link", Path: final, Err: syscall.EPERM}}
	f := unnamed(t, k.fs(), final, "copied")
	if err := errors.Join(k.fs().Replace(f, final), f.Discard()); err != nil {
		t.Error(err)
	}
	wantBytes(t, final, "copied")
	wantCalls(t, &k, "sync out.tar", "link out.tar", "sync staged", "rename staged out.tar", "sync out.tar", "sync work")
	if got := namesIn(t, dir); got != "out.tar" {
		t.Errorf("the directory has %q", got)
	}
}

// TestLeftBetween: a process was killed between the two calls that replace a file.
// The next one to write the file removes what it left, and no file of one that lives.
func TestLeftBetween(t *testing.T) {
	dir := work(t)
	final := filepath.Join(dir, "out.tar")
	left := betweenName(final)
	for _, tt := range []struct {
		title string
		leave func() error
		want  string
	}{
		{"a dead one's file", func() error { return os.WriteFile(left, []byte("left"), 0o644) }, "out.tar"},
		{"a directory", func() error { return os.Mkdir(left, 0o755) }, "staged out.tar"},
		{"a link", func() error { return os.Symlink("out.tar", left) }, "staged out.tar"},
		{"a fifo", func() error { return syscall.Mkfifo(left, 0o644) }, "staged out.tar"},
		{"a living one's file", func() error {
			f, err := os.Create(left)
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = f.Close() })
			return lockFile(f, false)
		}, "staged out.tar"},
	} {
		for _, text := range []string{"", "old"} {
			if err := errors.Join(os.RemoveAll(left), os.RemoveAll(final)); err != nil {
				t.Fatal(err)
			}
			if text != "" {
				if err := os.WriteFile(final, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := tt.leave(); err != nil {
				t.Fatal(err)
			}
			f := unnamed(t, FS{}, final, "new")
			if err := errors.Join((FS{}).Replace(f, final), f.Discard()); err != nil {
				t.Errorf("%s, with %q there: %v", tt.title, text, err)
			}
			wantBytes(t, final, "new")
			if got := namesIn(t, dir); got != tt.want {
				t.Errorf("%s, with %q there: the directory has %q, want %q", tt.title, text, got, tt.want)
			}
		}
	}
}
