//go:build amd64

package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/verify"
)

// A command is what is tortured: it runs in a copy of the scene.
type command struct {
	title  string
	args   []string
	target string // the layout that it changes, or reads
	output string // the file that it writes, if any
	once   bool   // done again it finds nothing to do, and says so with exit code 3
}

// commands are those that write.
var commands = []command{
	{title: "import", args: []string{"import", "in/new.tar", "layout"}, target: "layout"},
	{title: "import into a new layout", args: []string{"import", "in/new.tar", "fresh"}, target: "fresh"},
	{title: "copy", args: []string{"copy", "in/other", "layout"}, target: "layout"},
	{title: "tag", args: []string{"tag", "layout:app:v1", "more:1", "more:2"}, target: "layout"},
	{title: "untag", args: []string{"untag", "layout:app:v2"}, target: "layout", once: true},
	{title: "attach", args: []string{"attach", "layout:app:v1", "in/note.txt:text/plain"}, target: "layout"},
	{title: "mutate", args: []string{"mutate", "layout:app:v1", "--tag", "app:edited", "--label", "a=b"}, target: "layout"},
	{title: "prune", args: []string{"prune", "--keep", "1", "--by", "semver", "layout"}, target: "layout"},
	{title: "gc", args: []string{"gc", "--grace", "0s", "layout"}, target: "layout"},
	{title: "export", args: []string{"export", "layout", "out/all.tar"}, target: "layout", output: "out/all.tar"},
	{title: "export over a file", args: []string{"export", "layout", written}, target: "layout", output: written},
}

// written is a file that is there before every command.
const written = "out/old.tar"

// stage makes the scene that every command begins with: a layout of two images
// and what nothing reaches, an archive, another layout, and a file.
func stage(t testing.TB, dir string) {
	t.Helper()
	image := func(l *build.Layout, name, text string) {
		l.Tag("docker.io/library/"+name, l.Image(build.Image{Layers: []build.Layer{
			{Files: []build.File{build.Text("base", "shared by all")}},
			{Files: []build.File{build.Text("text", text)}, Compression: "none"},
		}}))
	}
	base, other, archive := build.NewLayout(), build.NewLayout(), build.NewLayout()
	image(base, "app:v1", "one")
	image(base, "app:v2", "two")
	base.Put("", []byte("nothing reaches this"))
	base.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("gone", "nor this")}}}})
	image(other, "other:v1", "three")
	other.Attach(other.Entries[0], "text/note", []byte("said of it"))
	image(archive, "new:v1", "four")
	image(archive, "new:v2", string(build.Random(4, 300_000)))
	err := errors.Join(
		base.WriteDir(filepath.Join(dir, "layout")),
		other.WriteDir(filepath.Join(dir, "in", "other")),
		os.WriteFile(filepath.Join(dir, "in", "new.tar"), archive.Tar(), 0o644),
		os.WriteFile(filepath.Join(dir, "in", "note.txt"), []byte("a note\n"), 0o644),
		os.Mkdir(filepath.Join(dir, "out"), 0o755),
		os.WriteFile(filepath.Join(dir, written), []byte("an older archive"), 0o644),
	)
	if err != nil {
		t.Fatal(err)
	}
}

// An outcome is a scene after a command that nobody disturbed.
type outcome struct {
	before []byte // index.json; nil if there was none
	after  []byte
	older  []byte // the file that it writes, before; nil if there was none
	output []byte
	blobs  []string // file names, sorted
}

// blobsIn lists the files of a layout's blobs.
func blobsIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "blobs", "sha256"))
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all, err
}

// emptyIndex says that index.json is that of a layout which was just made.
func emptyIndex(data []byte) bool {
	var index struct{ Manifests []json.RawMessage }
	return json.Unmarshal(data, &index) == nil && len(index.Manifests) == 0
}

// state says which of the outcome's states the scene in dir is in.
func (o outcome) state(dir string, c command) (string, error) {
	now, err := os.ReadFile(filepath.Join(dir, c.target, "index.json"))
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.before == nil:
		return "old", nil
	case err != nil:
		return "", err
	case bytes.Equal(now, o.after):
		return "new", nil
	case o.before != nil && bytes.Equal(now, o.before), o.before == nil && emptyIndex(now):
		return "old", nil
	}
	return "", fmt.Errorf("%s/index.json is neither the old nor the new one:\n%s", c.target, now)
}

// done says whether the command's work is there, all of it.
func (o outcome) done(dir string, c command) error {
	state, err := o.state(dir, c)
	if err != nil {
		return err
	}
	if state != "new" && !bytes.Equal(o.before, o.after) {
		return fmt.Errorf("%s/index.json is the old one", c.target)
	}
	blobs, err := blobsIn(filepath.Join(dir, c.target))
	if err != nil {
		return err
	}
	for _, name := range o.blobs {
		if _, found := slices.BinarySearch(blobs, name); !found {
			return fmt.Errorf("%s/blobs/sha256/%s is not there", c.target, name)
		}
	}
	if c.output == "" {
		return nil
	}
	out, err := os.ReadFile(filepath.Join(dir, c.output))
	if err == nil && !bytes.Equal(out, o.output) {
		err = fmt.Errorf("%s is not what an undisturbed run writes", c.output)
	}
	return err
}

// removed says whether gc has removed all that an undisturbed one removes. After a
// power cut it may be back, and the next one takes it.
func (o outcome) removed(dir string, c command) error {
	if c.title != "gc" {
		return nil
	}
	blobs, err := blobsIn(filepath.Join(dir, c.target))
	for _, name := range blobs {
		if _, found := slices.BinarySearch(o.blobs, name); !found {
			err = fmt.Errorf("%s/blobs/sha256/%s was not removed", c.target, name)
		}
	}
	return err
}

// whole holds that the file which a command writes is the old one or the new one.
func (o outcome) whole(dir string, c command) error {
	if c.output == "" {
		return nil
	}
	out, err := os.ReadFile(filepath.Join(dir, c.output))
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.older == nil:
		return nil
	case err != nil:
		return err
	case bytes.Equal(out, o.output), o.older != nil && bytes.Equal(out, o.older):
		return nil
	}
	return fmt.Errorf("%s is neither the old nor the new one: %d bytes", c.output, len(out))
}

// between counts the files that lie beside a written one because a command was killed
// between giving its output a name and renaming it over the older file.
func between(dir string) (n int, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, "out"))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".staged-") {
			n++
		}
	}
	return n, err
}

// leftovers lists what lies where it must not: beside what a layout consists of, and
// beside a written file. staged says whether one staged file is beside a written one.
func leftovers(dir string, c command, staged bool) error {
	entries, err := os.ReadDir(filepath.Join(dir, c.target))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch e.Name() {
		case "blobs", ".ocilayout", "index.json", "oci-layout":
		case "index.json.lock":
			if info, err := e.Info(); err != nil || info.Size() > 0 {
				return fmt.Errorf("%s/%s is not empty: %v", c.target, e.Name(), err)
			}
		default:
			return fmt.Errorf("%s/%s was left", c.target, e.Name())
		}
	}
	entries, err = os.ReadDir(filepath.Join(dir, "out"))
	for _, e := range entries {
		if name := "out/" + e.Name(); name != c.output && name != written && !(staged && strings.HasPrefix(e.Name(), ".staged-")) {
			return fmt.Errorf("%s was left", name)
		}
	}
	if n, errBetween := between(dir); staged && errBetween == nil && n != 1 {
		return fmt.Errorf("%d staged files are in out, want the one that was to be renamed", n)
	}
	return err
}

// sound verifies the layout in dir; an absent one, and one that was not finished and
// has no names, is sound.
func sound(dir string) error {
	r, err := layout.OpenReader(dir, layout.Options{})
	if err != nil {
		if _, errIndex := os.Stat(filepath.Join(dir, "index.json")); errIndex != nil {
			return nil
		}
		if data, errRead := os.ReadFile(filepath.Join(dir, "index.json")); errRead == nil && emptyIndex(data) {
			return nil
		}
		return err
	}
	defer func() { _ = r.Close() }() // only read
	report, err := verify.Check(context.Background(), r, nil, verify.Options{})
	if err != nil {
		return err
	}
	for _, p := range report.Problems {
		if p.Severity == verify.SeverityError {
			return fmt.Errorf("%s: %s %s %s: %s", dir, p.ID, p.Path, p.Digest, p.Message)
		}
	}
	return nil
}

// swept runs gc and holds that nothing is left which no name reaches, nor anything of
// a writer.
func swept(dir string) error {
	ctx := context.Background()
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		return err
	}
	if _, err := l.GC(ctx, layout.GCOptions{}); err != nil {
		return errors.Join(err, l.Close())
	}
	report, err := verify.Check(ctx, l.Reader, nil, verify.Options{})
	if err := errors.Join(err, l.Close()); err != nil {
		return err
	}
	for _, p := range report.Problems {
		if p.ID == verify.Unreferenced {
			return fmt.Errorf("%s: after gc: %s: %s", dir, p.Path, p.Message)
		}
	}
	staging, err := os.ReadDir(filepath.Join(dir, ".ocilayout", "staging"))
	if err == nil && len(staging) > 0 {
		err = fmt.Errorf("%s: after gc: .ocilayout/staging/%s was left", dir, staging[0].Name())
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

// names lists the names of a layout with their digests.
func names(dir string) (map[string]content.Digest, error) {
	r, err := layout.OpenReader(dir, layout.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // only read
	all := map[string]content.Digest{}
	err = r.View(context.Background(), func(x *layout.Index) error {
		for e, err := range x.Entries() {
			if err != nil {
				return err
			}
			all[e.Name()] = e.Digest
		}
		return nil
	})
	return all, err
}

// remake makes dir a copy of the scene.
func remake(dir, scene string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.CopyFS(dir, os.DirFS(scene))
}

// record runs a command undisturbed and says what came of it.
func record(dir, scene, program string, c command, data bool) (outcome, run, error) {
	var o outcome
	if err := remake(dir, scene); err != nil {
		return o, run{}, err
	}
	var err error
	if o.before, err = os.ReadFile(filepath.Join(dir, c.target, "index.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return o, run{}, err
	}
	if c.output != "" {
		if o.older, err = os.ReadFile(filepath.Join(dir, c.output)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return o, run{}, err
		}
	}
	r, err := trace(tracing{below: dir, dir: dir, env: environment(), data: data}, program, c.args...)
	if err != nil {
		return o, r, err
	}
	if r.exit != 0 {
		return o, r, fmt.Errorf("%s: exit code %d: %s", strings.Join(c.args, " "), r.exit, r.stderr)
	}
	if o.after, err = os.ReadFile(filepath.Join(dir, c.target, "index.json")); err != nil {
		return o, r, err
	}
	if o.blobs, err = blobsIn(filepath.Join(dir, c.target)); err != nil {
		return o, r, err
	}
	if c.output != "" {
		o.output, err = os.ReadFile(filepath.Join(dir, c.output))
	}
	return o, r, err
}

func kinds(calls []call) map[string]int {
	count := map[string]int{}
	for _, c := range calls {
		count[c.kind]++
	}
	return count
}

func sorted(count map[string]int) []string {
	var keys []string
	for k := range count {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
