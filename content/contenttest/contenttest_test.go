package contenttest_test

import (
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/content/contenttest"
)

func TestMemory(t *testing.T) {
	contenttest.Fetcher(t, contenttest.NewMemory(contenttest.Blobs()))
	contenttest.Store(t, func(*testing.T) content.Store { return contenttest.NewMemory(nil) })
}
