package sync

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
)

const (
	index = "application/vnd.oci.image.index.v1+json"
	image = "application/vnd.oci.image.manifest.v1+json"
)

// digestOf is a digest of one letter.
func digestOf(letter string) content.Digest {
	if letter == "" {
		return ""
	}
	return content.Digest("sha256:" + strings.Repeat(letter, 64))
}

// seen reads "a" as an image, "a!TYPE" as something else, "a/b" as the index a with the
// wanted image b, "error", and "" as nothing.
func seen(text string) Seen {
	switch {
	case text == "":
		return Seen{}
	case text == "error":
		return Seen{Err: errors.New("it broke")}
	}
	s := Seen{MediaType: image}
	text, mediaType, ok := strings.Cut(text, "!")
	if ok {
		s.MediaType = mediaType
	}
	root, child, ok := strings.Cut(text, "/")
	if ok {
		s.MediaType = index
	}
	s.Digest, s.Child = digestOf(root), digestOf(child)
	return s
}

// TestPlan: one image, what is on both sides, and what is done.
func TestPlan(t *testing.T) {
	for _, c := range []struct {
		keys       string
		from, have string
		missing    bool
		want       string
	}{
		{"", "a", "", false, "copy: new"},
		{"", "a", "b", false, "copy: moved"},
		{"", "a", "a", false, "unchanged: same digest"},
		{"", "", "a", false, "fail: docker.io/library/app:v1: not found"},
		{"", "error", "a", false, "fail: it broke"},
		{"", "a", "error", false, "fail: it broke"},
		{"", "a", "b", true, "skip: the target has the name"},
		{"", "", "b", true, "skip: the target has the name"},
		{"", "a", "", true, "copy: new"},
		{"referrers: true", "a", "a", false, "refresh: same digest; what refers to it is looked at"},
		{"digestTags: true", "a", "a", false, "refresh: same digest; what refers to it is looked at"},
		{"referrers: true, fastCheck: true", "a", "a", false, "unchanged: same digest"},
		{"referrers: true, fastCheck: true", "a", "b", false, "copy: moved"},
		{"forceRecursive: true", "a", "a", false, "refresh: same digest; all below it is looked at"},
		{"", "a!text/plain", "", false, "skip: text/plain is not among mediaTypes"},
		{"", "a!text/plain", "b", false, "skip: text/plain is not among mediaTypes"},
		{"mediaTypes: [text/plain]", "a!text/plain", "", false, "copy: new"},
		{"mediaTypes: [text/plain]", "a", "", false, "skip: " + image + " is not among mediaTypes"},
		{"platform: linux/arm64", "a/b", "b", false, "unchanged: same digest"},
		{"platform: linux/arm64", "a/b", "a", false, "copy: moved"},
		{"platform: linux/arm64, referrers: true", "a/b", "b", false, "refresh: same digest; what refers to it is looked at"},
		{"backup: 'old-{{.Ref.Tag}}'", "a", "b", false, "copy: moved, ocidir://mirror:old-v1"},
		{"backup: 'old-{{.Ref.Tag}}'", "a", "", false, "copy: new"},
		{"backup: 'old-{{.Ref.Tag}}'", "a", "a", false, "unchanged: same digest"},
		{"backup: 'ocidir://{{.Ref.Path}}-old:{{.Ref.Tag}}'", "a", "b", false, "copy: moved, ocidir://mirror-old:v1"},
		{"backup: 'reg.io/{{.Sync.Type}}/x'", "a", "b", false, "copy: moved, reg.io/image/x:latest"},
		{"backup: ' {{env \"TEAM\"}} '", "a", "b", false, "copy: moved, ocidir://mirror:red"},
		{"backup: '{{env \"NOBODY\"}}'", "a", "b", false, "fail: ocidir://mirror:v1: the name of the backup: it is empty"},
		{"backup: 'a b'", "a", "b", false, `fail: ocidir://mirror:v1: the name of the backup: "a b" can't be a tag`},
	} {
		config := parse(t, "sync: [{source: 'app:v1', target: 'ocidir://mirror:v1', type: image, "+c.keys+"}]")
		e := config.Sync[0]
		step := Plan([]Job{{e, e.source, e.target, seen(c.from), seen(c.have)}}, Mode{c.missing, world})[0]
		got := fmt.Sprintf("%s: %s", step.Action, step.Reason)
		if step.Backup != nil {
			got += ", " + step.Backup.String()
		}
		if got != c.want || (step.Err != nil) != (step.Action == ActionFail) {
			t.Errorf("{%s} from %q to %q: %s\nwant %s", c.keys, c.from, c.have, got, c.want)
		}
	}
}

// TestPlanInOrder: of several entries with one target the last one counts that can be
// done.
func TestPlanInOrder(t *testing.T) {
	c := parse(t, `
sync:
- {source: 'app:v1', target: 'ocidir://m:x', type: image}
- {source: 'app:v2', target: 'ocidir://m:x', type: image}
- {source: 'app:v2', target: 'ocidir://m:x', type: image}
- {source: 'app:v3', target: 'ocidir://m:x', type: image}
- {source: 'app:v1', target: 'ocidir://m:y', type: image}`)
	var jobs []Job
	for i, e := range c.Sync {
		jobs = append(jobs, Job{e, e.source, e.target, seen([]string{"a", "c", "c", "error", "a"}[i]), seen([]string{"b", "b", "b", "b", "a"}[i])})
	}
	var got []string
	for _, s := range Plan(jobs, Mode{}) {
		got = append(got, string(s.Action))
	}
	if strings.Join(got, " ") != "skip skip copy fail unchanged" {
		t.Errorf("actions %s", got)
	}
}

// TestChoose: which tags of a repository are taken.
func TestChoose(t *testing.T) {
	tags := "1.0 1.1 1.2-rc1 1.2 1.10 2.0 v2.1 latest i2 i2-long a ad a-long sha256-x"
	made := func(tag string) time.Time {
		days := map[string]int{"1.0": 9, "1.10": 3, "latest": 5, "2.0": 5, "a": 1}
		if n, ok := days[tag]; ok {
			return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC)
		}
		return time.Time{}
	}
	for _, c := range []struct{ keys, want string }{
		{"", "1.0 1.1 1.10 1.2 1.2-rc1 2.0 a a-long ad i2 i2-long latest sha256-x v2.1"},
		{"tags: {allow: ['a|i2']}", "a i2"}, // where regsync takes a-long and ad, too
		{"tags: {deny: ['a|i2|\\d.*']}", "a-long ad i2-long latest sha256-x v2.1"},
		{"tags: {allow: ['a.*'], deny: ['.*long', ad]}", "a"},
		{"tags: {semverRange: ['>=1.1 <1.2', '2.1']}", "1.1 1.2-rc1 v2.1"},
		{"tags: {semverRange: ['^1'], deny: ['.*-.*']}", "1.0 1.1 1.10 1.2"},
		{"tags: {semverRange: ['']}", "1.0 1.1 1.10 1.2 1.2-rc1 2.0 a a-long ad i2 i2-long latest sha256-x v2.1"},
		{"tagSets: [{semverRange: ['>=2']}, {allow: [latest]}]", "2.0 latest v2.1"},
		{"tagSets: [{semverRange: ['>=2']}], tags: {allow: [a]}", "2.0 a v2.1"},
		{"select: {limit: 3}", "1.10 2.0 v2.1"},
		{"select: {semver: '<2', limit: 2}", "1.10 1.2"},
		{"select: {semver: '<1.2', sortBy: name, limit: 1}", "1.2-rc1"},
		{"select: {regex: '1\\.\\d+', limit: 2}", "1.10 1.2"},
		{"select: {sortBy: name, limit: 2}", "sha256-x v2.1"},
		{"select: {sortBy: created, limit: 3}", "1.0 2.0 latest"},
		{"select: {sortBy: created, limit: 99}", "1.0 1.10 2.0 a latest"},
		{"select: {regex: 'a|i2'}", "a i2"},
		{"tags: {deny: ['2.*|v2.*']}, select: {limit: 1}", "1.10"},
	} {
		e := parse(t, "sync: [{source: app, target: 'ocidir://m', type: repository, "+c.keys+"}]").Sync[0]
		got := strings.Join(e.Choose(e.Filter(append(strings.Fields(tags), "a")), made), " ")
		if got != c.want {
			t.Errorf("{%s} takes %s\nwant %s", c.keys, got, c.want)
		}
		if timed := strings.Contains(c.keys, "created"); timed != e.NeedTimes() {
			t.Errorf("{%s} needs times: %v", c.keys, e.NeedTimes())
		}
	}
}

// TestMergedKeys: anchors, and keys for them alone, are what they are in YAML.
func TestMergedKeys(t *testing.T) {
	c := parse(t, `
x-common: &common {type: repository, fastCheck: true, tags: {allow: [a]}}
sync:
- <<: *common
  source: one
  target: ocidir://one
- <<: *common
  source: two
  target: ocidir://two
  fastCheck: false`)
	if one, two := c.Sync[0], c.Sync[1]; !isSet(one.FastCheck) || isSet(two.FastCheck) || len(two.Filter([]string{"a", "b"})) != 1 {
		t.Errorf("entries %+v, %+v", one.Settings, two.Settings)
	}
}

// TestDefaults: an entry takes what it does not say itself.
func TestDefaults(t *testing.T) {
	c := parse(t, `
defaults: {referrers: true, digestTags: true, schedule: '@daily', backup: b, prune: {keep: 2}, referrerFilters: [{artifactType: a/b}]}
sync:
- {source: one, target: 'ocidir://one', type: image}
- {source: two, target: 'ocidir://two', type: image, referrers: false, interval: 1h, backup: c, referrerFilters: []}`)
	one, two := c.Sync[0], c.Sync[1]
	if !isSet(one.Referrers) || !isSet(one.DigestTags) || one.Schedule != "@daily" || one.Backup != "b" || one.rules.prune == nil || len(one.ReferrerFilters) != 1 {
		t.Errorf("one is %+v", one.Settings)
	}
	if isSet(two.Referrers) || !isSet(two.DigestTags) || two.Schedule != "" || two.Backup != "c" || len(two.ReferrerFilters) != 0 {
		t.Errorf("two is %+v", two.Settings)
	}
}

// TestWaves: what an entry reads and an earlier one writes is read after it is written.
func TestWaves(t *testing.T) {
	c := parse(t, `
sync:
- {source: 'a.io/x:1', target: 'ocidir://m/x:1', type: image}
- {source: 'a.io/y', target: 'ocidir://m/y', type: repository}
- {source: 'ocidir://m/x', target: 'b.io/x', type: repository}
- {source: 'ocidir://m2', target: 'b.io/deep', type: layout}
- {source: 'b.io/deep/x:1', target: 'ocidir://n:1', type: image}
- {source: 'b.io', target: 'ocidir://n', type: registry}
- {source: 'ocidir://./n/x', target: 'ocidir://n/y', type: repository}`)
	var got []string
	for _, wave := range waves(c.Sync) {
		got = append(got, fmt.Sprint(len(wave)))
	}
	if strings.Join(got, " ") != "2 2 2 1" {
		t.Errorf("waves of %s", got)
	}
}

// TestLockUpdate: what was seen replaces what stood there; what failed stays as it was.
func TestLockUpdate(t *testing.T) {
	e := parse(t, "sync: [{source: 'a.io/x', target: 'ocidir://m', type: repository}]").Sync[0]
	old, err := parseLock([]byte(fmt.Sprintf(`{"version": 1, "images": [{"source": "a.io/x:gone", "digest": %q, "mediaType": ""}, {"source": "a.io/xy:other", "digest": %[1]q, "mediaType": ""}, {"source": "a.io/x:broken", "digest": %[1]q, "mediaType": ""}, {"source": "a.io/x:kept", "digest": %[1]q, "mediaType": ""}]}`, digestOf("a"))))
	if err != nil {
		t.Fatal(err)
	}
	var jobs []Job
	for name, from := range map[string]string{"kept": "b", "broken": "error", "new": "c/d"} {
		jobs = append(jobs, Job{e, e.source.named(name), e.target.named(name), seen(from), Seen{}})
	}
	next := old.update(Plan(jobs, Mode{}), []Place{e.source.Place})
	var got []string
	for _, image := range next.Images {
		got = append(got, image.Source+"="+string(image.Digest[7]))
	}
	if strings.Join(got, " ") != "a.io/x:broken=a a.io/x:kept=b a.io/x:new=c a.io/xy:other=a" {
		t.Errorf("the lock is %s", got)
	}
	if names := next.names(e.source.Place); strings.Join(names, " ") != "broken kept new" {
		t.Errorf("names %s", names)
	}
	if list := next.repositories("a.io"); strings.Join(list, " ") != "x xy" {
		t.Errorf("repositories %s", list)
	}
	path := t.TempDir() + "/lock"
	if err := next.Write(path); err != nil {
		t.Fatal(err)
	}
	if read, err := ReadLock(path); err != nil || fmt.Sprint(read) != fmt.Sprint(next) {
		t.Errorf("read %v, %v", read, err)
	}
	for _, bad := range []string{"", "{}", `{"version": 2}`, `{"version": 1, "images": [{"source": "a", "digest": "b"}]}`, `{"version": 1, "more": 1}`} {
		if _, err := parseLock([]byte(bad)); err == nil {
			t.Errorf("%s is a lock", bad)
		}
	}
	if _, err := ReadLock(path + "/none"); err == nil {
		t.Error("there is a lock in a file")
	}
}
