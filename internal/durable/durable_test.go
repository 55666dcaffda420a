package durable_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

var durableFS durable.FS

func stage(t *testing.T, dir, text string) *durable.File {
	t.Helper()
	f, err := durableFS.Stage(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Discard() })
	if _, err := io.Copy(f, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return f
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s has %q, %v; want %q", path, got, err, want)
	}
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s has %q, want %q", dir, got, want)
	}
}

func TestStageAndPublish(t *testing.T) {
	dir := t.TempDir()
	f := stage(t, dir, "hello")
	if n, err := f.Size(); n != 5 || err != nil {
		t.Errorf("Size: %d, %v", n, err)
	}
	if err := errors.Join(f.Fsync(), f.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	final := filepath.Join(dir, "final")
	if err := errors.Join(os.WriteFile(final, []byte("old"), 0o644), durableFS.Publish(f.Name(), final),
		durableFS.SyncDir(dir), durableFS.SyncFile(final)); err != nil {
		t.Fatal(err)
	}
	if err := f.Discard(); err != nil {
		t.Errorf("Discard after Publish: %v", err)
	}
	wantFile(t, final, "hello")
	wantNames(t, dir, "final")
}

func TestDiscardLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	f := stage(t, dir, "hello")
	if err := f.Discard(); err != nil {
		t.Fatal(err)
	}
	if err := f.Discard(); err != nil {
		t.Errorf("second Discard: %v", err)
	}
	wantNames(t, dir)
}

func TestLinkInto(t *testing.T) {
	dir := t.TempDir()
	f := stage(t, dir, "hello")
	if err := errors.Join(f.Fsync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	final := filepath.Join(dir, "final")
	err := durableFS.LinkInto(f.Name(), final)
	if errors.Is(err, durable.ErrNoLinks) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := durableFS.LinkInto(f.Name(), final); !errors.Is(err, os.ErrExist) || errors.Is(err, durable.ErrNoLinks) {
		t.Errorf("LinkInto where a file is: %v", err)
	}
	wantFile(t, f.Name(), "hello")
	if err := f.Discard(); err != nil {
		t.Fatal(err)
	}
	wantFile(t, final, "hello")
	wantNames(t, dir, "final")
}

func TestReplaceReplacesTheLinkItself(t *testing.T) {
	dir := t.TempDir()
	secret, link := filepath.Join(dir, "secret"), filepath.Join(dir, "x-link")
	if err := durableFS.WriteFile(secret, []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if err := durableFS.WriteFile(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	wantFile(t, secret, "old")
	wantFile(t, link, "new")
	wantNames(t, dir, "secret", "x-link")
}

func TestWriteFileFails(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	if err := durableFS.MkdirAll(filepath.Join(taken, "sub")); err != nil {
		t.Fatal(err)
	}
	if err := durableFS.WriteFile(taken, []byte("x")); err == nil {
		t.Error("WriteFile replaced a directory")
	}
	wantNames(t, dir, "taken")
	absent := filepath.Join(dir, "absent", "file")
	if err := durableFS.WriteFile(absent, []byte("x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("WriteFile in an absent directory: %v", err)
	}
}

func TestMkdirAll(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := durableFS.WriteFile(file, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "sub")} {
		if err := durableFS.MkdirAll(path); err == nil {
			t.Errorf("MkdirAll(%s) succeeded", path)
		}
	}
	t.Chdir(dir)
	for _, path := range []string{"", ".", "a/b/", "a/b/../c", filepath.Join(dir, "d", "e")} {
		if err := durableFS.MkdirAll(path); err != nil {
			t.Errorf("MkdirAll(%q): %v", path, err)
		}
	}
	wantNames(t, filepath.Join(dir, "a"), "b", "c")
	wantNames(t, filepath.Join(dir, "d"), "e")
}

func TestSyncPoint(t *testing.T) {
	dir := t.TempDir()
	p, err := durableFS.SyncPoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := stage(t, dir, "hello")
	done, err := p.Flush()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("syncfs here: %v", done)
	again, err := durableFS.SyncFS(dir)
	if again != done || err != nil {
		t.Errorf("SyncFS: %v, %v; the SyncPoint said %v", again, err, done)
	}
	if err := errors.Join(p.Close(), durableFS.SyncFile(f.Name())); err != nil {
		t.Fatal(err)
	}
	if err := durableFS.SyncFile(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("SyncFile of nothing: %v", err)
	}
}

func TestCloneOrNothing(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("0123456789abcdef", 1024)
	src, dst := stage(t, dir, text), stage(t, dir, "")
	done, err := durable.Clone(dst.File, src.File)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("reflink here: %v", done)
	want := ""
	if done {
		want = text
	}
	wantFile(t, dst.Name(), want)
}

func TestOpenRegular(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := durableFS.WriteFile(file, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	for _, tt := range []struct {
		name   string
		open   func(string) (*os.File, os.FileInfo, error)
		path   string
		expect error
	}{
		{"file", durable.OpenRegular, file, nil},
		{"link", durable.OpenRegular, link, nil},
		{"file, no link", durable.OpenRegularNoFollow, file, nil},
		{"link, no link", durable.OpenRegularNoFollow, link, content.ErrRefused},
		{"directory", durable.OpenRegular, dir, content.ErrRefused},
		{"directory, no link", durable.OpenRegularNoFollow, dir, content.ErrRefused},
		{"absent", durable.OpenRegular, file + "2", os.ErrNotExist},
		{"absent, no link", durable.OpenRegularNoFollow, file + "2", os.ErrNotExist},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, fi, err := tt.open(tt.path)
			if !errors.Is(err, tt.expect) {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			defer f.Close()
			got, err := io.ReadAll(f)
			if !bytes.Equal(got, []byte("hello")) || fi.Size() != 5 || !durable.SameOwner(fi) {
				t.Errorf("read %q, %v; size %d", got, err, fi.Size())
			}
		})
	}
}

func TestStampTellsChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	stamp := func() durable.Stamp {
		t.Helper()
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return durable.StampOf(fi)
	}
	if err := durableFS.WriteFile(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	first := stamp()
	if first != stamp() || first == (durable.Stamp{}) || first.Size != 3 {
		t.Fatalf("stamps of one file: %v, %v", first, stamp())
	}
	mtime := time.Unix(1e9, 0)
	if err := os.Chtimes(path, mtime, mtime); err != nil {
		t.Fatal(err)
	}
	second := stamp()
	if second == first || second.MtimeNs != 1e18 {
		t.Errorf("stamp after another mtime: %v", second)
	}
	if err := os.WriteFile(path, []byte("four"), 0o644); err != nil {
		t.Fatal(err)
	}
	if third := stamp(); third == second || third.Size != 4 {
		t.Errorf("stamp after another size: %v", third)
	}
}
