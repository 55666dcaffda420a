package layout

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
	"github.com/ocilayout/ocilayout/layout/internal/catalog"
)

// countingSource counts what is read of a layout in a directory.
type countingSource struct {
	dirSource
	read, parsed *atomic.Int64
}

func (s countingSource) index() (indexFile, error) {
	s.parsed.Add(1)
	return s.dirSource.index()
}

func (s countingSource) blob(d content.Digest) (BlobAt, bool, error) {
	s.read.Add(1)
	return s.dirSource.blob(d)
}

func (s countingSource) small(d content.Digest, max int64) ([]byte, error) {
	s.read.Add(1)
	return s.dirSource.small(d, max)
}

// work is how many blobs and how often index.json are read by fn.
func (s countingSource) work(fn func()) [2]int64 {
	blobs, indexes := s.read.Load(), s.parsed.Load()
	fn()
	return [2]int64{s.read.Load() - blobs, s.parsed.Load() - indexes}
}

// budgetLayout has images, each with two artifacts listed under its fallback tag.
func budgetLayout(t testing.TB, images int) (*Layout, countingSource, []content.Descriptor) {
	t.Helper()
	ctx := context.Background()
	l, err := Init(ctx, filepath.Join(t.TempDir(), "l"), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	b := l.Batch()
	defer b.Close()
	manifest := func(subject *content.Descriptor, text string) content.Descriptor {
		about := ""
		if subject != nil {
			about = fmt.Sprintf(`"subject":{"mediaType":%q,"digest":%q,"size":%d},`, subject.MediaType, subject.Digest, subject.Size)
		}
		d, err := b.PushBytes(ctx, ocispec.MediaTypeImageManifest, fmt.Appendf(nil, `{"schemaVersion":2,%s"layers":[],"annotations":{"text":%q}}`, about, text))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	var subjects []content.Descriptor
	err = l.Update(ctx, func(tx *Tx) error {
		for i := range images {
			image := manifest(nil, fmt.Sprint(i))
			subjects = append(subjects, image)
			artifacts := []content.Descriptor{manifest(&image, "one"), manifest(&image, "two")}
			if err := b.Publish(ctx); err != nil {
				return err
			}
			if _, err := tx.Tag(NewEntry(image), fmt.Sprintf("v%d", i), Fail); err != nil {
				return err
			}
			if err := tx.AddReferrer(ctx, b, image, artifacts...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := countingSource{dirSource{l.path}, &atomic.Int64{}, &atomic.Int64{}}
	l.src = s
	return l, s, subjects
}

// age waits until nobody fears that index.json may change without a trace.
func age(t testing.TB, l *Layout) {
	t.Helper()
	path := filepath.Join(l.path, "index.json")
	for {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if time.Now().UnixNano()-durable.StampOf(info).CtimeNs > int64(2100*time.Millisecond) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestLookupsReadTheirAnswers: with a catalog nothing else is read, and what comes
// is read once.
func TestLookupsReadTheirAnswers(t *testing.T) {
	ctx := t.Context()
	l, s, subjects := budgetLayout(t, 50)
	ask := func(subject content.Descriptor, want int) func() {
		return func() {
			found, err := l.FindReferrers(ctx, ReferrerQuery{Subject: subject})
			if err != nil || len(found) != want {
				t.Errorf("%d found, want %d, %v", len(found), want, err)
			}
		}
	}
	age(t, l)
	const all = 50 + 50 + 100 // images, lists, artifacts
	for _, c := range []struct {
		what string
		fn   func()
		most [2]int64
	}{
		{"build", ask(subjects[0], 2), [2]int64{fewManifests + 1 + all + 2, 2}},
		{"lookup", ask(subjects[1], 2), [2]int64{2, 0}},
		{"lookup of nothing", ask(descriptorOf("nothing"), 0), [2]int64{0, 0}},
		{"image", func() {
			if _, err := BuildTrees(ctx, l.Reader, Reference{Name: "v3"}); err != nil {
				t.Error(err)
			}
		}, [2]int64{1 + 2*2, 1}},
	} {
		if got := s.work(c.fn); got[0] > c.most[0] || got[1] > c.most[1] {
			t.Errorf("%s: %d blobs and %d times index.json are read, want at most %v", c.what, got[0], got[1], c.most)
		}
	}
	subject := subjects[7]
	artifact, err := l.PushBytes(ctx, ocispec.MediaTypeImageManifest, fmt.Appendf(nil, `{"schemaVersion":2,"layers":[],"subject":{"mediaType":%q,"digest":%q,"size":%d}}`, subject.MediaType, subject.Digest, subject.Size))
	if err != nil {
		t.Fatal(err)
	}
	attach := s.work(func() {
		if err := l.Update(ctx, func(tx *Tx) error { return tx.AddReferrer(ctx, nil, subject, artifact) }); err != nil {
			t.Error(err)
		}
	})
	// The artifact, to see whose it is, and its list; both again for the catalog.
	if attach[0] > 4 || attach[1] > 1 {
		t.Errorf("attach: %v blobs and index.json are read", attach)
	}
	if got := s.work(ask(subject, 3)); got[0] > 3 || got[1] > 1 {
		t.Errorf("lookup right after: %v", got)
	}
	age(t, l)
	s.work(ask(subject, 3)) // now index.json can be believed
	if got := s.work(ask(subject, 3)); got[0] > 3 || got[1] > 0 {
		t.Errorf("lookup later: %v", got)
	}
}

// liar is a layout in which every manifest has one subject.
type liar struct {
	crawled
	subject content.Descriptor
}

func (l liar) Manifest(ctx context.Context, ref catalog.Ref, list bool) (content.Manifest, error) {
	m, err := l.crawled.Manifest(ctx, ref, list)
	m.Subject = &l.subject
	return m, err
}

// TestFalseCatalogAddsNothing: a catalog with false facts and the right seal.
func TestFalseCatalogAddsNothing(t *testing.T) {
	ctx := t.Context()
	l, _, subjects := budgetLayout(t, 50)
	age(t, l)
	state, err := l.state()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&leaseHolder{root: l.path}).ownDir(); err != nil {
		t.Fatal(err)
	}
	if err := l.catalog().Refresh(ctx, state, liar{l.crawled(), subjects[0]}); err != nil {
		t.Fatal(err)
	}
	found, err := l.FindReferrers(ctx, ReferrerQuery{Subject: subjects[0]})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 {
		t.Errorf("%d referrers are found, want 2", len(found))
	}
}

func descriptorOf(text string) content.Descriptor {
	return content.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString(text), Size: int64(len(text))}
}

func BenchmarkFindReferrers(b *testing.B) {
	l, _, subjects := budgetLayout(b, 2000)
	ctx := context.Background()
	age(b, l)
	if _, err := l.FindReferrers(ctx, ReferrerQuery{Subject: subjects[0]}); err != nil {
		b.Fatal(err)
	}
	b.Run("warm", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := l.FindReferrers(ctx, ReferrerQuery{Subject: subjects[i%len(subjects)]}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("build", func(b *testing.B) {
		for b.Loop() {
			l.catalog().Discard()
			if _, err := l.FindReferrers(ctx, ReferrerQuery{Subject: subjects[0]}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("refresh", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := l.TagNames(ctx, Reference{Name: "v1"}, []string{fmt.Sprintf("n%d", i)}, TagOptions{}); err != nil {
				b.Fatal(err)
			}
			if _, err := l.FindReferrers(ctx, ReferrerQuery{Subject: subjects[0]}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
