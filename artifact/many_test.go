package artifact_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/layout"
)

// TestTenThousandAttaches to one subject, in 118 transactions, leave one list of
// them: no other blob but the artifacts, and none of the 117 lists that had its
// place.
func TestTenThousandAttaches(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 10,000 files")
	}
	const alone, batches, each = 100, 18, 550
	const all = alone + batches*each
	l, subject := hello(t)
	blobs, bytes := stored(t, l)

	number := 0
	mark := func() artifact.Options {
		number++
		return artifact.Options{Type: "t/a", Annotations: map[string]string{"n": fmt.Sprintf("%05d", number)}}
	}
	first := attach(t, l, subject, mark())
	for range alone - 1 {
		attach(t, l, subject, mark())
	}
	for range batches {
		var list []artifact.Attachment
		for range each {
			list = append(list, artifact.Attachment{Subject: subject, Options: mark()})
		}
		if _, err := artifact.AttachAll(t.Context(), l, list); err != nil {
			t.Fatal(err)
		}
	}

	found, err := artifact.Find(t.Context(), l.Reader, artifact.Query{ReferrerQuery: layout.ReferrerQuery{Subject: subject}})
	if err != nil || len(found) != all {
		t.Errorf("%d found, %v, want %d", len(found), err, all)
	}
	var entries []layout.Entry
	err = l.View(t.Context(), func(x *layout.Index) error {
		for e, err := range x.Entries() {
			if err != nil {
				return err
			}
			entries = append(entries, e)
		}
		return nil
	})
	if err != nil || len(entries) != 2 || entries[1].Name() != layout.FallbackTag(subject.Digest) {
		t.Fatalf("%d entries, %v, want the image and the list", len(entries), err)
	}
	const empty = 2 // {}, which is the config and the layer of all
	afterBlobs, afterBytes := stored(t, l)
	if want := blobs + all + 1 + 1; afterBlobs != want {
		t.Errorf("%d blobs, want %d", afterBlobs, want)
	}
	if want := bytes + all*first.Size + empty + entries[1].Size; afterBytes != want {
		t.Errorf("%d bytes, want %d", afterBytes, want)
	}
	staged, err := filepath.Glob(filepath.Join(l.Path(), ".ocilayout", "staging", "*", "*"))
	if err != nil || len(staged) > 1 { // the lease itself
		t.Errorf("left in staging: %q, %v", staged, err)
	}
}

// stored counts the blobs of a layout and their bytes.
func stored(t testing.TB, l *layout.Layout) (blobs int, bytes int64) {
	t.Helper()
	for b, err := range l.Blobs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		blobs++
		bytes += b.Size
	}
	return blobs, bytes
}
