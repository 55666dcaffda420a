package sync

import (
	"github.com/ocilayout/ocilayout/content"
)

// A Report says what a run did or, as a check, would do. Its JSON is stable.
type Report struct {
	Check  bool     `json:"check"`
	Images []Result `json:"images"`
	Pruned []Pruned `json:"pruned"`
	Totals Totals   `json:"totals"`

	steps  []Step
	listed []Place // sources that were listed whole
}

// Lock is what a run took of its sources, beside what an earlier lock says of others.
func (r Report) Lock(earlier Lock) Lock { return earlier.update(r.steps, r.listed) }

// A Result is what became of one name.
type Result struct {
	Entry  string         `json:"entry,omitempty"` // the name of the entry, if it has one
	Source string         `json:"source"`
	Target string         `json:"target"`
	Action Action         `json:"action"`
	Reason string         `json:"reason"`
	Old    content.Digest `json:"old,omitempty"` // what the target had
	New    content.Digest `json:"new,omitempty"` // what it gets
	Backup string         `json:"backup,omitempty"`
	Bytes  int64          `json:"bytes"` // that moved for it, and not for one before it
	Err    error          `json:"-"`     // of ActionFail
}

// Pruned is a name that prune takes away.
type Pruned struct {
	Entry  string         `json:"entry,omitempty"`
	Target string         `json:"target"`
	Digest content.Digest `json:"digest,omitempty"`
	Reason string         `json:"reason"`
}

// Totals count what a report lists, and what moved for it.
type Totals struct {
	Copied    int   `json:"copied"`
	Refreshed int   `json:"refreshed"`
	Unchanged int   `json:"unchanged"`
	Skipped   int   `json:"skipped"`
	Failed    int   `json:"failed"`
	Pruned    int   `json:"pruned"`
	Referrers int   `json:"referrers"` // that came along
	Blobs     int   `json:"blobs"`     // that moved
	Bytes     int64 `json:"bytes"`     // of these
}

// Changes says whether anything was, or would be, changed. What a run looks at again for
// what refers to it may turn out to be as it was; a check has looked.
func (r Report) Changes() bool { return r.Totals.Copied+r.Totals.Refreshed+r.Totals.Pruned > 0 }

// add notes a step.
func (r *Report) add(s Step) {
	result := Result{
		Entry: s.Entry.Name, Source: s.Source.String(), Target: s.Target.String(),
		Action: s.Action, Reason: s.Reason, Old: s.Have.Digest, New: s.From.wanted(), Err: s.Err, Bytes: s.Bytes,
	}
	if s.Backup != nil {
		result.Backup = s.Backup.String()
	}
	r.Images = append(r.Images, result)
	r.steps = append(r.steps, s)
	count := map[Action]*int{
		ActionCopy: &r.Totals.Copied, ActionRefresh: &r.Totals.Refreshed, ActionKeep: &r.Totals.Unchanged,
		ActionSkip: &r.Totals.Skipped, ActionFail: &r.Totals.Failed,
	}
	*count[s.Action]++
}

// moved counts what one copy moved.
func (r *Report) moved(blobs int, bytes int64, referrers int) {
	r.Totals.Blobs += blobs
	r.Totals.Bytes += bytes
	r.Totals.Referrers += referrers
}
