package interop

import (
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// TestRegistry pushes what we wrote to distribution's registry, which lacks the
// referrers API, lets every other client read it back, and pulls it again.
func TestRegistry(t *testing.T) {
	address := registry(t, testkit.Client(t, "registry"))
	src := helloLayout(t)
	us(t, "attach", src+":hello:1.0", written(t, "sbom.json", "{}")+":application/spdx+json", "--type", "a/sbom")
	want := digest(t, src+":hello:1.0")
	repo := address + "/team/hello"
	us(t, "push", src+":hello:1.0", repo+":v1", "--tag", "latest")

	t.Run("skopeo", func(t *testing.T) {
		skopeo := testkit.Client(t, "skopeo")
		wantSame(t, "digest", run(t, skopeo, "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://"+repo+":v1"), want)
		dir := filepath.Join(t.TempDir(), "dir")
		run(t, skopeo, "--insecure-policy", "copy", "--src-tls-verify=false", "docker://"+repo+":latest", "dir:"+dir)
	})
	t.Run("crane", func(t *testing.T) {
		crane := testkit.Client(t, "crane")
		wantSame(t, "digest", run(t, crane, "digest", "--insecure", repo+":v1"), want)
		run(t, crane, "validate", "--insecure", "--remote", repo+":v1")
	})
	t.Run("oras", func(t *testing.T) {
		oras := testkit.Client(t, "oras")
		wantSame(t, "digest", run(t, oras, "resolve", "--plain-http", repo+":v1"), want)
		list := run(t, oras, "discover", "--plain-http", "--format", "json", repo+":v1")
		wantTypes(t, "oras discover", typesIn(t, list, "referrers"), "a/sbom")
	})
	t.Run("regctl", func(t *testing.T) {
		regctl := testkit.Client(t, "regctl")
		host := []string{"--host", "reg=" + address + ",tls=disabled"}
		wantSame(t, "digest", run(t, regctl, append(host, "image", "digest", repo+":v1")...), want)
		list := run(t, regctl, append(host, "artifact", "list", "--format", "{{json .}}", repo+":v1")...)
		wantTypes(t, "regctl artifact list", typesIn(t, list, "descriptors"), "a/sbom")
	})

	back := newLayout(t)
	us(t, "pull", repo+":v1", back+":hello:1.0")
	wantSame(t, "digest of what was pulled", digest(t, back+":hello:1.0"), want)
	wantTypes(t, "what was pulled", referrerTypes(t, back+":hello:1.0"), "a/sbom")
	checked(t, back)
	wantSame(t, "pushed again", us(t, "push", src+":hello:1.0", repo+":v1", "--format", "{{.manifests}} {{.blobs}}"), "0 0")
	wantSame(t, "pushed to another repository", us(t, "push", src+":hello:1.0", address+"/other", "--mount-from", "team/hello", "--format", "{{.blobs}}"), "0")
}

// TestRegistryFromOthers pulls what other clients pushed.
func TestRegistryFromOthers(t *testing.T) {
	address := registry(t, testkit.Client(t, "registry"))
	src := helloLayout(t)
	want := digest(t, src+":hello:1.0")
	for _, push := range [][]string{
		{"skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", "oci:" + src + ":1.0", "docker://" + address + "/skopeo:v1"},
		{"oras", "cp", "--from-oci-layout", src + ":1.0", "--to-plain-http", address + "/oras:v1"},
		{"regctl", "--host", "reg=" + address + ",tls=disabled", "image", "copy", "ocidir://" + src + ":1.0", address + "/regctl:v1"},
	} {
		t.Run(push[0], func(t *testing.T) {
			run(t, testkit.Client(t, push[0]), push[1:]...)
			back := newLayout(t)
			us(t, "pull", address+"/"+push[0]+":v1", back)
			wantSame(t, "digest", digest(t, back), want)
			wantNames(t, back, address+"/"+push[0]+":v1")
		})
	}
}

// TestRegistryRoundTrip: indexes, attestations, referrers and cosign's tags come back
// from a registry as they went, with nothing more and nothing less.
func TestRegistryRoundTrip(t *testing.T) {
	address := registry(t, testkit.Client(t, "registry"))
	src, back := everything(t), newLayout(t)
	for _, name := range []string{appName, dbName} {
		us(t, "push", src+":"+name, address+"/"+name)
		us(t, "pull", address+"/"+name, back+":"+name)
	}
	us(t, "diff", src, back)
	checked(t, back)
}
