package layout

import (
	"context"
	"iter"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

// PruneOptions say which entries Prune takes out of index.json.
type PruneOptions struct {
	// Choose says of each why it goes, in a few words; "" lets it stay. nil lets all
	// stay. It may be called again if another tool changes index.json.
	Choose func([]Prunable) []string
	// Times fills in Prunable.Created, which reads configs.
	Times bool
	// Dangling takes out referrers whose subject no entry leads to, but for its
	// referrers.
	Dangling bool
	// DryRun changes nothing.
	DryRun bool
}

// A Prunable is an entry that stands for itself and not for what it refers to.
type Prunable struct {
	Name      string // "" for an untagged one
	Digest    content.Digest
	MediaType string
	Created   time.Time // of an index, of the newest image in it; zero if nobody knows
}

// A Pruning says what Prune took out or, as a dry run, would take.
type Pruning struct {
	DryRun bool     `json:"dryRun"`
	Pruned []Pruned `json:"pruned"`
	Kept   int      `json:"kept"` // entries
}

// A Pruned is an entry that goes, with the reason.
type Pruned struct {
	Name      string         `json:"name"` // "" for an untagged one
	Digest    content.Digest `json:"digest"`
	MediaType string         `json:"mediaType"`
	Reason    string         `json:"reason"`
}

// Prune takes entries out of index.json, in one transaction: those that o.Choose
// names, and what refers to content that no other entry leads to any more, at any
// depth. That is untagged manifests with a subject, lists of referrers, and what
// cosign made; Choose is not asked about them. The blobs stay until gc.
//
// A manifest that is corrupt is ErrCorrupt: nobody knows what belongs to it.
func (l *Layout) Prune(ctx context.Context, o PruneOptions) (Pruning, error) {
	var report Pruning
	var err error
	if o.DryRun {
		err = l.View(ctx, func(x *Index) error {
			report, _, err = l.pruning(ctx, x.Entries(), o)
			return err
		})
	} else {
		err = l.Update(ctx, func(tx *Tx) error {
			var gone map[string]bool
			if report, gone, err = l.pruning(ctx, tx.Entries(), o); err != nil || len(gone) == 0 {
				return err
			}
			_, err = tx.Remove(func(e Entry) bool { return gone[string(e.Raw)] })
			return err
		})
	}
	return report, content.At(l.path, err)
}

// pruning says which entries go: a report, and their bytes.
func (l *Layout) pruning(ctx context.Context, entries iter.Seq2[Entry, error], o PruneOptions) (Pruning, map[string]bool, error) {
	report := Pruning{DryRun: o.DryRun, Pruned: []Pruned{}}
	k := newKinship(l.Reader)
	if err := k.read(ctx, entries); err != nil {
		return report, nil, err
	}
	reasons, err := k.chosen(ctx, l, o)
	if err != nil {
		return report, nil, err
	}
	before, _ := k.alive(nil)
	after, _ := k.alive(reasons)
	gone := map[string]bool{}
	for i, who := range k.members {
		reason := reasons[i]
		if who.follows() && !after[i] && (before[i] || o.Dangling) {
			reason = "its subject " + who.subject() + " goes"
			if !before[i] {
				reason = "no entry leads to its subject " + who.subject()
			}
		}
		if reason == "" {
			report.Kept++
			continue
		}
		gone[string(who.entry.Raw)] = true
		report.Pruned = append(report.Pruned, Pruned{who.entry.Name(), who.entry.Digest, who.entry.MediaType, reason})
	}
	return report, gone, nil
}
