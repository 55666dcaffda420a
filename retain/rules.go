// Package retain decides by rule which names of a layout stay. The rules are pure:
// they see names and times, and say of each name why it goes. Prune asks them about a
// layout and takes away what they say, with all that refers to it.
package retain

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// Rules say what goes. A name goes if it is one of those that Match selects, Protect
// does not protect it, and every rule that is given says so: it is not among the
// newest that Keep keeps, and it is older than OlderThan. What a rule can't judge
// stays. The zero value lets nothing go.
type Rules struct {
	// Match selects names, by any of these; none selects all.
	Match []*regexp.Regexp
	// Protect keeps names, by any of these. They are not counted among those kept.
	Protect []*regexp.Regexp
	// Keep is how many of the selected names of each repository stay, the newest
	// first; nil is no such rule. Names without a repository are of one.
	Keep *int
	// By says which are the newest.
	By Order
	// OlderThan lets only that go which was made longer ago; 0 is no such rule. It
	// goes for untagged entries, too.
	OlderThan time.Duration
	// Untagged lets entries without a name go.
	Untagged bool
	// Now is the time that ages are counted to.
	Now time.Time
}

// Order says which of two names is newer. The zero value is ByCreated.
type Order uint8

// The orders.
const (
	ByCreated Order = iota // by the time at which the image was made
	BySemver               // by the tag as a version; names whose tag is none stay
	ByName                 // by the name, last in the order of its bytes
)

// orders are their words.
var orders = []string{ByCreated: "created", BySemver: "semver", ByName: "name"}

func (o Order) String() string { return orders[o] }

// ParseOrder reads created, semver or name.
func ParseOrder(text string) (Order, error) {
	i := slices.Index(orders, text)
	if i < 0 {
		return 0, content.Errorf(content.ErrInvalid, "%q is no order: want semver, created or name", text)
	}
	return Order(i), nil
}

// maxHours is about as much as a time.Duration can say.
const maxHours = 2_500_000

// ParseAge reads a time such as 30d, 2w or 12h.
func ParseAge(text string) (time.Duration, error) {
	for unit, hours := range map[string]int{"d": 24, "w": 7 * 24} {
		count, ok := strings.CutSuffix(text, unit)
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(count); err == nil && n > 0 && n <= maxHours/hours {
			return time.Duration(n*hours) * time.Hour, nil
		}
	}
	age, err := time.ParseDuration(text)
	if err != nil || age <= 0 {
		return 0, content.Errorf(content.ErrInvalid, "%q is no age: want days, weeks or hours, as in 30d, 2w or 12h", text)
	}
	return age, nil
}

// An Item is an entry of index.json that rules judge. Name is "" for an untagged one.
type Item struct {
	Name    string
	Created time.Time // zero if nobody knows
}

// epoch is before what any image was made: earlier times, which builds that are to be
// reproducible write, say nothing.
var epoch = time.Date(1981, 1, 1, 0, 0, 0, 0, time.UTC)

func (i Item) dated() bool { return i.Created.After(epoch) }

// NeedTimes says whether the rules look at Item.Created.
func (r Rules) NeedTimes() bool { return r.OlderThan > 0 || r.Keep != nil && r.By == ByCreated }

// Empty says whether the rules let nothing go, whatever the items.
func (r Rules) Empty() bool { return r.Keep == nil && r.OlderThan == 0 && !r.Untagged }

// Choose says of each item why it goes, in a few words; "" lets it stay.
func (r Rules) Choose(items []Item) []string {
	reasons := make([]string, len(items))
	if r.Untagged {
		for i, item := range items {
			if item.Name == "" {
				reasons[i] = r.with("untagged", item)
			}
		}
	}
	if r.Keep == nil && r.OlderThan == 0 {
		return reasons
	}
	groups := map[string][]candidate{}
	for i, item := range items {
		if item.Name == "" || !selects(r.Match, item.Name, true) || selects(r.Protect, item.Name, false) {
			continue
		}
		c := newCandidate(i, item)
		if r.Keep == nil {
			reasons[i] = r.with("", item)
		} else if r.By != BySemver && (r.By != ByCreated || item.dated()) || r.By == BySemver && c.version != nil {
			groups[c.repository] = append(groups[c.repository], c)
		}
	}
	for _, group := range groups {
		slices.SortFunc(group, r.newerFirst)
		for _, c := range group[min(*r.Keep, len(group)):] {
			reasons[c.index] = r.with(r.beyond(c), c.item)
		}
	}
	return reasons
}

func selects(patterns []*regexp.Regexp, name string, none bool) bool {
	if len(patterns) == 0 {
		return none
	}
	return slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(name) })
}

// candidate is an item that rules may let go.
type candidate struct {
	index      int
	item       Item
	repository string
	version    *semver.Version // nil if its tag is none
}

func newCandidate(index int, item Item) candidate {
	c := candidate{index: index, item: item}
	full, tag, isFull := layout.NormalizeName(item.Name)
	if isFull {
		c.repository = strings.TrimSuffix(full, ":"+tag)
	}
	c.version, _ = semver.NewVersion(tag) // nil stands for the error
	return c
}

func (r Rules) newerFirst(a, b candidate) int {
	newer := 0
	switch r.By {
	case ByCreated:
		newer = b.item.Created.Compare(a.item.Created)
	case BySemver:
		newer = b.version.Compare(a.version)
	}
	return cmp.Or(newer, cmp.Compare(b.item.Name, a.item.Name), cmp.Compare(a.index, b.index))
}

// beyond is the reason of what is not kept.
func (r Rules) beyond(c candidate) string {
	reason := fmt.Sprintf("not among the newest %d by %s", *r.Keep, r.By)
	if c.repository != "" {
		reason += " of " + c.repository
	}
	return reason
}

// with adds the item's age to a reason; "" if it is not old enough.
func (r Rules) with(reason string, item Item) string {
	if r.OlderThan == 0 {
		return reason
	}
	if !item.dated() || r.Now.Sub(item.Created) <= r.OlderThan {
		return ""
	}
	age := "made " + item.Created.UTC().Format(time.RFC3339)
	if reason == "" {
		return age
	}
	return reason + ", " + age
}
