package sync

import (
	"errors"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
)

// FuzzConfig: whatever a file holds, it is read or refused in one line.
func FuzzConfig(f *testing.F) {
	f.Add(published)
	f.Add(minimal("    tags: {allow: ['a|b'], semverRange: ['>=1 <2']}\n    select: {limit: 2}\n    prune: {keep: 1}\n"))
	f.Add("a: &a [*a, *a]\nsync: [{<<: *a}]")
	f.Add("sync:\n- {source: '{{.Sync.Source}}', target: ocidir://x, type: layout}\n---\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseConfig("f", []byte(text), world)
		if err == nil {
			for _, e := range c.Sync {
				e.Choose(e.Filter([]string{"1.0", "latest", "v2-x"}), nil)
			}
			return
		}
		if strings.Contains(err.Error(), "\n") || !errors.Is(err, content.ErrInvalid) && !errors.Is(err, content.ErrUnsupported) && !errors.Is(err, content.ErrRefused) {
			t.Errorf("%q", err)
		}
	})
}
