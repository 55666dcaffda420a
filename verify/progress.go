package verify

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
)

// manifestProgress reports how many bytes of manifests and configs were read: there
// are too many for an event each.
type manifestProgress struct {
	to    content.Progress
	event content.Event
}

func newManifestProgress(ctx context.Context) *manifestProgress {
	return &manifestProgress{content.ProgressFrom(ctx), content.Event{Op: "verify", Name: "manifests", Total: -1}}
}

func (p *manifestProgress) step(c *Checked) {
	p.event.Done = c.Bytes
	p.to.Report(p.event)
}

func (p *manifestProgress) end(c *Checked) {
	p.event.Finished = true
	p.step(c)
}
