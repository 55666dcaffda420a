package retain_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/retain"
)

var now = time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)

// items reads "NAME" or "NAME@DAYS", made that many days ago.
func items(t *testing.T, texts ...string) []retain.Item {
	t.Helper()
	var list []retain.Item
	for _, text := range texts {
		name, days, dated := strings.Cut(text, "@")
		item := retain.Item{Name: name}
		if dated {
			age, err := time.ParseDuration(days + "h")
			if err != nil {
				t.Fatal(err)
			}
			item.Created = now.Add(-24 * age)
		}
		list = append(list, item)
	}
	return list
}

func n(keep int) *int { return &keep }

func re(texts ...string) (list []*regexp.Regexp) {
	for _, text := range texts {
		list = append(list, regexp.MustCompile(text))
	}
	return list
}

func TestChoose(t *testing.T) {
	month := 30 * 24 * time.Hour
	for name, test := range map[string]struct {
		rules retain.Rules
		items []string
		gone  []string // NAME: REASON
	}{
		"no rule": {retain.Rules{Match: re(".")}, []string{"a@99", ""}, nil},
		"the newest by time": {
			retain.Rules{Keep: n(2)},
			[]string{"a@3", "b@1", "c@2", "d@4"},
			[]string{"a: not among the newest 2 by created", "d: not among the newest 2 by created"},
		},
		"what has no time stays and does not count": {
			retain.Rules{Keep: n(1)},
			[]string{"a", "b@1", "c@20000", "d@2"},
			[]string{"d: not among the newest 1 by created"},
		},
		"the newest by version": {
			retain.Rules{Keep: n(2), By: retain.BySemver},
			[]string{"v1.9.0", "v1.10.0", "v1.10.0-rc1", "1.2", "latest", "nightly"},
			[]string{"v1.9.0: not among the newest 2 by semver", "1.2: not among the newest 2 by semver"},
		},
		"a prerelease is older than its release": {
			retain.Rules{Keep: n(1), By: retain.BySemver},
			[]string{"2.0.0-rc.2", "2.0.0-rc.10"},
			[]string{"2.0.0-rc.2: not among the newest 1 by semver"},
		},
		"each repository for itself": {
			retain.Rules{Keep: n(1), By: retain.BySemver},
			[]string{"docker.io/library/app:1.0", "docker.io/library/app:1.1", "reg.example:5000/db:0.1", "0.1"},
			[]string{"docker.io/library/app:1.0: not among the newest 1 by semver of docker.io/library/app"},
		},
		"the last by name": {
			retain.Rules{Keep: n(1), By: retain.ByName},
			[]string{"2026-01", "2026-03", "2026-02"},
			[]string{"2026-01: not among the newest 1 by name", "2026-02: not among the newest 1 by name"},
		},
		"only what is selected": {
			retain.Rules{Keep: n(0), By: retain.ByName, Match: re("^pr-", "^tmp")},
			[]string{"pr-1", "app", "tmp"},
			[]string{"pr-1: not among the newest 0 by name", "tmp: not among the newest 0 by name"},
		},
		"what is protected does not count": {
			retain.Rules{Keep: n(1), By: retain.BySemver, Protect: re(`^9\.`)},
			[]string{"9.0.0", "1.0.0", "1.1.0"},
			[]string{"1.0.0: not among the newest 1 by semver"},
		},
		"old ones": {
			retain.Rules{OlderThan: month, Now: now},
			[]string{"a@31", "b@30", "c", "d@20000", "@99"},
			[]string{"a: made 2026-10-28T00:00:00Z"},
		},
		"old ones that are not among the newest": {
			retain.Rules{OlderThan: month, Keep: n(1), Now: now},
			[]string{"a@99", "b@40", "c@10", "d@20"},
			[]string{
				"a: not among the newest 1 by created, made 2026-08-21T00:00:00Z",
				"b: not among the newest 1 by created, made 2026-10-19T00:00:00Z",
			},
		},
		"the newest stay, however old": {
			retain.Rules{OlderThan: month, Keep: n(2), Now: now}, []string{"a@99", "b@40"}, nil,
		},
		"untagged": {retain.Rules{Untagged: true, Protect: re(".")}, []string{"", "a"}, []string{": untagged"}},
		"untagged and old": {
			retain.Rules{Untagged: true, OlderThan: month, Now: now},
			[]string{"@99", "@1", ""},
			[]string{": untagged, made 2026-08-21T00:00:00Z"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			list := items(t, test.items...)
			var gone []string
			for i, reason := range test.rules.Choose(list) {
				if reason != "" {
					gone = append(gone, list[i].Name+": "+reason)
				}
			}
			slices.Sort(gone)
			slices.Sort(test.gone)
			if !slices.Equal(gone, test.gone) {
				t.Errorf("gone are\n%s\nwant\n%s", strings.Join(gone, "\n"), strings.Join(test.gone, "\n"))
			}
		})
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Duration{"30d": 720 * time.Hour, "2w": 336 * time.Hour, "12h": 12 * time.Hour, "90m": 90 * time.Minute} {
		if got, err := retain.ParseAge(text); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "0d", "0h", "1y", "99999999d", "9223372036854775807w", "1.5d"} {
		if got, err := retain.ParseAge(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
	for _, o := range []retain.Order{retain.ByCreated, retain.BySemver, retain.ByName} {
		if got, err := retain.ParseOrder(o.String()); err != nil || got != o {
			t.Errorf("%v: %v, %v", o, got, err)
		}
	}
	if _, err := retain.ParseOrder("size"); err == nil {
		t.Error("size is an order")
	}
}
