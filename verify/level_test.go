package verify_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/verify"
)

// TestLevels: a lower level finds nothing that a higher one does not, and all of it but
// what takes the bytes that it does not read.
func TestLevels(t *testing.T) {
	all, err := vector.Load("../testdata/vectors", 310)
	if err != nil {
		t.Fatal(err)
	}
	inLayers := []string{verify.DiffID, verify.LayerFormat, verify.LayerName, verify.MediaType, verify.TooLarge, verify.Opaque}
	missed := map[verify.Level][]string{
		verify.Bytes: inLayers,
		verify.Quick: append(inLayers, verify.BlobDigest, verify.BlobUnreadable, verify.BlobSize, verify.Unverifiable),
	}
	n := 0
	for _, v := range all {
		if v.Kind != "layout" && v.Kind != "index" && v.Kind != "manifest" {
			continue
		}
		dir := filepath.Join(t.TempDir(), "layout")
		if err := build.WriteDir(dir, v.Files()...); err != nil {
			t.Fatal(err)
		}
		r, err := layout.OpenReader(dir, layout.Options{})
		if err != nil {
			continue // told elsewhere
		}
		n++
		problems := func(level verify.Level) []verify.Problem {
			report, err := verify.Check(context.Background(), r, nil, verify.Options{Level: level})
			if err != nil {
				t.Fatal(err)
			}
			return report.Problems
		}
		full := problems(verify.Full)
		for level, ids := range missed {
			found := problems(level)
			for _, p := range found {
				if !slices.Contains(full, p) {
					t.Errorf("%s: %s finds %+v, full does not", v.Name, level, p)
				}
			}
			for _, p := range full {
				if !slices.Contains(ids, p.ID) && !slices.Contains(found, p) {
					t.Errorf("%s: %s does not find %+v", v.Name, level, p)
				}
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n < 150 {
		t.Errorf("%d vectors", n)
	}
}

func TestParseLevel(t *testing.T) {
	for _, level := range []verify.Level{verify.Full, verify.Bytes, verify.Quick} {
		if got, err := verify.ParseLevel(level.String()); err != nil || got != level {
			t.Errorf("%s: %v, %v", level, got, err)
		}
	}
	if _, err := verify.ParseLevel("deep"); err == nil {
		t.Error("another word was taken")
	}
}
