package consumer_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/consumer"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// newLayout makes an empty layout, which is verified when the test ends.
func newLayout(t testing.TB) *layout.Layout {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	l, err := layout.Init(context.Background(), dir, layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		testkit.Sound(t, dir)
	})
	return l
}

// written are the bytes of the entries that a selection keeps, sorted.
func written(s consumer.Selection) string {
	var raws []string
	for _, k := range s.Kept {
		raws = append(raws, string(k.Entry.Raw))
	}
	slices.Sort(raws)
	return strings.Join(raws, "\n")
}

// TestSelectionStays: what is selected of any layout does not depend on the order of its
// entries, and copied to another layout it is selected there as it is.
func TestSelectionStays(t *testing.T) {
	ctx := context.Background()
	for _, c := range cases {
		l := build.NewLayout()
		c.make(l)
		r := open(t, l)
		facts := look(t, r, c.chosen)
		for _, who := range consumer.All() {
			t.Run(c.name+"/"+string(who), func(t *testing.T) {
				o := c.options
				o.Directory = true
				first := consumer.Select(who, facts, o)
				turned := slices.Clone(facts)
				slices.Reverse(turned)
				again := consumer.Select(who, turned, o)
				if (first.Err() == nil) != (again.Err() == nil) || !slices.Equal(first.Names(), again.Names()) {
					t.Fatalf("%s, and in another order %s", outcome(first), outcome(again))
				}
				if first.Err() != nil || strings.HasPrefix(string(who), "docker-") { // docker has the rules of both
					return
				}
				if rulesOf(first.LeftOut) != "name-twice" && written(first) != written(again) {
					t.Errorf("entries\n%s\nand in another order\n%s", written(first), written(again))
				}
				dst := newLayout(t)
				copied, _, err := consumer.Copy(ctx, dst, []layout.Source{{Reader: r}}, consumer.CopyOptions{
					For: who, Platforms: o.Platforms, Name: o.Name, Repository: o.Repository})
				if err != nil {
					t.Fatal(err)
				}
				kept := consumer.Select(who, look(t, dst.Reader, true), consumer.Options{Directory: true})
				if kept.Err() != nil || len(kept.LeftOut) > 0 || !slices.Equal(kept.Names(), copied.Names()) {
					t.Errorf("%s was copied, and there it is %s", outcome(copied), outcome(kept))
				}
				for _, k := range kept.Kept {
					if k.Content != nil || string(k.Entry.Raw) != string(k.Facts.Entry.Raw) {
						t.Errorf("%s would change what it was given: %s", who, k.Facts.Entry.Raw)
					}
				}
			})
		}
	}
}

func copyTo(t *testing.T, dst *layout.Layout, src *layout.Reader, name string, o consumer.CopyOptions) (consumer.Selection, error) {
	t.Helper()
	s, _, err := consumer.Copy(context.Background(), dst, []layout.Source{{Reader: src, Ref: layout.Reference{Name: name}}}, o)
	return s, err
}

func entryNames(t *testing.T, r *layout.Reader) []string {
	t.Helper()
	var names []string
	for _, f := range look(t, r, false) {
		names = append(names, f.Entry.Name())
	}
	return names
}

// TestCopyNarrows: a new index holds only what comes along, and is whole.
func TestCopyNarrows(t *testing.T) {
	l := build.NewLayout()
	both(l)
	src := open(t, l)
	for _, c := range []struct {
		who                     consumer.Consumer
		name                    string
		platforms               []content.Platform
		children, images        int
		index, sameDigest, full bool
	}{
		{"kind", "one.example/app", nil, 3, 2, true, true, true},
		{"kind", "one.example/app", []content.Platform{arm64}, 1, 1, false, false, true},
		{"kind", "one.example/app", []content.Platform{arm64, amd64}, 3, 2, true, true, true},
		{"ctr", "one.example/app", []content.Platform{amd64}, 3, 2, true, true, false}, // sparse: the attestation comes along
		{"bazel", "one.example/app", nil, 3, 2, true, true, true},
		{"scan", "one.example/app", nil, 1, 1, false, false, true},
	} {
		dst := newLayout(t)
		s, err := copyTo(t, dst, src, c.name, consumer.CopyOptions{For: c.who, Platforms: c.platforms})
		if err != nil {
			t.Fatal(c, err)
		}
		f := look(t, dst.Reader, false)[0]
		images, full := 0, true
		for _, child := range f.Children {
			full = full && child.Present()
			if child.Image {
				images++
			}
		}
		if len(f.Children) != c.children || images != c.images || f.IsIndex() != c.index || full != c.full ||
			(f.Entry.Digest == s.Kept[0].Facts.Entry.Digest) != c.sameDigest {
			t.Errorf("%+v: %d children, %d images, %+v", c, len(f.Children), images, f.Entry.Descriptor)
		}
	}
}

// TestNewIndex: an index that is narrowed keeps the fields that nobody here knows, and
// the descriptors of what stays in it.
func TestNewIndex(t *testing.T) {
	l := build.NewLayout()
	far := image(l, "linux/arm64", "app")
	near := image(l, "linux/amd64", "app")
	near.Annotations = map[string]string{"kept": "yes"}
	l.Tag("docker.io/library/app:v1", l.Put("application/vnd.oci.image.index.v1+json",
		[]byte(`{"schemaVersion": 2, "x-unknown": [1e3], "manifests":[`+string(build.JSON(far))+", "+string(build.JSON(near))+`], "annotations":{"a":"b"}}`)))
	remove(l, far)
	s := consumer.Select(consumer.Kind, look(t, open(t, l), false), consumer.Options{})
	want := `{"schemaVersion":2,"x-unknown":[1e3],"manifests":[` + string(build.JSON(near)) + `],"annotations":{"a":"b"}}`
	if got := string(s.Kept[0].Content); got != want {
		t.Errorf("index\n%s, want\n%s", got, want)
	}
}

// TestCopyRefuses: a destination with what the consumer does not take is refused, and
// stays as it was.
func TestCopyRefuses(t *testing.T) {
	l := build.NewLayout()
	both(l)
	l.Tag("short:v1", image(l, "linux/amd64", "short"))
	src := open(t, l)
	dst := newLayout(t)
	if _, err := copyTo(t, dst, src, "one.example/app", consumer.CopyOptions{For: consumer.Bazel}); err != nil {
		t.Fatal(err)
	}
	if _, err := copyTo(t, dst, src, "one.example/app", consumer.CopyOptions{For: consumer.Bazel}); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if _, err := copyTo(t, dst, src, "two.example/db", consumer.CopyOptions{For: consumer.Bazel}); !errors.Is(err, content.ErrRefused) {
		t.Errorf("a second image for bazel: %v, want refused", err)
	}
	if _, err := copyTo(t, dst, src, "two.example/db", consumer.CopyOptions{For: consumer.Kind}); err != nil {
		t.Errorf("a second image for kind: %v", err)
	}
	if got := entryNames(t, dst.Reader); len(got) != 2 {
		t.Errorf("the layout holds %q", got)
	}

	whole := newLayout(t)
	if _, err := layout.Transfer(context.Background(), whole, []layout.Source{{Reader: src}}, layout.TransferOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := copyTo(t, whole, src, "two.example/db", consumer.CopyOptions{For: consumer.Kind}); !errors.Is(err, content.ErrRefused) {
		t.Errorf("beside artifacts and a short name: %v, want refused", err)
	}
}

// TestCopyPolicy: a name that has other content is replaced only if it may be.
func TestCopyPolicy(t *testing.T) {
	one, two := build.NewLayout(), build.NewLayout()
	one.Tag("docker.io/library/app:v1", image(one, "linux/amd64", "one"))
	two.Tag("docker.io/library/app:v1", image(two, "linux/amd64", "two"))
	dst := newLayout(t)
	for _, c := range []struct {
		src    *build.Layout
		policy layout.Policy
		want   error
	}{{one, layout.Overwrite, nil}, {two, layout.Fail, content.ErrConflict}, {two, layout.Overwrite, nil}} {
		if _, err := copyTo(t, dst, open(t, c.src), "", consumer.CopyOptions{For: consumer.Ctr, Policy: c.policy}); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
	if got := look(t, dst.Reader, false); len(got) != 1 || got[0].Entry.Digest != look(t, open(t, two), false)[0].Entry.Digest {
		t.Errorf("%d entries", len(got))
	}
}
