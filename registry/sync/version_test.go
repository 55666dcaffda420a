package sync

import "testing"

func TestVersionOrder(t *testing.T) {
	ascending := []string{"0.9", "1-alpine", "1.0.0-rc2", "1.0.0-rc11", "1.0.0-rc11.1", "v1.0.0", "1.2", "1.2.0.1", "1.10", "10.0.17763.2114", "10.0.17763.2115"}
	for i, a := range ascending {
		for j, b := range ascending {
			v, ok := parseVersion(a)
			w, alsoOK := parseVersion(b)
			if !ok || !alsoOK {
				t.Fatalf("%s or %s is no version", a, b)
			}
			if got, want := v.compare(w), sign(i-j); got != want {
				t.Errorf("%s to %s is %d, want %d", a, b, got, want)
			}
		}
	}
	for _, tag := range []string{"", "latest", "v", "1.x", "1.", "3-", "stable-1.2"} {
		if _, ok := parseVersion(tag); ok && tag != "3-" {
			t.Errorf("%q is a version", tag)
		}
	}
}

func sign(n int) int { return min(max(n, -1), 1) }

func TestRanges(t *testing.T) {
	for _, c := range []struct {
		text     string
		has, not []string
	}{
		{">=1.0.0 <2.0.0", []string{"1.0.0", "v1.5", "1.9.9+build", "1.2.0-rc1"}, []string{"2.0.0", "0.9", "1.0.0-rc1", "2"}},
		{"^1.4.2", []string{"1.4.2", "1.9"}, []string{"1.4.1", "2.0"}},
		{"^0.2.3", []string{"0.2.3", "0.2.9"}, []string{"0.3.0", "1.0"}},
		{"^0.0.3", []string{"0.0.3"}, []string{"0.0.4", "0.0.2"}},
		{"~1.4", []string{"1.4", "1.4.9"}, []string{"1.5", "1.3.9"}},
		{"~1", []string{"1.0.5"}, []string{"1.1"}},
		{"1.2", []string{"1.2", "1.2.0"}, []string{"1.2.1"}},
		{">1 <=1.5", []string{"1.1", "1.5.0"}, []string{"1", "1.5.1"}},
		{"10.0.17763.2114", []string{"10.0.17763.2114"}, []string{"10.0.17763.2115"}},
	} {
		r, err := parseRange(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		for want, tags := range map[bool][]string{true: c.has, false: c.not} {
			for _, tag := range tags {
				if v, ok := parseVersion(tag); !ok || r.has(v) != want {
					t.Errorf("%q has %s: %v, want %v", c.text, tag, !want, want)
				}
			}
		}
	}
	for _, bad := range []string{"", "  ", ">=abc", "invalid range", ">"} {
		if r, err := parseRange(bad); err == nil {
			t.Errorf("%q is the range %v", bad, r)
		}
	}
}
