package layout_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// stageArtifact stages an artifact of one text.
func stageArtifact(ctx context.Context, b *layout.Batch, subject content.Descriptor, text string) (content.Descriptor, error) {
	empty, err := b.PushBytes(ctx, "application/vnd.oci.empty.v1+json", []byte("{}"))
	if err != nil {
		return empty, err
	}
	m := ocispec.Manifest{
		MediaType: ocispec.MediaTypeImageManifest, ArtifactType: "a/attached", Config: empty, Layers: []content.Descriptor{empty},
		Subject: &content.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}, Annotations: map[string]string{"text": text},
	}
	m.SchemaVersion = 2
	data, err := json.Marshal(m)
	if err != nil {
		return empty, err
	}
	return b.PushBytes(ctx, m.MediaType, data)
}

func emptyConfig(t *testing.T, b *layout.Batch) []byte {
	t.Helper()
	d, err := b.PushBytes(t.Context(), "application/vnd.oci.empty.v1+json", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	return build.JSON(d)
}

// attacher attaches its artifacts, one Update each.
func attacher(dir, subject, id, count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	ctx := context.Background()
	l, err := layout.Open(dir, layout.Options{NoSync: true, LockTimeout: -1})
	if err != nil {
		return err
	}
	d, err := l.Resolve(ctx, subject)
	if err != nil {
		return err
	}
	for i := range n {
		b := l.Batch()
		a, err := stageArtifact(ctx, b, d, id+"-"+strconv.Itoa(i))
		if err != nil {
			return err
		}
		if err := l.Update(ctx, func(tx *layout.Tx) error { return tx.AddReferrer(ctx, b, d, a) }); err != nil {
			return err
		}
		if err := b.Close(); err != nil {
			return err
		}
		found, err := l.FindReferrers(ctx, layout.ReferrerQuery{Subject: d})
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(found, func(r layout.Referrer) bool { return r.Digest == a.Digest }) {
			return fmt.Errorf("%s is attached and not found among %d", a.Digest, len(found))
		}
	}
	return l.Close()
}

// TestManyAttachers has 32 processes attach to one subject, and ask, at once.
func TestManyAttachers(t *testing.T) {
	processes, each := 32, 3
	if testing.Short() {
		processes = 8
	}
	built := build.NewLayout()
	image := built.Image(build.Image{})
	built.Tag("app", image)
	pad(built)
	l, err := layout.Open(testkit.Layout(t, built), layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	find(t, l.Reader, layout.ReferrerQuery{Subject: image})
	var all []*exec.Cmd
	for i := range processes {
		cmd := process(t, "attacher", l.Path(), "app", strconv.Itoa(i), strconv.Itoa(each))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, cmd)
	}
	for i, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v", i, err)
		}
	}
	found := find(t, l.Reader, layout.ReferrerQuery{Subject: image})
	texts := map[string]bool{}
	for _, f := range found {
		texts[f.Annotations["text"]] = true
	}
	if len(found) != processes*each || len(texts) != processes*each {
		t.Errorf("%d referrers with %d texts, want %d", len(found), len(texts), processes*each)
	}
	if n := countIndexes(t, l); n != 1 {
		t.Errorf("%d lists are left", n)
	}
}

// foreign changes index.json as a tool does that knows nothing of us.
func foreign(t *testing.T, dir string, edit func(*ocispec.Index)) {
	t.Helper()
	path := filepath.Join(dir, "index.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var index ocispec.Index
	if err := json.Unmarshal(data, &index); err != nil {
		t.Fatal(err)
	}
	edit(&index)
	if err := os.WriteFile(path, build.JSON(index), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestCatalogAgreesWithManifests changes a layout at random, by our own hand and
// others', and compares what is found of every subject with a reading of all.
func TestCatalogAgreesWithManifests(t *testing.T) {
	built := build.NewLayout()
	pad(built)
	dir := testkit.Layout(t, built, testkit.BrokenOK)
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	subjects := slices.Clone(built.Entries[:6])
	rng := rand.New(rand.NewPCG(1, 1))
	for step := range 60 {
		subject := subjects[rng.IntN(len(subjects))]
		switch rng.IntN(6) {
		case 0, 1:
			subjects = append(subjects, attach(t, l, subject, fmt.Sprint(step)))
		case 2:
			found := find(t, l.Reader, layout.ReferrerQuery{Subject: subject})
			err := l.Update(t.Context(), func(tx *layout.Tx) error {
				for _, f := range found {
					if err := tx.RemoveReferrer(t.Context(), nil, subject.Digest, f.Digest); err != nil {
						return err
					}
					if _, err := tx.RemoveDigest(f.Digest); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		case 3:
			a := attach(t, l, subject, fmt.Sprint(step))
			foreign(t, dir, func(x *ocispec.Index) { x.Manifests = append(x.Manifests, a) })
		case 4:
			foreign(t, dir, func(x *ocispec.Index) {
				n := rng.IntN(len(x.Manifests))
				x.Manifests = slices.Delete(x.Manifests, n, n+1)
			})
		case 5:
			if err := os.RemoveAll(filepath.Join(dir, ".ocilayout", "catalog.seal")); err != nil {
				t.Fatal(err)
			}
		}
		m, err := l.ReferrerMap(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, subject := range subjects {
			var got, want []content.Digest
			for _, f := range find(t, l.Reader, layout.ReferrerQuery{Subject: subject}) {
				got = append(got, f.Digest)
			}
			for _, d := range m.Of(subject.Digest) {
				want = append(want, d.Digest)
			}
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("step %d: of %s %v, want %v", step, subject.Digest, got, want)
			}
		}
	}
}

// TestChangeWithoutATrace rewrites index.json in place, with the same size, and
// gives it its old time back.
func TestChangeWithoutATrace(t *testing.T) {
	built := build.NewLayout()
	pad(built)
	image := built.Entries[0]
	one, two := built.Artifact("a/one", &image, []byte("1")), built.Artifact("a/two", &image, []byte("2"))
	built.Add(one)
	dir := testkit.Layout(t, built, testkit.BrokenOK)
	r, err := layout.OpenReader(dir, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	path := filepath.Join(dir, "index.json")
	for i := range 20 {
		from, to := one, two
		if i%2 == 1 {
			from, to = two, one
		}
		if got := kinds(find(t, r, layout.ReferrerQuery{Subject: image})); !slices.Equal(got, []string{from.ArtifactType + " subject"}) {
			t.Fatalf("round %d: %q", i, got)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data = bytes.ReplaceAll(data, []byte(from.Digest), []byte(to.Digest))
		data = bytes.ReplaceAll(data, []byte(from.ArtifactType), []byte(to.ArtifactType))
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAbsentReferrerComes: it is led to all the time, and found when it is there.
func TestAbsentReferrerComes(t *testing.T) {
	built := build.NewLayout()
	pad(built)
	image := built.Entries[0]
	a := built.Artifact("a/late", &image, []byte("1"))
	data := built.Blobs[a.Digest]
	delete(built.Blobs, a.Digest)
	built.Tag(build.FallbackTag(image.Digest), built.Index(a))
	dir := testkit.Layout(t, built, testkit.BrokenOK)
	r, err := layout.OpenReader(dir, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := find(t, r, layout.ReferrerQuery{Subject: image}); len(got) != 0 {
		t.Fatalf("found %v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, build.BlobPath(a.Digest)), data, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := kinds(find(t, r, layout.ReferrerQuery{Subject: image})); !slices.Equal(got, []string{"a/late subject"}) {
		t.Errorf("found %q", got)
	}
}

// TestNoCatalogWhereNoneMayBe: an archive, a link in the place of our state, and a
// file in its place. The answers are the same.
func TestNoCatalogWhereNoneMayBe(t *testing.T) {
	built := build.NewLayout()
	pad(built)
	image := built.Entries[0]
	built.Attach(image, "a/b", []byte("1"))
	ask := func(t *testing.T, path string) {
		t.Helper()
		r, err := layout.OpenReader(path, layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if got := kinds(find(t, r, layout.ReferrerQuery{Subject: image})); !slices.Equal(got, []string{"a/b subject"}) {
			t.Errorf("found %q", got)
		}
	}
	t.Run("archive", func(t *testing.T) {
		path := testkit.Archive(t, "l.tar", built.Files()...)
		ask(t, path)
		if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
			t.Errorf("beside the archive are %v", entries)
		}
	})
	t.Run("file in its place", func(t *testing.T) {
		dir := testkit.Layout(t, built)
		if err := os.WriteFile(filepath.Join(dir, ".ocilayout"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		ask(t, dir)
	})
	t.Run("state elsewhere behind a link", func(t *testing.T) {
		dir, elsewhere := testkit.Layout(t, built), t.TempDir()
		if err := os.Symlink(elsewhere, filepath.Join(dir, ".ocilayout")); err != nil {
			t.Skip(err)
		}
		ask(t, dir)
		if entries, _ := os.ReadDir(elsewhere); len(entries) != 0 {
			t.Errorf("behind the link are %v", entries)
		}
	})
	t.Run("read-only", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root writes everywhere")
		}
		dir := testkit.Layout(t, built)
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Chmod(dir, 0o755) }() // for the cleanup
		ask(t, dir)
	})
}
