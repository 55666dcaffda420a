package imagefs_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ocilayout/ocilayout/imagefs"
)

// TestComparePaths sorts paths that bytes alone would put in another order.
func TestComparePaths(t *testing.T) {
	want := []string{".", "a", "a/b", "a/b/c", "a/b-c", "a-b", "a.b", "a0", "b"}
	got := slices.Clone(want)
	rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	slices.SortFunc(got, imagefs.ComparePaths)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if imagefs.ComparePaths("", ".") != 0 || imagefs.ComparePaths("", "a") >= 0 {
		t.Error("the root has two names")
	}
}
