package contenttest_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/content/contenttest"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// held is a layout that holds what the suite asks for.
func held() *build.Layout {
	l := build.NewLayout()
	for d, data := range contenttest.Blobs() {
		l.Blobs[d] = data
	}
	return l
}

func TestLayoutReader(t *testing.T) {
	for name, path := range map[string]string{
		"directory": testkit.Layout(t, held()),
		"archive":   testkit.Archive(t, "layout.tar", held().Files()...),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := layout.OpenReader(path, layout.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }() // only read
			contenttest.Fetcher(t, r)
		})
	}
}

func TestLayout(t *testing.T) {
	contenttest.Store(t, func(t *testing.T) content.Store {
		dir := filepath.Join(t.TempDir(), "layout")
		l, err := layout.Init(context.Background(), dir, layout.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		testkit.Watch(t, dir)
		t.Cleanup(func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
		return l
	})
}
