package layout_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

const manifestType = "application/vnd.oci.image.manifest.v1+json"

func newLayout(t *testing.T) *layout.Layout {
	t.Helper()
	l, err := layout.Init(t.Context(), filepath.Join(t.TempDir(), "l"), layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		holdsNothingElse(t, l.Path())
	})
	return l
}

// holdsNothingElse fails if anything but the parts of a layout is in dir, or
// anything is staged.
func holdsNothingElse(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		switch e.Name() {
		case "oci-layout", "index.json", "blobs", ".ocilayout":
		default:
			t.Errorf("%s is left behind", e.Name())
		}
	}
	if staged, _ := os.ReadDir(filepath.Join(dir, ".ocilayout", "staging")); len(staged) > 0 {
		t.Errorf("%s is left staged", staged[0].Name())
	}
}

func descriptor(data string) content.Descriptor {
	return content.Descriptor{MediaType: "text/plain", Digest: digest.FromString(data), Size: int64(len(data))}
}

func blobFile(l *layout.Layout, d content.Digest) string {
	return filepath.Join(l.Path(), "blobs", d.Algorithm().String(), d.Encoded())
}

func tag(ctx context.Context, l *layout.Layout, d content.Descriptor, names ...string) error {
	return l.Update(ctx, func(tx *layout.Tx) error {
		for _, name := range names {
			if _, err := tx.Tag(layout.NewEntry(d), name, layout.Overwrite); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestPushProves(t *testing.T) {
	l := newLayout(t)
	want := descriptor("hello")
	for _, c := range []struct {
		data string
		err  error
	}{{"hell", content.ErrSize}, {"hello!", content.ErrSize}, {"jello", content.ErrDigest}, {"hello", nil}} {
		err := l.Push(t.Context(), want, strings.NewReader(c.data))
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.data, err, c.err)
		}
	}
	if ok, err := l.Exists(t.Context(), want); err != nil || !ok {
		t.Errorf("Exists: %v, %v", ok, err)
	}
}

func TestPushReplacesWhatIsWrong(t *testing.T) {
	for name, there := range map[string]string{"truncated": "hel", "corrupt at the right size": "jello", "empty": ""} {
		l := newLayout(t)
		want := descriptor("hello")
		write(t, blobFile(l, want.Digest), there)
		if err := l.Push(t.Context(), want, strings.NewReader("hello")); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		data, err := content.FetchAll(t.Context(), l, want, 100)
		if err != nil || string(data) != "hello" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

func TestFetchOfWrongBlob(t *testing.T) {
	l := newLayout(t)
	want := descriptor("hello")
	for there, wantErr := range map[string]error{"hell": content.ErrSize, "hello!": content.ErrSize, "jello": content.ErrDigest} {
		write(t, blobFile(l, want.Digest), there)
		if _, err := content.FetchAll(t.Context(), l, want, 100); !errors.Is(err, wantErr) || !errors.Is(err, content.ErrCorrupt) {
			t.Errorf("%q: %v", there, err)
		}
		if ok, err := l.Exists(t.Context(), want); err != nil || ok != (there == "jello") {
			t.Errorf("%q: Exists says %v, %v", there, ok, err)
		}
	}
}

func TestBatchIsUnseenUntilPublish(t *testing.T) {
	l := newLayout(t)
	b := l.Batch()
	var all []content.Descriptor
	for i := range 100 {
		d := descriptor(fmt.Sprint("blob ", i))
		if err := b.Push(t.Context(), d, strings.NewReader(fmt.Sprint("blob ", i))); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	w, err := b.Create(t.Context(), digest.SHA512)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "unknown"); err != nil {
		t.Fatal(err)
	}
	d, size, err := w.Commit()
	if err != nil || d != digest.SHA512.FromString("unknown") || size != 7 {
		t.Fatal(d, size, err)
	}
	all = append(all, content.Descriptor{Digest: d, Size: size})
	if err := b.Drop(all[0].Digest); err != nil {
		t.Fatal(err)
	}
	for _, d := range all[1:] {
		if ok, err := l.Exists(t.Context(), d); err != nil || ok {
			t.Fatalf("%s is there before Publish: %v", d.Digest, err)
		}
		if _, err := content.FetchAll(t.Context(), b, d, 100); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, d := range all {
		if ok, err := l.Exists(t.Context(), d); err != nil || ok == (i == 0) {
			t.Fatalf("%s: %v, %v", d.Digest, ok, err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestUpdateWantsContent(t *testing.T) {
	l := newLayout(t)
	before, _ := os.ReadFile(filepath.Join(l.Path(), "index.json"))
	err := tag(t.Context(), l, content.Descriptor{MediaType: manifestType, Digest: digestA, Size: 2}, "v1")
	if !errors.Is(err, content.ErrMissing) {
		t.Errorf("a name for what is not there: %v", err)
	}
	d := descriptor("hello")
	if err := l.Push(t.Context(), d, strings.NewReader("hello")); err != nil {
		t.Fatal(err)
	}
	d.Size++
	if err := tag(t.Context(), l, d, "v1"); !errors.Is(err, content.ErrSize) {
		t.Errorf("a name for a blob of another size: %v", err)
	}
	after, _ := os.ReadFile(filepath.Join(l.Path(), "index.json"))
	if !bytes.Equal(before, after) {
		t.Errorf("index.json changed:\n%s", after)
	}
}

// TestForeignGC plays regctl, whose gc on close deletes every blob that no entry
// reaches, between our Publish and our Update.
func TestForeignGC(t *testing.T) {
	var warned []error
	l, err := layout.Init(t.Context(), filepath.Join(t.TempDir(), "l"), layout.Options{NoSync: true, Warn: func(err error) { warned = append(warned, err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d, err := l.PushBytes(t.Context(), manifestType, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(blobFile(l, d.Digest)); err != nil {
		t.Fatal(err)
	}
	if err := tag(t.Context(), l, d, "v1"); err != nil {
		t.Fatal(err)
	}
	if ok, err := l.Exists(t.Context(), d); err != nil || !ok {
		t.Errorf("the blob was not put back: %v", err)
	}
	if len(warned) != 1 {
		t.Errorf("warnings: %v", warned)
	}
}

// TestForeignWriter plays a tool that takes no lock and rewrites index.json
// between our reading and our writing.
func TestForeignWriter(t *testing.T) {
	l := newLayout(t)
	d, err := l.PushBytes(t.Context(), manifestType, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(l.Path(), "index.json")
	runs := 0
	err = l.Update(t.Context(), func(tx *layout.Tx) error {
		if runs++; runs == 1 {
			write(t, path, `{"schemaVersion":2,"x":[1e3],"manifests":[`+entryJSON(string(d.Digest), "", "theirs")+`]}`)
		}
		_, err := tx.Tag(layout.NewEntry(d), "ours", layout.Overwrite)
		return err
	})
	if err != nil || runs != 2 {
		t.Fatal(runs, err)
	}
	data, _ := os.ReadFile(path)
	for _, want := range []string{"theirs", "ours", `"x":[1e3]`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("%s is lost: %s", want, data)
		}
	}
}

func TestEntriesKeepTheirBytes(t *testing.T) {
	foreign := `{ "mediaType":"application/vnd.oci.image.manifest.v1+json", "size":2.0e0, "digest":"` + digestA + `","unknown":{"b":1,"a":[ ]},"annotations":{"z":"\u003c","org.opencontainers.image.ref.name":"theirs"}}`
	dir := withIndex(t, "{\n  \"schemaVersion\": 2,\n  \"futureField\": {\"x\": 1e+2},\n  \"manifests\": [\n    "+strings.Replace(foreign, "2.0e0", "2", 1)+"\n  ]\n}\n")
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before, _ := os.ReadFile(filepath.Join(dir, "index.json"))
	d, err := l.PushBytes(t.Context(), manifestType, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := tag(t.Context(), l, d, "ours", "app:v1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Update(t.Context(), func(tx *layout.Tx) error {
		for _, name := range []string{"ours", "docker.io/library/app:v1"} {
			if gone, err := tx.Untag(name); err != nil || len(gone) != 1 {
				t.Errorf("untag %s: %v, %v", name, gone, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "index.json")); !bytes.Equal(before, after) {
		t.Errorf("tag and untag did not give the old bytes back:\n%s", after)
	}
}

func TestPolicies(t *testing.T) {
	l := newLayout(t)
	a, err := l.PushBytes(t.Context(), manifestType, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.PushBytes(t.Context(), manifestType, []byte("{ }"))
	if err != nil {
		t.Fatal(err)
	}
	if err := tag(t.Context(), l, a, "v1"); err != nil {
		t.Fatal(err)
	}
	for policy, want := range map[layout.Policy]content.Digest{layout.Skip: a.Digest, layout.Fail: a.Digest, layout.Overwrite: b.Digest} {
		var change layout.Change
		err := l.Update(t.Context(), func(tx *layout.Tx) (err error) {
			change, err = tx.Tag(layout.NewEntry(b), "v1", policy)
			return err
		})
		if change.Old != a.Digest || change.Skipped != (policy == layout.Skip) {
			t.Errorf("policy %d: reported %+v", policy, change)
		}
		if (policy == layout.Fail) != errors.Is(err, content.ErrConflict) {
			t.Errorf("policy %d: %v", policy, err)
		}
		if got, _ := l.Resolve(t.Context(), "v1"); got.Digest != want {
			t.Errorf("policy %d: v1 is %s", policy, got.Digest)
		}
		if err := tag(t.Context(), l, a, "v1"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForgedState brings layouts whose .ocilayout is not ours.
func TestForgedState(t *testing.T) {
	outside := t.TempDir()
	for name, forge := range map[string]func(state string) error{
		"state is a link":   func(s string) error { return os.Symlink(outside, s) },
		"staging is a link": func(s string) error { return errors.Join(os.Mkdir(s, 0o755), os.Symlink(outside, s+"/staging")) },
		"lock is a link": func(s string) error {
			return errors.Join(os.Mkdir(s, 0o755), os.Symlink(outside+"/lock", s+"/lock"))
		},
		"lock hangs": func(s string) error {
			return errors.Join(os.Mkdir(s, 0o755), os.Symlink("nowhere", s+"/lock"))
		},
		"torn catalog": func(s string) error {
			return errors.Join(os.Mkdir(s, 0o755), os.WriteFile(s+"/catalog", []byte("\xed\xda\x0c\xed torn"), 0o644))
		},
	} {
		l := newLayout(t)
		state := filepath.Join(l.Path(), ".ocilayout")
		if err := errors.Join(os.RemoveAll(state), forge(state)); err != nil {
			t.Fatal(err)
		}
		d, err := l.PushBytes(t.Context(), manifestType, []byte("{}"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := tag(t.Context(), l, d, "v1"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := os.ReadDir(outside); len(left) > 0 {
			t.Errorf("%s: wrote %s outside the layout", name, left[0].Name())
		}
	}
}

// TestBazelLayout has every blob behind a link that leads out of the layout.
func TestBazelLayout(t *testing.T) {
	l := newLayout(t)
	outside := filepath.Join(t.TempDir(), "blob")
	d := descriptor("hello")
	write(t, outside, "hello")
	if err := os.Symlink(outside, blobFile(l, d.Digest)); err != nil {
		t.Skip("no links here:", err)
	}
	if data, err := content.FetchAll(t.Context(), l, d, 100); err != nil || string(data) != "hello" {
		t.Errorf("%q, %v", data, err)
	}
	write(t, outside, "a secret")
	rc, err := l.Fetch(t.Context(), content.Descriptor{Digest: d.Digest, Size: 8})
	if err == nil {
		leaked, _ := io.ReadAll(rc)
		t.Errorf("%q was handed out before it was proven", leaked)
	}
	if !errors.Is(err, content.ErrDigest) {
		t.Error(err)
	}
	if err := l.Push(t.Context(), d, strings.NewReader("hello")); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(outside); string(data) != "a secret" {
		t.Errorf("the push went through the link: %q", data)
	}
}

func TestNoWriteThroughLinkedDirectory(t *testing.T) {
	l := newLayout(t)
	shared := t.TempDir()
	dir := filepath.Join(l.Path(), "blobs", "sha256")
	if err := errors.Join(os.Remove(dir), os.Symlink(shared, dir)); err != nil {
		t.Fatal(err)
	}
	if err := l.Push(t.Context(), descriptor("hello"), strings.NewReader("hello")); !errors.Is(err, content.ErrRefused) {
		t.Errorf("Push: %v", err)
	}
	if left, _ := os.ReadDir(shared); len(left) > 0 {
		t.Errorf("%s was written through the link", left[0].Name())
	}
}

func TestIndexBehindLinkOut(t *testing.T) {
	dir := withIndex(t, `{"schemaVersion":2,"manifests":[]}`)
	outside := filepath.Join(t.TempDir(), "index.json")
	index := filepath.Join(dir, "index.json")
	if err := errors.Join(os.Rename(index, outside), os.Symlink(outside, index)); err != nil {
		t.Fatal(err)
	}
	r, err := layout.OpenReader(dir, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.View(t.Context(), func(*layout.Index) error { return nil }); !errors.Is(err, content.ErrRefused) {
		t.Errorf("View: %v", err)
	}
}

func TestInit(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "notes.txt"), "mine")
	if _, err := layout.Init(t.Context(), dir, layout.Options{}); !errors.Is(err, content.ErrConflict) {
		t.Errorf("Init of a directory that is in use: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("it left %v", left)
	}
	half := t.TempDir()
	if err := os.MkdirAll(filepath.Join(half, "blobs", "sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		l, err := layout.Init(t.Context(), half, layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := layout.Open(filepath.Join(dir, "absent"), layout.Options{}); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("Open of nothing: %v", err)
	}
}

// What a process that died left half made is completed, and so is what old tools
// make without oci-layout; what is there keeps its bytes.
func TestInitCompletes(t *testing.T) {
	const index = `{"schemaVersion":2, "manifests":[], "x.mine":1.0}`
	for _, there := range []map[string]string{
		{"index.json": index},
		{"index.json": index, "notes.txt": "mine"},
		{"oci-layout": `{"imageLayoutVersion": "1.0.0"}`},
	} {
		dir := t.TempDir()
		for name, data := range there {
			write(t, filepath.Join(dir, name), data)
		}
		warn := func(err error) { t.Errorf("%v: warning: %v", there, err) }
		l, err := layout.Init(t.Context(), dir, layout.Options{Warn: warn})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"index.json", "oci-layout"} {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Error(err)
			}
			if was := there[name]; was != "" && was != string(data) {
				t.Errorf("%v: %s is now %s", there, name, data)
			}
		}
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	l := newLayout(t)
	d, err := l.PushBytes(t.Context(), manifestType, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := tag(t.Context(), l, d, "v1"); err != nil {
		t.Fatal(err)
	}
	before := listing(t, l.Path())
	r, err := layout.OpenReader(l.Path(), layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Lookup(t.Context(), layout.Reference{Name: "v1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Lookup(t.Context(), layout.Reference{Digest: d.Digest}); err != nil {
		t.Fatal(err)
	}
	for _, err := range r.Blobs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if after := listing(t, l.Path()); before != after {
		t.Errorf("reading wrote:\n%s\n%s", before, after)
	}
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			fmt.Fprintln(&b, path, info.Size(), info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
