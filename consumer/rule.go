package consumer

import "slices"

// An Action is what is done where a rule does not hold.
type Action string

// The actions.
const (
	Drop   Action = "leave out" // the entry is left out, or refused if the user named it
	Rename Action = "rename"    // the entry gets a name that the consumer reads
	Narrow Action = "narrow"    // the entry points to a new index, or to one manifest
	Refuse Action = "refuse"    // nothing is written
	Write  Action = "write"     // the archive is written so that the rule always holds
	Say    Action = "say"       // it is told; the user must see to it
)

// A Rule is something that a consumer asks of what it loads.
type Rule struct {
	ID        string     `json:"id"`
	Statement string     `json:"statement"` // one sentence
	Consumers []Consumer `json:"consumers"` // docker has those of both its stores
	Source    []string   `json:"source"`    // where the consumer's code, or a thread, says so
	Without   string     `json:"without"`   // what happens where it does not hold
	Action    Action     `json:"action"`
	// ArchiveOnly is set for a rule about archives, which a directory need not keep.
	ArchiveOnly bool `json:"archiveOnly,omitempty"`

	apply func(s *selecting, r *Rule) // nil for a rule that always holds in what we write
}

// holdsFor says whether the rule is one of the consumer's.
func (r *Rule) holdsFor(c Consumer) bool { return slices.ContainsFunc(r.Consumers, c.is) }

// Rules are the rules in the order in which they are applied; for one consumer only, if
// c is not empty.
func Rules(c Consumer) []Rule {
	return slices.DeleteFunc(slices.Clone(table), func(r Rule) bool { return c != "" && !r.holdsFor(c) })
}
