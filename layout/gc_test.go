package layout_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// opened writes l to a directory and opens it.
func opened(t *testing.T, l *build.Layout, options ...testkit.Option) *layout.Layout {
	t.Helper()
	opened, err := layout.Open(testkit.Layout(t, l, options...), layout.Options{NoSync: true, LockTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	return opened
}

func collect(t *testing.T, l *layout.Layout, o layout.GCOptions) layout.Collection {
	t.Helper()
	got, err := l.GC(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if got.Removed.Count != len(got.Digests) {
		t.Errorf("%d blobs removed, %d digests", got.Removed.Count, len(got.Digests))
	}
	return got
}

func present(t *testing.T, l *layout.Layout) map[content.Digest]bool {
	t.Helper()
	set := map[content.Digest]bool{}
	for b, err := range l.Blobs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		set[b.Digest] = true
	}
	return set
}

// everyEdge is a layout in which each kind of edge leads to something, with garbage
// beside it. stray is the garbage.
func everyEdge() (l *build.Layout, stray []content.Digest) {
	l = build.NewLayout()
	l.Tag("app", l.Index(l.Image(build.Image{}), l.Index(l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}}))))
	subject := l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "s390x"}}) // no entry leads there
	l.Attach(subject, "a/b", []byte("sbom"))
	signed := l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "ppc64le"}})
	l.Tag(strings.Replace(signed.Digest.String(), ":", "-", 1)+".sig", l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "riscv64"}}))
	odd := l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "mips64le"}})
	odd.MediaType = "application/x-odd"
	l.Tag("odd", odd)
	before := l.Digests()
	l.Index(l.Image(build.Image{Platform: content.Platform{OS: "windows", Architecture: "amd64"}}))
	l.Put("", []byte("stray"))
	for _, d := range l.Digests() {
		if !slices.Contains(before, d) {
			stray = append(stray, d)
		}
	}
	return l, stray
}

func TestGCMarksEveryEdge(t *testing.T) {
	built, stray := everyEdge()
	l := opened(t, built)
	dry := collect(t, l, layout.GCOptions{DryRun: true})
	if !dry.Changed() || !dry.DryRun || len(present(t, l)) != len(built.Digests()) {
		t.Errorf("a dry run: %+v", dry)
	}
	got := collect(t, l, layout.GCOptions{})
	if got.Removed != dry.Removed || !slices.Equal(got.Digests, dry.Digests) {
		t.Errorf("removed %+v, the dry run said %+v", got, dry)
	}
	if left := present(t, l); len(left) != len(built.Digests())-len(stray) {
		t.Errorf("%d blobs stay, want %d", len(left), len(built.Digests())-len(stray))
	}
	slices.Sort(stray)
	if gone := slices.Sorted(slices.Values(got.Digests)); !slices.Equal(gone, stray) {
		t.Errorf("removed %q, want %q", gone, stray)
	}
	if again := collect(t, l, layout.GCOptions{}); again.Changed() {
		t.Errorf("a second time: %+v", again)
	}
}

// TestGCOrder: no manifest may be left without what it refers to.
func TestGCOrder(t *testing.T) {
	built := build.NewLayout()
	image := built.Image(build.Image{})
	index := built.Index(image)
	l := opened(t, built)
	got := collect(t, l, layout.GCOptions{})
	if len(got.Digests) != 4 || got.Digests[0] != index.Digest || got.Digests[1] != image.Digest {
		t.Errorf("removed in the order %q", got.Digests)
	}
}

func TestGCRefusesWhatItCanNotKnow(t *testing.T) {
	for name, spoil := range map[string]struct {
		edit func(*build.Layout, content.Descriptor, content.Descriptor)
		want error
	}{
		"a root is missing":  {func(l *build.Layout, index, _ content.Descriptor) { delete(l.Blobs, index.Digest) }, content.ErrMissing},
		"a root is corrupt":  {func(l *build.Layout, index, _ content.Descriptor) { l.Blobs[index.Digest][3] ^= 1 }, content.ErrDigest},
		"a child is corrupt": {func(l *build.Layout, _, image content.Descriptor) { l.Blobs[image.Digest][3] ^= 1 }, content.ErrDigest},
	} {
		t.Run(name, func(t *testing.T) {
			built := build.NewLayout()
			image := built.Image(build.Image{})
			index := built.Index(image)
			built.Tag("app", index)
			built.Put("", []byte("stray"))
			spoil.edit(built, index, image)
			l := opened(t, built, testkit.BrokenOK)
			for _, dry := range []bool{true, false} {
				_, err := l.GC(t.Context(), layout.GCOptions{DryRun: dry})
				if !errors.Is(err, spoil.want) || !errors.Is(err, content.ErrCorrupt) {
					t.Errorf("%v", err)
				}
				if err != nil && !strings.Contains(err.Error(), "sha256:") {
					t.Errorf("no digest in %v", err)
				}
			}
			if len(present(t, l)) != len(built.Blobs) {
				t.Error("something was removed")
			}
		})
	}
}

// TestGCWithoutIndex: nobody knows what there is.
func TestGCWithoutIndex(t *testing.T) {
	for name, spoil := range map[string]func(string) error{
		"missing": os.Remove,
		"torn":    func(path string) error { return os.Truncate(path, 40) },
	} {
		t.Run(name, func(t *testing.T) {
			built := build.NewLayout()
			built.Tag("app", built.Image(build.Image{}))
			l := opened(t, built, testkit.BrokenOK)
			if err := spoil(filepath.Join(l.Path(), "index.json")); err != nil {
				t.Fatal(err)
			}
			for _, dry := range []bool{true, false} {
				if _, err := l.GC(t.Context(), layout.GCOptions{DryRun: dry}); !errors.Is(err, content.ErrCorrupt) {
					t.Errorf("dry run %v: %v", dry, err)
				}
			}
			if len(present(t, l)) != 3 {
				t.Error("something was removed")
			}
		})
	}
}

// TestGCOfSparseLayout: an absent child of an index is no reason to stop, and a wrong
// size or type in an entry none either.
func TestGCOfSparseLayout(t *testing.T) {
	built := build.NewLayout()
	here, away := built.Image(build.Image{}), built.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})
	built.Tag("app", built.Index(here, away))
	delete(built.Blobs, away.Digest)
	lies := here
	lies.Size++
	built.Tag("lies", lies)
	stray := built.Put("", []byte("stray"))
	l := opened(t, built, testkit.BrokenOK)
	got := collect(t, l, layout.GCOptions{})
	if !slices.Contains(got.Digests, stray.Digest) || slices.Contains(got.Digests, here.Digest) {
		t.Errorf("removed %q", got.Digests)
	}
}

// TestGCReadsNoLayer, nor config: what is in their place does not matter.
func TestGCReadsNoLayer(t *testing.T) {
	built := build.NewLayout()
	image := built.Image(build.Image{})
	built.Tag("app", image)
	for d := range built.Blobs {
		if d != image.Digest {
			built.Blobs[d] = []byte(`{"schemaVersion":2,"manifests":"nonsense"`)
		}
	}
	stray := built.Put("", []byte("stray"))
	l := opened(t, built, testkit.BrokenOK)
	if got := collect(t, l, layout.GCOptions{}); !slices.Equal(got.Digests, []content.Digest{stray.Digest}) {
		t.Errorf("removed %q", got.Digests)
	}
}

// TestGCWaitsForWritersWithoutLinks: they hold a lock for as long as they rely on what
// they can't link to.
func TestGCWaitsForWritersWithoutLinks(t *testing.T) {
	built := build.NewLayout()
	built.Put("", []byte("stray"))
	dir := testkit.Layout(t, built)
	l, err := layout.Open(dir, layout.Options{NoSync: true, LockTimeout: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	state := filepath.Join(dir, ".ocilayout")
	if err := os.MkdirAll(state, 0o755); err != nil {
		t.Fatal(err)
	}
	writer, err := durable.TryLock(filepath.Join(state, "writers"), true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.GC(t.Context(), layout.GCOptions{}); !errors.Is(err, content.ErrBusy) || len(present(t, l)) != 1 {
		t.Errorf("beside one: %v", err)
	}
	// Names may change meanwhile: gc does not keep that lock while it waits.
	if err := tag(t.Context(), l, build.Descriptor("", []byte("stray")), "stray"); err != nil {
		t.Error(err)
	}
	if _, err := l.Untag(t.Context(), []layout.Reference{{Name: "stray"}}, layout.UntagOptions{}); err != nil {
		t.Error(err)
	}
	if err := writer.Unlock(); err != nil {
		t.Fatal(err)
	}
	if got := collect(t, l, layout.GCOptions{}); got.Removed.Count != 1 {
		t.Errorf("behind it: %+v", got)
	}
}

// TestGCIsBounded: hostile nesting is refused.
func TestGCIsBounded(t *testing.T) {
	built := build.NewLayout()
	root := built.Image(build.Image{})
	for range 20 {
		root = built.Index(root)
	}
	built.Tag("deep", root)
	built.Put("", []byte("stray"))
	l := opened(t, built, testkit.BrokenOK)
	if _, err := l.GC(t.Context(), layout.GCOptions{}); !errors.Is(err, content.ErrRefused) {
		t.Errorf("20 indexes deep: %v", err)
	}
	if len(present(t, l)) != len(built.Blobs) {
		t.Error("something was removed")
	}
}

// TestGCGrace: what is young stays, with what it reaches, however old that is.
func TestGCGrace(t *testing.T) {
	built := build.NewLayout()
	built.Image(build.Image{})
	built.Put("", []byte("stray"))
	l := opened(t, built)
	got := collect(t, l, layout.GCOptions{Grace: time.Hour})
	if got.Changed() || got.KeptByGrace.Count != 4 {
		t.Errorf("with an hour: %+v", got)
	}
	time.Sleep(30 * time.Millisecond)
	young := build.NewLayout()
	image := young.Image(build.Image{})
	file := filepath.Join(l.Path(), filepath.FromSlash(build.BlobPath(image.Digest)))
	if err := os.Chmod(file, 0o600); err != nil { // a change of the inode
		t.Fatal(err)
	}
	got = collect(t, l, layout.GCOptions{Grace: 25 * time.Millisecond})
	if got.Removed.Count != 1 || got.KeptByGrace.Count != 3 {
		t.Errorf("a young manifest: %+v", got)
	}
	// A time to come is none that anybody gave it just now.
	later := time.Now().Add(10000 * time.Hour)
	if err := os.Chtimes(file, later, later); err != nil {
		t.Fatal(err)
	}
	time.Sleep(30 * time.Millisecond)
	if got = collect(t, l, layout.GCOptions{Grace: 25 * time.Millisecond}); got.Removed.Count != 3 {
		t.Errorf("a time to come: %+v", got)
	}
}

// TestGCHonoursLeases: what a writer has published or relies on stays until it ends.
func TestGCHonoursLeases(t *testing.T) {
	built := build.NewLayout()
	image := built.Image(build.Image{})
	there := built.Put("", []byte("there before"))
	l := opened(t, built)
	w, err := layout.Open(l.Path(), layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, d := range []content.Descriptor{image, there} {
		if ok, err := w.Exists(t.Context(), d); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	published, err := w.PushBytes(t.Context(), "", []byte("published"))
	if err != nil {
		t.Fatal(err)
	}
	got := collect(t, l, layout.GCOptions{})
	if got.Changed() || got.KeptByLease.Count != 5 { // the image's config and layer too
		t.Errorf("beside a writer: %+v", got)
	}
	if ok, err := l.Reader.Exists(t.Context(), published); err != nil || !ok {
		t.Errorf("what was published: %v, %v", ok, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := collect(t, l, layout.GCOptions{}); got.Removed.Count != 5 {
		t.Errorf("behind it: %+v", got)
	}
}

// TestBatchesHoldOnTheirOwn: one that ends does not let go of what another holds.
func TestBatchesHoldOnTheirOwn(t *testing.T) {
	built := build.NewLayout()
	blob := built.Put("", []byte("there before"))
	l := opened(t, built)
	a, b := l.Batch(), l.Batch()
	defer b.Close()
	for _, batch := range []*layout.Batch{a, b} {
		if ok, err := batch.Exists(t.Context(), blob); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if got := collect(t, l, layout.GCOptions{}); got.Removed.Count != 0 || got.KeptByLease.Count != 1 {
		t.Errorf("%+v", got)
	}
}

// TestGCClearsDeadWriters, whose lease nobody has locked, and leaves alone what is no
// writer's.
func TestGCClearsDeadWriters(t *testing.T) {
	built := build.NewLayout()
	built.Tag("app", built.Image(build.Image{}))
	stray := built.Put("", []byte("stray"))
	l := opened(t, built)
	staging := filepath.Join(l.Path(), ".ocilayout", "staging")
	dead := filepath.Join(staging, "DEAD")
	if err := os.MkdirAll(filepath.Join(dead, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"lease": "", "half": "12345"} {
		if err := os.WriteFile(filepath.Join(dead, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(l.Path(), filepath.FromSlash(build.BlobPath(stray.Digest))), filepath.Join(dead, "held")); err != nil {
		t.Skip("no hard links here")
	}
	outside := testkit.File(t, "outside", []byte("precious"))
	for link, to := range map[string]string{filepath.Join(dead, "link"): outside, filepath.Join(staging, "LINK"): filepath.Dir(outside)} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	dry := collect(t, l, layout.GCOptions{DryRun: true})
	got := collect(t, l, layout.GCOptions{})
	if got.Staging != (layout.Amount{Count: 4, Bytes: 5}) || got.Staging != dry.Staging || got.Removed.Count != 1 {
		t.Errorf("%+v, the dry run said %+v", got, dry)
	}
	if left, err := os.ReadDir(staging); err != nil || len(left) != 0 {
		t.Errorf("%v stay in staging, %v", left, err)
	}
	if _, err := os.ReadFile(outside); err != nil {
		t.Error(err)
	}
}

// TestGCOfHostileState: links in the place of our state are not followed.
func TestGCOfHostileState(t *testing.T) {
	for _, link := range []string{".ocilayout", ".ocilayout/staging", ".ocilayout/writers", ".ocilayout/lock"} {
		t.Run(link, func(t *testing.T) {
			built := build.NewLayout()
			built.Put("", []byte("stray"))
			l := opened(t, built)
			outside := t.TempDir()
			precious := filepath.Join(outside, "staging", "W", "precious")
			if err := os.MkdirAll(filepath.Dir(precious), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(precious, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			at := filepath.Join(l.Path(), filepath.FromSlash(link))
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			to := outside
			if strings.HasSuffix(link, "staging") {
				to = filepath.Join(outside, "staging")
			}
			if err := os.Symlink(to, at); err != nil {
				t.Skip("no symbolic links here")
			}
			if got := collect(t, l, layout.GCOptions{}); got.Removed.Count != 1 {
				t.Errorf("%+v", got)
			}
			if _, err := os.Stat(precious); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestGCRemovesThroughNoLink, neither of directories nor of blobs.
func TestGCRemovesThroughNoLink(t *testing.T) {
	built := build.NewLayout()
	built.Tag("app", built.Image(build.Image{}))
	stray := built.Put("", []byte("stray"))
	l := opened(t, built, testkit.BrokenOK)
	blobs := filepath.Join(l.Path(), "blobs", "sha256")
	one := filepath.Join(blobs, stray.Digest.Encoded())
	outside := testkit.File(t, "outside", []byte("stray"))
	if err := errors.Join(os.Remove(one), os.Symlink(outside, one)); err != nil {
		t.Skip("no symbolic links here")
	}
	if got := collect(t, l, layout.GCOptions{}); got.Changed() {
		t.Errorf("%+v", got)
	}
	elsewhere := filepath.Join(t.TempDir(), "sha256")
	if err := errors.Join(os.Rename(blobs, elsewhere), os.Symlink(elsewhere, blobs)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.GC(t.Context(), layout.GCOptions{}); !errors.Is(err, content.ErrRefused) {
		t.Errorf("a link in place of the directory: %v", err)
	}
}

// TestGCLeavesUnknownFiles: other algorithms, names that are no digests, and unless
// asked the leftovers of other tools.
func TestGCLeavesUnknownFiles(t *testing.T) {
	built := build.NewLayout()
	built.Tag("app", built.Image(build.Image{}))
	l := opened(t, built)
	strange := []string{"blobs/blake3/" + strings.Repeat("a", 64), "blobs/sha256/README", "notes.txt"}
	leftovers := []string{"oci-put-blob123", "x.tmp", "blobs/sha256/abc.123.tmp", "ingest/sha256_tmp1", "ingest/a/b"}
	for _, name := range slices.Concat(strange, leftovers) {
		path := filepath.Join(l.Path(), filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("1234"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := collect(t, l, layout.GCOptions{}); got.Changed() {
		t.Errorf("unasked: %+v", got)
	}
	if got := collect(t, l, layout.GCOptions{Leftovers: true, Grace: time.Hour}); got.Changed() {
		t.Errorf("young ones: %+v", got)
	}
	dry := collect(t, l, layout.GCOptions{Leftovers: true, DryRun: true})
	got := collect(t, l, layout.GCOptions{Leftovers: true})
	if want := (layout.Amount{Count: 5, Bytes: 20}); got.Leftovers != want || dry.Leftovers != want {
		t.Errorf("%+v, the dry run said %+v", got, dry)
	}
	for _, name := range strange {
		path := filepath.Join(l.Path(), filepath.FromSlash(name))
		if err := os.Remove(path); err != nil { // and so that the layout is sound
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(l.Path(), "ingest")); err == nil {
		t.Error("ingest stays")
	}
	_ = os.Remove(filepath.Join(l.Path(), "blobs", "blake3"))
}

// TestGCByCatalog: a catalog that knows every blob spares the manifests; one that does
// not, since it is of another state or lies, decides nothing.
func TestGCByCatalog(t *testing.T) {
	built := build.NewLayout()
	var last content.Descriptor
	for i := range 200 {
		last = built.Image(build.Image{Annotations: map[string]string{"i": fmt.Sprint(i)}})
		built.Tag(fmt.Sprintf("v%d", i), last)
	}
	l := opened(t, built, testkit.BrokenOK)
	time.Sleep(100 * time.Millisecond) // an index.json that is too young is looked at again
	if _, err := l.FindReferrers(t.Context(), layout.ReferrerQuery{Subject: last}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(l.Path(), ".ocilayout", "catalog")); err != nil {
		t.Skip("no catalog here")
	}
	broken := filepath.Join(l.Path(), filepath.FromSlash(build.BlobPath(last.Digest)))
	if err := os.WriteFile(broken, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := l.GC(t.Context(), layout.GCOptions{}); err != nil || got.Changed() {
		t.Errorf("with nothing to remove: %+v, %v", got, err)
	}
	stray := filepath.Join(l.Path(), filepath.FromSlash(build.BlobPath(build.Descriptor("", []byte("stray")).Digest)))
	if err := os.WriteFile(stray, []byte("stray"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := l.GC(t.Context(), layout.GCOptions{}); !errors.Is(err, content.ErrDigest) {
		t.Errorf("with something to remove: %v", err)
	}
	if _, err := os.Stat(stray); err != nil {
		t.Error(err)
	}
}

// TestUpdateFindsWhatItHolds, whoever removed it meanwhile.
func TestUpdateFindsWhatItHolds(t *testing.T) {
	built := build.NewLayout()
	image := built.Image(build.Image{})
	l := opened(t, built)
	if ok, err := l.Exists(t.Context(), image); err != nil || !ok {
		t.Fatal(ok, err)
	}
	file := filepath.Join(l.Path(), filepath.FromSlash(build.BlobPath(image.Digest)))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	err := l.Update(t.Context(), func(tx *layout.Tx) error {
		if _, _, err := content.FetchManifest(context.Background(), l, image, l.Limits()); err != nil {
			return err
		}
		_, err := tx.Tag(layout.NewEntry(image), "app", layout.Overwrite)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if got := collect(t, l, layout.GCOptions{}); got.Changed() {
		t.Errorf("%+v", got)
	}
}

// TestGCOfReferrers: what has referrers stays as long as they do.
func TestGCOfReferrers(t *testing.T) {
	built := build.NewLayout()
	image := built.Image(build.Image{})
	built.Tag("app", image)
	built.Attach(image, "a/b", []byte("sbom"))
	l := opened(t, built)
	if _, err := l.Untag(t.Context(), []layout.Reference{{Name: "app"}}, layout.UntagOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := collect(t, l, layout.GCOptions{}); got.Changed() {
		t.Errorf("with referrers: %+v", got)
	}
	if _, err := l.TagNames(t.Context(), layout.Reference{Digest: image.Digest}, []string{"app"}, layout.TagOptions{}); err != nil {
		t.Fatal(err)
	}
	gone, err := l.Untag(t.Context(), []layout.Reference{{Name: "app"}}, layout.UntagOptions{WithReferrers: true})
	if err != nil || len(gone) < 2 || gone[0].Name != "app" {
		t.Errorf("untagged %+v, %v", gone, err)
	}
	collect(t, l, layout.GCOptions{})
	if left := present(t, l); len(left) != 0 {
		t.Errorf("%v stay", left)
	}
}

// TestUntagLeavesReferrersOfWhatIsNamed by another name.
func TestUntagLeavesReferrersOfWhatIsNamed(t *testing.T) {
	built := build.NewLayout()
	image := built.Image(build.Image{})
	built.Tag("a", image)
	built.Tag("b", image)
	built.Attach(image, "a/b", []byte("sbom"))
	l := opened(t, built)
	gone, err := l.Untag(t.Context(), []layout.Reference{{Name: "a"}}, layout.UntagOptions{WithReferrers: true})
	if err != nil || len(gone) != 1 {
		t.Errorf("untagged %+v, %v", gone, err)
	}
	if found, err := l.FindReferrers(t.Context(), layout.ReferrerQuery{Subject: image}); err != nil || len(found) != 1 {
		t.Errorf("found %v, %v", found, err)
	}
	_, err = l.Untag(t.Context(), []layout.Reference{{Name: "b"}}, layout.UntagOptions{WithReferrers: true, Keep: true})
	if !errors.Is(err, content.ErrInvalid) {
		t.Errorf("both: %v", err)
	}
}

// TestReferrersOfChildrenGoToo, unless another index has the child.
func TestReferrersOfChildrenGoToo(t *testing.T) {
	built := build.NewLayout()
	child, shared := built.Image(build.Image{}), built.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})
	index := built.Index(child, shared)
	built.Tag("app", index)
	built.Tag("arm", built.Index(shared))
	gone, stays := built.Attach(child, "a/b", []byte("of one")), built.Attach(shared, "a/b", []byte("of both"))
	for name, drop := range map[string]func(*layout.Layout) error{
		"untag": func(l *layout.Layout) error {
			changes, err := l.Untag(t.Context(), []layout.Reference{{Name: "app"}}, layout.UntagOptions{WithReferrers: true})
			if len(changes) < 2 {
				t.Errorf("untagged %+v", changes)
			}
			return err
		},
		"delete": func(l *layout.Layout) error {
			deleted, err := l.Delete(t.Context(), index.Digest, true)
			if !slices.Equal(deleted.Referrers, []content.Digest{gone.Digest}) {
				t.Errorf("deleted %+v", deleted)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := opened(t, built)
			if err := drop(l); err != nil {
				t.Fatal(err)
			}
			collect(t, l, layout.GCOptions{})
			left := present(t, l)
			if left[child.Digest] || left[gone.Digest] || !left[shared.Digest] || !left[stays.Digest] {
				t.Errorf("left are %v", left)
			}
		})
	}
}
