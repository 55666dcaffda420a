package testkit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/export"
	"github.com/ocilayout/ocilayout/ingest"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/gen"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/verify"
)

// FuzzLayout takes a sound layout, changes its files as a program says (see mangle),
// and takes what comes of it through every door, as a directory or as an archive: none
// panics or hangs, every error has a kind and one line, what fails changes no
// index.json, and what verify calls sound goes out and in again and is what it was.
func FuzzLayout(f *testing.F) {
	var bases []vector.Vector
	for _, v := range gen.All() {
		if v.Kind == "layout" && whole(v) && len(v.Body) < 256<<10 {
			bases = append(bases, v)
		}
	}
	const leastBases = 50
	if len(bases) < leastBases {
		f.Fatalf("%d sound layouts, want %d", len(bases), leastBases)
	}
	random := rand.New(rand.NewPCG(9, 9))
	for i := range bases {
		f.Add(uint8(i), false, []byte{})
		for steps := range 3 {
			program := make([]byte, 4<<steps)
			for j := range program {
				program[j] = byte(random.Uint32())
			}
			f.Add(uint8(i), steps%2 == 0, append(program, mendStep...))
		}
	}
	work := f.TempDir()
	f.Fuzz(func(t *testing.T, base uint8, packed bool, program []byte) {
		if len(program) > 256 {
			t.Skip("no longer ones")
		}
		files := mangle(bases[int(base)%len(bases)].Files(), program)
		d := doors{t: t, work: work}
		for _, name := range []string{"layout", "layout.tar", "copy", "imported", "again"} {
			if err := os.RemoveAll(filepath.Join(work, name)); err != nil {
				t.Fatal(err)
			}
		}
		archive := build.Tar(files...)
		path := filepath.Join(work, "layout")
		if packed {
			path += ".tar"
			if err := os.WriteFile(path, archive, 0o644); err != nil {
				t.Fatal(err)
			}
		} else if build.WriteDir(path, files...) != nil {
			t.Skip("no such directory can be")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		d.read(ctx, path)
		d.take(ctx, archive)
	})
}

// doors are those that FuzzLayout goes through.
type doors struct {
	t    *testing.T
	work string
}

// tell holds an error to what all of them must be, and says whether it is none.
func (d doors) tell(door string, err error) bool {
	d.t.Helper()
	if err == nil {
		return true
	}
	if word := outcome(err); strings.HasPrefix(word, "failed") && !errors.Is(err, content.ErrConflict) {
		d.t.Errorf("%s: an error of no kind: %v", door, err)
	}
	if strings.ContainsAny(err.Error(), "\n\r") {
		d.t.Errorf("%s: an error of several lines: %q", door, err)
	}
	return false
}

// read opens a layout and looks at it in every way.
func (d doors) read(ctx context.Context, path string) {
	d.t.Helper()
	r, err := layout.OpenReader(path, layout.Options{})
	if !d.tell("open", err) {
		return
	}
	defer func() { _ = r.Close() }() // only read
	sound, checkable, ambiguous := d.verify(ctx, r)
	must := func(door string, err error) {
		d.t.Helper()
		if !d.tell(door, err) && sound && checkable {
			d.t.Errorf("%s of what verify calls sound: %v", door, err)
		}
	}
	_, err = layout.BuildTrees(ctx, r, layout.Reference{})
	must("tree", err)
	_, err = r.ReferrerMap(ctx)
	must("referrers", err)
	entries := 0
	for l, err := range r.List(ctx, layout.ListOptions{All: true, Details: true}) {
		must("ls", err)
		if err != nil {
			continue
		}
		if entries++; entries < 8 && content.CheckDigest(l.Digest) == nil {
			_, err = r.FindReferrers(ctx, layout.ReferrerQuery{Subject: content.Descriptor{Digest: l.Digest}, Legacy: true, Recursive: true})
			must("referrers", err)
		}
	}
	copied := filepath.Join(d.work, "copy")
	must("copy", d.copy(ctx, r, copied))
	if sound && checkable {
		d.same(ctx, "a copy", r, copied)
	}
	if !r.IsArchive() {
		must("gc", d.collect(ctx, path))
	}
	if entries > 0 || !sound {
		d.export(ctx, r, sound && checkable, ambiguous)
	}
}

// verify says whether a layout is sound, whether all of it could be checked, and whether
// some of its JSON reads in two ways.
func (d doors) verify(ctx context.Context, r *layout.Reader) (sound, checkable, ambiguous bool) {
	d.t.Helper()
	report, err := verify.Check(ctx, r, nil, verify.Options{Workers: 1, Level: verify.Full})
	if !d.tell("verify", err) {
		return false, false, false
	}
	checkable = true
	for _, p := range report.Problems {
		if strings.ContainsAny(p.Message, "\n\r") {
			d.t.Errorf("verify: a message of several lines: %q", p.Message)
		}
		checkable = checkable && p.ID != verify.Unverifiable
		ambiguous = ambiguous || p.ID == verify.JSONAmbiguous
	}
	return report.OK, checkable, ambiguous
}

// copy copies a layout to a new one. If it fails, that has no entries.
func (d doors) copy(ctx context.Context, r *layout.Reader, dir string) error {
	d.t.Helper()
	l, err := layout.Init(ctx, dir, layout.Options{NoSync: true})
	if err != nil {
		d.t.Fatal(err)
	}
	before := indexOf(d.t, dir)
	_, err = layout.Transfer(ctx, l, []layout.Source{{Reader: r}}, layout.TransferOptions{})
	if err != nil && !bytes.Equal(before, indexOf(d.t, dir)) {
		d.t.Errorf("copy failed and changed index.json: %v", err)
	}
	if cerr := l.Close(); cerr != nil {
		d.t.Error(cerr)
	}
	return err
}

func (d doors) collect(ctx context.Context, dir string) error {
	d.t.Helper()
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		return err
	}
	_, err = l.GC(ctx, layout.GCOptions{DryRun: true})
	return errors.Join(err, l.Close())
}

// export exports a layout, and a sound one again after an import: nothing is lost. An
// entry keeps its bytes, and so may be refused by the import if it reads in two ways.
func (d doors) export(ctx context.Context, r *layout.Reader, sound, ambiguous bool) {
	d.t.Helper()
	roots, err := export.Select(ctx, r, layout.Reference{})
	var archive bytes.Buffer
	if err == nil {
		_, err = export.ToWriter(ctx, &archive, roots, export.Options{})
	}
	if !d.tell("export", err) {
		if sound {
			d.t.Errorf("export of what verify calls sound: %v", err)
		}
		return
	}
	again := filepath.Join(d.work, "again")
	if err := d.put(ctx, again, archive.Bytes()); !d.tell("import of an export", err) {
		if !ambiguous {
			d.t.Errorf("import of an export: %v", err)
		}
		return
	}
	if sound {
		d.same(ctx, "what was exported and imported", r, again)
	}
}

// take imports an archive into a new layout: what is in there is sound.
func (d doors) take(ctx context.Context, archive []byte) {
	d.t.Helper()
	imported := filepath.Join(d.work, "imported")
	if !d.tell("import", d.put(ctx, imported, archive)) {
		return
	}
	r, err := layout.OpenReader(imported, layout.Options{})
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = r.Close() }() // only read
	report, err := verify.Check(ctx, r, nil, verify.Options{Workers: 1})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, p := range report.Problems {
		if p.ID == verify.BlobDigest || p.ID == verify.BlobSize {
			d.t.Errorf("import: %+v", p)
		}
	}
}

func (d doors) put(ctx context.Context, dir string, archive []byte) error {
	d.t.Helper()
	l, err := layout.Init(ctx, dir, layout.Options{NoSync: true})
	if err != nil {
		d.t.Fatal(err)
	}
	before := indexOf(d.t, dir)
	_, err = ingest.Import(ctx, l, ingest.Source{Reader: bytes.NewReader(archive), Name: "layout.tar"}, ingest.Options{})
	if err != nil && !bytes.Equal(before, indexOf(d.t, dir)) {
		d.t.Errorf("import failed and changed index.json: %v", err)
	}
	if cerr := l.Close(); cerr != nil {
		d.t.Error(cerr)
	}
	return err
}

// same holds that a layout has what another has.
func (d doors) same(ctx context.Context, what string, r *layout.Reader, dir string) {
	d.t.Helper()
	other, err := layout.OpenReader(dir, layout.Options{})
	if err != nil {
		d.t.Errorf("%s: %v", what, err)
		return
	}
	defer func() { _ = other.Close() }() // only read
	if sound, _, _ := d.verify(ctx, other); !sound {
		d.t.Errorf("%s is not sound", what)
	}
	diff, err := layout.Diff(ctx, r, other, layout.DiffOptions{})
	if err == nil && !diff.Equal {
		diff, err = d.butSubjects(ctx, r, diff)
	}
	if err != nil || !diff.Equal {
		d.t.Errorf("%s is not what it was: %s, %v", what, fmt.Sprintf("%+v", diff), err)
	}
}

// butSubjects takes out of a difference what no entry leads to but as the subject of
// something, or from there: it stays behind, and referrers that dangle are no error.
func (d doors) butSubjects(ctx context.Context, r *layout.Reader, diff layout.Difference) (layout.Difference, error) {
	var roots []content.Descriptor
	err := r.View(ctx, func(x *layout.Index) error {
		for e, err := range x.Entries() {
			if err != nil {
				return err
			}
			roots = append(roots, e.Descriptor)
		}
		return nil
	})
	led := map[content.Digest]bool{}
	if err == nil {
		err = content.Walk(ctx, r, roots, content.WalkOptions{Seen: led}, func(content.Node) error { return nil })
	}
	diff.Blobs.Removed = slices.DeleteFunc(diff.Blobs.Removed, func(b content.Digest) bool { return !led[b] })
	diff.Referrers.Removed = slices.DeleteFunc(diff.Referrers.Removed, func(e layout.ReferrerEdge) bool { return !led[e.Digest] })
	names, referrers := diff.Names, diff.Referrers
	diff.Equal = len(diff.Blobs.Removed)+len(diff.Blobs.Added)+len(names.Added)+len(names.Removed)+len(names.Moved)+
		len(referrers.Added)+len(referrers.Removed) == 0
	return diff, err
}
