package sync_test

import (
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/registry/sync"
)

// TestMirror: a source whose registry is down is seen, and copied, from its mirror; what
// a target has is not looked for there.
func TestMirror(t *testing.T) {
	w := newWorld(t)
	w.push(siblings(3), "app")
	down := fakeregistry.New(t)
	gone := down.Host()
	down.Close()
	config := `
creds:
- {registry: '` + gone + `', tls: disabled, mirrors: ['$REG']}
- {registry: '$REG', tls: disabled}
sync:
- {source: '` + gone + `/app', target: 'ocidir://$DIR/app', type: repository, referrers: true, digestTags: true}
`
	w.run(config, sync.Options{})
	if got := w.names("app"); got != "v0 v1 v2" {
		t.Errorf("names %s", got)
	}
	if report := w.run(config, sync.Options{Check: true}); report.Changes() {
		t.Errorf("a second time: %+v", report)
	}
}
