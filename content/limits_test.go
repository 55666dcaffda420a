package content_test

import (
	"errors"
	"math"
	"testing"

	"github.com/ocilayout/ocilayout/content"
)

func TestParseLimits(t *testing.T) {
	got, err := content.ParseLimits("ratio=50000,manifest=16M,layer=2T,depth=3")
	want := content.Limits{Ratio: 50000, Manifest: 16 << 20, Layer: 2 << 40, Depth: 3}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if all, err := content.ParseLimits("index=1K,members=1,tree=1G,nodes=2147483647"); err != nil || all != (content.Limits{Index: 1024, Members: 1, Tree: 1 << 30, Nodes: math.MaxInt32}) {
		t.Errorf("%+v, %v", all, err)
	}
	for _, bad := range []string{"", "ratio", "ratio=", "ratio=0", "ratio=-1", "ratio=1KM", "ratio=K", "ratio=1X", "ratio=9999999999999T", "files=1", "Ratio=1", "depth=3G", "ratio=1,,"} {
		if got, err := content.ParseLimits(bad); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("%q: %+v, %v", bad, got, err)
		}
	}
}
