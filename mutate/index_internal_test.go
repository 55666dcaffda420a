package mutate

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// A name that moves between reading the index and replacing it stays where it went.
func TestReplaceOfWhatHasMoved(t *testing.T) {
	ctx := t.Context()
	l, err := layout.Init(ctx, filepath.Join(t.TempDir(), "l"), layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	platforms := []content.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}
	if _, err := l.Create(ctx, "app", platforms, layout.Fail); err != nil {
		t.Fatal(err)
	}
	x := newIndexMaker(l, IndexOptions{})
	t.Cleanup(func() { _ = x.batch.Close() })
	old, to, err := x.openIndex(ctx, layout.Reference{Name: "app"}, IndexTarget{Replace: true})
	if err != nil {
		t.Fatal(err)
	}
	moved, err := l.Create(ctx, "app", platforms[:1], layout.Overwrite)
	if err != nil {
		t.Fatal(err)
	}
	x.members = x.members[:1]
	err = x.make(ctx, func() ([]byte, string, error) { return old.with(x.members) }, to)
	if !errors.Is(err, content.ErrConflict) {
		t.Errorf("replaced: %v", err)
	}
	if d, err := l.Resolve(ctx, "app"); err != nil || d.Digest != moved.New {
		t.Errorf("app is %s, %v", d.Digest, err)
	}
}

// An index made of images that lose their names meanwhile keeps them from gc.
func TestIndexBesideGC(t *testing.T) {
	ctx := t.Context()
	l, err := layout.Init(ctx, filepath.Join(t.TempDir(), "l"), layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if _, err := l.Create(ctx, "app", []content.Platform{{OS: "linux", Architecture: "amd64"}}, layout.Fail); err != nil {
		t.Fatal(err)
	}
	x := newIndexMaker(l, IndexOptions{})
	t.Cleanup(func() { _ = x.batch.Close() })
	if err := x.takeAll(ctx, []layout.Source{{Reader: l.Reader, Ref: layout.Reference{Name: "app"}}}); err != nil {
		t.Fatal(err)
	}
	err = x.make(ctx, func() ([]byte, string, error) {
		if err := l.Update(ctx, func(tx *layout.Tx) error { _, err := tx.Untag("app"); return err }); err != nil {
			return nil, "", err
		}
		if _, err := l.GC(ctx, layout.GCOptions{}); err != nil {
			return nil, "", err
		}
		return x.fresh()
	}, indexTarget{name: "index"})
	if err != nil {
		t.Fatal(err)
	}
	if there, err := l.Reader.Exists(ctx, x.members[0].Descriptor); err != nil || !there {
		t.Errorf("the image of the index is there: %v, %v", there, err)
	}
}
