package interop

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// mirrorConfig has the keys of the example that regclient publishes, and the ones for
// layouts; REGISTRY and MIRROR stand for what differs.
const mirrorConfig = `
version: 1
creds:
  - registry: REGISTRY
    tls: disabled
    user: "{{env \"NO_SUCH_USER\"}}"
    pass: "{{file \"/no/such/file\"}}"
defaults:
  ratelimit:
    min: 100
    retry: 15m
  parallel: 2
  interval: 60m
  backup: "bkup-{{.Ref.Tag}}"
sync:
  - source: REGISTRY/team/app:v1
    target: ocidir://MIRROR/app:v1
    type: image
  - source: REGISTRY/team/app
    target: ocidir://MIRROR/app
    type: repository
    tags:
      allow:
      - "latest"
      - "3"
      - "3.\\d+"
  - source: REGISTRY/team/app
    target: ocidir://MIRROR/ranges
    type: repository
    tagSets:
    - semverRange: [">=3.1 <4", "^1.2.0"]
      deny: [".*-rc.*"]
    - allow: [latest]
    mediaTypes:
      - "application/vnd.docker.distribution.manifest.v2+json"
      - "application/vnd.docker.distribution.manifest.list.v2+json"
      - "application/vnd.oci.image.manifest.v1+json"
      - "application/vnd.oci.image.index.v1+json"
  - source: REGISTRY/team/app
    target: ocidir://MIRROR/all
    type: repository
  - source: REGISTRY/team/app:latest
    target: ocidir://MIRROR/one:arm
    type: image
    platform: linux/arm64
  - source: REGISTRY/team/app
    target: ocidir://MIRROR/with
    type: repository
    referrers: true
    digestTags: true
    tags: {deny: ["sha256-.*"]}
  - source: REGISTRY/team/app:latest
    target: ocidir://MIRROR/filtered:latest
    type: image
    referrers: true
    referrerFilters:
      - artifactType: a/sbom
`

// backConfig goes the other way, and from registry to registry.
const backConfig = `
creds: [{registry: REGISTRY, tls: disabled}]
sync:
  - {source: ocidir://MIRROR/app, target: REGISTRY/NAME/app, type: repository}
  - {source: ocidir://MIRROR/one:arm, target: ocidir://MIRROR/two:arm, type: image}
  - {source: REGISTRY/team/app, target: REGISTRY/NAME/copy, type: repository, tags: {semverRange: [">=3 <3.5"]}}
`

// layoutsOfMirror are those that mirrorConfig makes, with tags whose referrers are
// compared.
var layoutsOfMirror = map[string][]string{"app": nil, "ranges": nil, "all": {"3"}, "one": nil, "with": {"latest", "v1"}, "filtered": {"latest"}}

// TestRegsync: the same file gives the same tags, digests and referrers, in a first run
// and in one after tags have moved.
func TestRegsync(t *testing.T) {
	regsync := testkit.Client(t, "regsync")
	address := registry(t, testkit.Client(t, "registry"))
	regctl := testkit.Client(t, "regctl")
	src := everything(t)
	us(t, "attach", src+":"+appName, written(t, "sbom.json", "{}")+":application/spdx+json", "--type", "a/sbom")
	us(t, "attach", src+":"+appName, written(t, "other", "x"), "--type", "a/other")
	for name, tags := range map[string][]string{
		appName: {"latest", "3", "3.1", "3.2-rc1", "i2"}, dbName: {"v1", "3.10", "1.2.5", "1.1.0", "33"},
	} {
		args := []string{"push", src + ":" + name, address + "/team/app:" + tags[0]}
		for _, tag := range tags[1:] {
			args = append(args, "--tag", tag)
		}
		us(t, args...)
	}
	dir := t.TempDir()
	config := func(mirror string, text string) string {
		path := filepath.Join(dir, mirror+".yml")
		text = strings.NewReplacer("REGISTRY", address, "MIRROR", filepath.Join(dir, mirror), "NAME", mirror).Replace(text)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, round := range []string{"first", "after a tag moved"} {
		run(t, regsync, "once", "-c", config("theirs", mirrorConfig), "-v", "error")
		us(t, "sync", config("ours", mirrorConfig))
		for name, asked := range layoutsOfMirror {
			ours, theirs := filepath.Join(dir, "ours", name), filepath.Join(dir, "theirs", name)
			checked(t, ours)
			got, want := tagsIn(t, regctl, ours, asked...), tagsIn(t, regctl, theirs, asked...)
			if !maps.Equal(got, want) {
				t.Errorf("%s, %s: tags are\n%s\nand regsync's\n%s", round, name, tagText(got), tagText(want))
			}
		}
		us(t, "push", src+":"+appName, address+"/team/app:v1")
	}
	wantSame(t, "a check after all", us(t, "sync", config("ours", mirrorConfig), "--missing", "--check", "--format", "{{.totals.copied}}"), "0")

	run(t, regsync, "once", "-c", config("theirs", backConfig), "-v", "error")
	us(t, "sync", config("ours", backConfig))
	for _, name := range []string{"app", "copy"} {
		got, want := us(t, "ls", "-l", "docker://"+address+"/ours/"+name), us(t, "ls", "-l", "docker://"+address+"/theirs/"+name)
		wantSame(t, name+" in the registry", got, strings.TrimSpace(want))
	}
	if got, want := tagsIn(t, regctl, filepath.Join(dir, "ours", "two")), tagsIn(t, regctl, filepath.Join(dir, "theirs", "two")); !maps.Equal(got, want) {
		t.Errorf("from layout to layout: tags are\n%s\nand regsync's\n%s", tagText(got), tagText(want))
	}
}

// tagsIn lists the tags of a layout with their digests, and for some the referrers as
// regctl sees them. Lists of referrers have no digest, since they may be written in many
// ways.
func tagsIn(t *testing.T, regctl, path string, asked ...string) map[string]string {
	t.Helper()
	var entries []struct{ Name, Digest string }
	decode(t, us(t, "ls", path, "--all", "--format", "json"), &entries)
	found := map[string]string{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name, "sha256-") && !strings.Contains(e.Name, ".") {
			e.Digest = "a list"
		}
		found[e.Name] = e.Digest
	}
	for _, tag := range asked {
		var list struct{ Descriptors []struct{ Digest string } }
		decode(t, run(t, regctl, "artifact", "list", "--format", "{{json .}}", "ocidir://"+path+":"+tag), &list)
		for _, d := range list.Descriptors {
			found["referrer of "+tag+" "+d.Digest] = d.Digest
		}
	}
	return found
}

func tagText(tags map[string]string) string {
	var b strings.Builder
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		fmt.Fprintln(&b, tag, tags[tag])
	}
	return b.String()
}
