package retain_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/retain"
)

// made is an image made that many days ago.
func made(l *build.Layout, days int) content.Descriptor {
	at := now.Add(-24 * time.Duration(days) * time.Hour)
	return l.Image(build.Image{EditConfig: func(c *ocispec.Image) { c.Created = &at }})
}

// signed is the tag under which cosign puts signatures of d.
func signed(d content.Descriptor) string {
	return strings.Replace(d.Digest.String(), ":", "-", 1) + ".sig"
}

func open(t *testing.T, built *build.Layout, options ...testkit.Option) *layout.Layout {
	t.Helper()
	l, err := layout.Open(testkit.Layout(t, built, options...), layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// prune prunes, first as a dry run that must say the same, and lists what went.
func prune(t *testing.T, l *layout.Layout, o retain.Options) []string {
	t.Helper()
	o.DryRun = true
	dry, err := retain.Prune(t.Context(), l, o)
	if err != nil {
		t.Fatal(err)
	}
	o.DryRun = false
	done, err := retain.Prune(t.Context(), l, o)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(done.Pruned, dry.Pruned) || done.Kept != dry.Kept {
		t.Errorf("pruned %+v, the dry run said %+v", done, dry)
	}
	var gone []string
	for _, p := range done.Pruned {
		gone = append(gone, p.Name+": "+p.Reason)
	}
	if again, err := retain.Prune(t.Context(), l, o); err != nil || len(again.Pruned) > 0 || again.Kept != done.Kept {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	return gone
}

func names(t *testing.T, l *layout.Layout) []string {
	t.Helper()
	var list []string
	for item, err := range l.List(t.Context(), layout.ListOptions{All: true}) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, item.Name)
	}
	slices.Sort(list)
	return list
}

// TestReferrersFollow: an SBOM of a child of an index, a signature, and a signature of
// the SBOM go with their subject, and stay as long as one name is left.
func TestReferrersFollow(t *testing.T) {
	built := build.NewLayout()
	child := made(built, 90)
	index := built.Index(child)
	built.Tag("1.0.0", index)
	sbom := built.Attach(child, "a/sbom", []byte("sbom"))
	built.Attach(sbom, "a/sig", []byte("signature of the sbom"))
	built.Tag(signed(index), made(built, 1))
	kept := made(built, 80)
	built.Tag("1.1.0", kept)
	built.Attach(kept, "a/sbom", []byte("sbom of 1.1"))
	l := open(t, built)
	one := 1
	o := retain.Options{Rules: retain.Rules{Keep: &one, By: retain.BySemver}}

	if _, err := l.TagNames(t.Context(), layout.Reference{Name: "1.0.0"}, []string{"stable"}, layout.TagOptions{}); err != nil {
		t.Fatal(err)
	}
	if gone := prune(t, l, o); len(gone) != 1 || gone[0] != "1.0.0: not among the newest 1 by semver" {
		t.Errorf("with another name gone are %q", gone)
	}
	if _, err := l.TagNames(t.Context(), layout.Reference{Name: "stable"}, []string{"1.0.0"}, layout.TagOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Untag(t.Context(), []layout.Reference{{Name: "stable"}}, layout.UntagOptions{}); err != nil {
		t.Fatal(err)
	}
	gone := prune(t, l, o)
	followed := 0
	for _, g := range gone {
		if strings.Contains(g, ": its subject sha256") && strings.HasSuffix(g, " goes") {
			followed++
		}
	}
	if followed != len(gone)-1 || followed < 3 {
		t.Errorf("gone are %q", gone)
	}
	if left := names(t, l); !slices.Contains(left, "1.1.0") || slices.Contains(left, signed(index)) {
		t.Errorf("%q are left", left)
	}
	if _, err := l.GC(t.Context(), layout.GCOptions{}); err != nil {
		t.Fatal(err)
	}
	if ok, err := l.Reader.Exists(t.Context(), child); err != nil || ok {
		t.Errorf("the child is still there: %v, %v", ok, err)
	}
	if found, err := l.FindReferrers(t.Context(), layout.ReferrerQuery{Subject: kept}); err != nil || len(found) != 1 {
		t.Errorf("found %v, %v", found, err)
	}
}

// TestDangling: referrers whose subject nothing else leads to go only if asked.
func TestDangling(t *testing.T) {
	built := build.NewLayout()
	here, away := made(built, 1), made(built, 2)
	built.Tag("app", here)
	built.Attach(here, "a/b", []byte("of app"))
	built.Attach(away, "a/b", []byte("of nothing"))
	delete(built.Blobs, away.Digest)
	orphan := made(built, 3) // there, and led to by its signature alone
	built.Tag(signed(orphan), made(built, 4))
	l := open(t, built, testkit.BrokenOK)
	if gone := prune(t, l, retain.Options{Rules: retain.Rules{Untagged: true}}); len(gone) != 0 {
		t.Errorf("unasked gone are %q", gone)
	}
	gone := prune(t, l, retain.Options{Dangling: true})
	if len(gone) < 2 || slices.ContainsFunc(gone, func(g string) bool { return !strings.Contains(g, ": no entry leads to its subject sha256") }) {
		t.Errorf("gone are %q", gone)
	}
	if found, err := l.FindReferrers(t.Context(), layout.ReferrerQuery{Subject: here}); err != nil || len(found) != 1 {
		t.Errorf("found %v, %v", found, err)
	}
}

// TestTimes: those of an index are those of its newest image.
func TestTimes(t *testing.T) {
	built := build.NewLayout()
	built.Tag("old", made(built, 40))
	built.Tag("mixed", built.Index(made(built, 50), made(built, 10)))
	built.Add(made(built, 60))
	l := open(t, built)
	gone := prune(t, l, retain.Options{Rules: retain.Rules{OlderThan: 30 * 24 * time.Hour, Untagged: true, Now: now}})
	slices.Sort(gone)
	if len(gone) != 2 || !strings.HasPrefix(gone[0], ": untagged, made 2026-09-29") || !strings.HasPrefix(gone[1], "old: made 2026-10-19") {
		t.Errorf("gone are %q", gone)
	}
}

// TestPruneRefuses what has no rule, and what it can't know.
func TestPruneRefuses(t *testing.T) {
	built := build.NewLayout()
	image := made(built, 1)
	built.Tag("app", image)
	built.Blobs[image.Digest][3] ^= 1
	l := open(t, built, testkit.BrokenOK)
	if _, err := retain.Prune(t.Context(), l, retain.Options{}); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("no rule: %v", err)
	}
	below := -2
	if _, err := retain.Prune(t.Context(), l, retain.Options{Rules: retain.Rules{Keep: &below}}); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("fewer than none: %v", err)
	}
	if _, err := retain.Prune(t.Context(), l, retain.Options{Dangling: true}); !errors.Is(err, content.ErrDigest) {
		t.Errorf("a corrupt manifest: %v", err)
	}
	if got := names(t, l); !slices.Equal(got, []string{"app"}) {
		t.Errorf("%q are left", got)
	}
}

// TestAlikeEntries: of entries that are the same to the byte one rule speaks for all.
func TestAlikeEntries(t *testing.T) {
	built := build.NewLayout()
	image := made(built, 1)
	built.Tag("1.0.0", image)
	built.Tag("1.0.0", image)
	one := 1
	l := open(t, built, testkit.BrokenOK)
	if gone := prune(t, l, retain.Options{Rules: retain.Rules{Keep: &one, By: retain.BySemver}}); len(gone) != 0 {
		t.Errorf("gone are %q", gone)
	}
}
