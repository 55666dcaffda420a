package testkit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/consumer"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/export"
	"github.com/ocilayout/ocilayout/ingest"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/verify"
)

// leastVectors must be there, or the corpus went away.
const leastVectors = 310

// TestVectors takes every vector of testdata/vectors through every door.
func TestVectors(t *testing.T) {
	all, err := vector.Load("../../testdata/vectors", leastVectors)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			switch v.Kind {
			case "reference":
				referenceDoor(t, v)
			case "platform":
				platformDoor(t, v)
			case "docker-archive", "rootfs":
				importDoor(t, v, v.Body)
			case "oci-archive":
				archive := testkit.File(t, "vector.tar", v.Body)
				verifyDoor(t, v, archive)
				readDoors(t, v, archive)
				importDoor(t, v, v.Body)
			default:
				files := v.Files()
				dir := filepath.Join(t.TempDir(), "layout")
				if err := build.WriteDir(dir, files...); err != nil {
					t.Fatal(err)
				}
				archive := build.Tar(files...)
				for _, path := range []string{dir, testkit.File(t, "vector.tar", archive)} {
					verifyDoor(t, v, path)
					readDoors(t, v, path)
				}
				importDoor(t, v, archive)
			}
		})
	}
}

// outcome is the word of a vector for an error.
func outcome(err error) string {
	for _, kind := range []struct {
		is   error
		word string
	}{
		{content.ErrInvalid, "invalid"}, {content.ErrAmbiguous, "ambiguous"}, {content.ErrCorrupt, "corrupt"},
		{content.ErrRefused, "refused"}, {content.ErrUnsupported, "unsupported"}, {content.ErrNotFound, "not-found"},
	} {
		if errors.Is(err, kind.is) {
			return kind.word
		}
	}
	if err != nil {
		return "failed: " + err.Error()
	}
	return "ok"
}

// verifyDoor opens a layout in place and verifies it.
func verifyDoor(t *testing.T, v vector.Vector, path string) {
	t.Helper()
	r, err := layout.OpenReader(path, layout.Options{})
	if err != nil {
		if outcome(err) != v.Expect || v.Problem != nil {
			t.Errorf("open of %s: %s (%v), want %s", filepath.Base(path), outcome(err), err, v.Expect)
		}
		return
	}
	defer func() { _ = r.Close() }() // only read
	report, err := verify.Check(context.Background(), r, nil, optionsOf(t, v))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, p := range report.Problems {
		ids = append(ids, p.ID)
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); !slices.Equal(ids, v.Problem) {
		t.Errorf("verify of %s: %v, want %v\n%+v", filepath.Base(path), ids, v.Problem, report.Problems)
	}
	if report.OK != (v.Expect == "ok") {
		t.Errorf("verify of %s: ok is %v, want %s", filepath.Base(path), report.OK, v.Expect)
	}
}

// optionsOf are those that the header of a vector asks for.
func optionsOf(t *testing.T, v vector.Vector) (o verify.Options) {
	t.Helper()
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if level := v.Values["level"]; level != "" {
		o.Level, err = verify.ParseLevel(level)
		check(err)
	}
	for want := range strings.SplitSeq(v.Values["require"], ", ") {
		if kind, value, _ := strings.Cut(want, ":"); kind == "referrer" {
			o.Referrers = append(o.Referrers, value)
		} else if kind == "platform" {
			p, err := content.ParsePlatform(value)
			check(err)
			o.Platforms = append(o.Platforms, p)
		}
	}
	if who := v.Values["for"]; who != "" {
		c, err := consumer.Parse(who)
		check(err)
		o.For = append(o.For, c)
	}
	o.AllowMissing = v.Values["allow-missing"] == "true"
	o.Expect, err = verify.ParseExpectations("expect-file", strings.NewReader(v.Values["expect-file"]))
	check(err)
	return o
}

// whole says whether the content of a vector is sound, and all of it is there, however
// its layout is checked.
func whole(v vector.Vector) bool {
	return v.Expect == "ok" && v.Values["level"] == "" && v.Values["allow-missing"] == ""
}

// readDoors looks at a layout in every way there is, and copies all of it to
// another. Of a sound one nothing may fail, and nothing may be lost; of any other
// the copy holds no content but what is proven, or is as it was.
func readDoors(t *testing.T, v vector.Vector, path string) {
	t.Helper()
	ctx := context.Background()
	r, err := layout.OpenReader(path, layout.Options{})
	if err != nil {
		return // told by verifyDoor
	}
	defer func() { _ = r.Close() }() // only read
	referrersDoor(t, v, r)
	_, referrersErr := r.ReferrerMap(ctx)
	_, treeErr := layout.BuildTrees(ctx, r, layout.Reference{})
	var listErr error
	for _, err := range r.List(ctx, layout.ListOptions{All: true, Details: true}) {
		listErr = errors.Join(listErr, err)
	}
	to := testkit.Layout(t, nil, testkit.BrokenOK)
	before := indexOf(t, to)
	copyErr := copyTo(ctx, r, to)
	if copyErr != nil && !bytes.Equal(before, indexOf(t, to)) {
		t.Errorf("copy of %s failed and changed index.json", filepath.Base(path))
	}
	if whole(v) {
		for what, err := range map[string]error{"referrers": referrersErr, "tree": treeErr, "list": listErr, "copy": copyErr} {
			if err != nil && !slices.Contains(v.Problem, verify.Unverifiable) {
				t.Errorf("%s of %s: %v", what, filepath.Base(path), err)
			}
		}
		testkit.Sound(t, to)
	}
	for _, p := range testkit.Verify(t, to).Problems {
		if p.ID == verify.BlobDigest || p.ID == verify.BlobType {
			t.Errorf("copy of %s: %+v", filepath.Base(path), p)
		}
	}
	if !whole(v) || copyErr != nil {
		return
	}
	copied := open(t, to)
	referrersDoor(t, v, copied)
	if d, err := layout.Diff(ctx, r, copied, layout.DiffOptions{}); err != nil || !d.Equal {
		t.Errorf("a copy of %s holds other than its layout: %+v, %v", filepath.Base(path), d, err)
	}
}

// referrersDoor asks what refers to the subject of a sound layout, in any form.
func referrersDoor(t *testing.T, v vector.Vector, r *layout.Reader) {
	t.Helper()
	if v.Kind != "layout" || v.Expect != "ok" {
		return
	}
	subject := content.Digest(v.Subject)
	if subject == "" {
		subject = firstEntry(t, v)
	}
	if content.CheckDigest(subject) != nil {
		return // no entry, or one that only names what it is
	}
	found, err := r.FindReferrers(context.Background(), layout.ReferrerQuery{
		Subject: content.Descriptor{Digest: subject}, Legacy: true, Recursive: true,
	})
	var got []string
	for _, f := range found {
		got = append(got, string(f.Origin)+" "+f.ArtifactType)
	}
	slices.Sort(got)
	if err != nil || !slices.Equal(got, v.Referrers) {
		t.Errorf("%s refers to %s in %s, want %q (%v)", got, subject, r.Path(), v.Referrers, err)
	}
}

// firstEntry is the digest of the first entry in a vector's index.json; "" if it has
// none.
func firstEntry(t *testing.T, v vector.Vector) content.Digest {
	t.Helper()
	var index struct {
		Manifests []struct{ Digest content.Digest }
	}
	for _, f := range v.Files() {
		if f.Name != "index.json" {
			continue
		}
		if err := json.Unmarshal(f.Body, &index); err != nil {
			t.Fatal(err)
		}
	}
	if len(index.Manifests) == 0 {
		return ""
	}
	return index.Manifests[0].Digest
}

func copyTo(ctx context.Context, r *layout.Reader, dir string) error {
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		return err
	}
	_, err = layout.Transfer(ctx, l, []layout.Source{{Reader: r}}, layout.TransferOptions{})
	return errors.Join(err, l.Close())
}

// importDoor imports an archive into a layout that has an image already. If that
// fails, the layout must be as it was. If not, what came out of a sound archive
// must be sound, and come out of an export as it went in.
func importDoor(t *testing.T, v vector.Vector, archive []byte) {
	t.Helper()
	ctx := context.Background()
	kept := build.NewLayout()
	kept.Tag("kept", kept.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("kept", "kept")}}}}))
	sound := testkit.BrokenOK
	if whole(v) {
		sound = 0
	}
	dir := testkit.Layout(t, kept, sound)
	before := indexOf(t, dir)
	err := importTo(ctx, dir, archive, ingest.Options{Rootfs: v.Kind == "rootfs", Rename: map[bool]string{true: "rootfs"}[v.Kind == "rootfs"]})
	want := v.Import
	if want == "" {
		want = v.Expect
	}
	if got := outcome(err); got != want {
		t.Errorf("import: %s (%v), want %s", got, err, want)
	}
	if err != nil {
		if !bytes.Equal(before, indexOf(t, dir)) {
			t.Error("import failed and changed index.json")
		}
		return
	}
	exportDoor(t, v, dir)
}

func importTo(ctx context.Context, dir string, archive []byte, o ingest.Options) error {
	l, err := layout.Init(ctx, dir, layout.Options{NoSync: true})
	if err != nil {
		return err
	}
	_, err = ingest.Import(ctx, l, ingest.Source{Reader: bytes.NewReader(archive), Name: "vector"}, o)
	return errors.Join(err, l.Close())
}

// exportDoor exports a layout and imports that: nothing is lost, and a second
// export is the same bytes. Of what is not sound the export may fail.
func exportDoor(t *testing.T, v vector.Vector, dir string) {
	t.Helper()
	ctx := context.Background()
	first, err := exported(ctx, dir)
	if err != nil {
		if whole(v) {
			t.Errorf("export of what was imported: %v", err)
		}
		return
	}
	again := filepath.Join(t.TempDir(), "again")
	if err := importTo(ctx, again, first, ingest.Options{}); err != nil {
		t.Errorf("import of an export: %v", err)
		return
	}
	second, err := exported(ctx, again)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("export of an import of an export is not the same bytes (%v)", err)
	}
	if !whole(v) {
		return
	}
	testkit.Sound(t, again)
	a, b := open(t, dir), open(t, again)
	referrersDoor(t, v, a)
	referrersDoor(t, v, b)
	if d, err := layout.Diff(ctx, a, b, layout.DiffOptions{}); err != nil || !d.Equal {
		t.Errorf("an export holds other than its layout: %+v, %v", d, err)
	}
}

func exported(ctx context.Context, dir string) ([]byte, error) {
	r, err := layout.OpenReader(dir, layout.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // only read
	roots, err := export.Select(ctx, r, layout.Reference{})
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	_, err = export.ToWriter(ctx, &buf, roots, export.Options{})
	return buf.Bytes(), err
}

func open(t *testing.T, path string) *layout.Reader {
	t.Helper()
	r, err := layout.OpenReader(path, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func indexOf(t *testing.T, dir string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func referenceDoor(t *testing.T, v vector.Vector) {
	t.Helper()
	got, err := layout.ParseReference(string(v.Body))
	if outcome(err) != v.Expect {
		t.Fatalf("%q: %s (%v), want %s", v.Body, outcome(err), err, v.Expect)
	}
	want := layout.Reference{Layout: v.Values["layout"], Name: v.Values["name"], Digest: content.Digest(v.Values["digest"])}
	if err == nil && got != want {
		t.Errorf("%q: %+v, want %+v", v.Body, got, want)
	}
}

func platformDoor(t *testing.T, v vector.Vector) {
	t.Helper()
	got, err := content.ParsePlatform(string(v.Body))
	if outcome(err) != v.Expect {
		t.Fatalf("%q: %s (%v), want %s", v.Body, outcome(err), err, v.Expect)
	}
	if err == nil && content.FormatPlatform(got) != v.Values["platform"] {
		t.Errorf("%q: %s, want %s", v.Body, content.FormatPlatform(got), v.Values["platform"])
	}
}
