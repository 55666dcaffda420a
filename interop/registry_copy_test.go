package interop

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// TestRegistryCopy copies between two registries that lack the referrers API: other
// clients see at the target what they see at the source.
func TestRegistryCopy(t *testing.T) {
	program := testkit.Client(t, "registry")
	a, b := registry(t, program), registry(t, program)
	src := helloLayout(t)
	us(t, "attach", src+":hello:1.0", written(t, "sbom.json", "{}")+":application/spdx+json", "--type", "a/sbom")
	want := digest(t, src+":hello:1.0")
	us(t, "copy", src+":hello:1.0", "docker://"+a+"/team/hello:v1")
	us(t, "copy", "docker://"+a+"/team/hello:v1", "docker://"+b+"/mirror/hello")
	us(t, "tag", "docker://"+b+"/mirror/hello:v1", "v1.0", "latest")
	wantSame(t, "copied again", us(t, "copy", "docker://"+a+"/team/hello:v1", "docker://"+b+"/mirror/hello", "--format", "{{.manifests}} {{.blobs}}"), "0 0")
	wantSame(t, "copied within a registry", us(t, "copy", "docker://"+a+"/team/hello:v1", "docker://"+a+"/other:v1", "--format", "{{.blobs}} {{.referrers}}"), "0 1")

	t.Run("crane", func(t *testing.T) {
		crane := testkit.Client(t, "crane")
		for _, ref := range []string{a + "/team/hello:v1", a + "/other:v1", b + "/mirror/hello:v1", b + "/mirror/hello:latest"} {
			wantSame(t, ref, run(t, crane, "digest", "--insecure", ref), want)
		}
		run(t, crane, "validate", "--insecure", "--remote", b+"/mirror/hello:v1.0")
		run(t, crane, "validate", "--insecure", "--remote", a+"/other:v1")
	})
	t.Run("oras", func(t *testing.T) {
		oras := testkit.Client(t, "oras")
		for _, ref := range []string{a + "/team/hello:v1", a + "/other:v1", b + "/mirror/hello:v1"} {
			list := run(t, oras, "discover", "--plain-http", "--format", "json", ref)
			wantTypes(t, "oras discover "+ref, typesIn(t, list, "referrers"), "a/sbom")
		}
	})
	t.Run("regctl", func(t *testing.T) {
		regctl := testkit.Client(t, "regctl")
		host := []string{"--host", "reg=" + a + ",tls=disabled", "--host", "reg=" + b + ",tls=disabled"}
		for _, ref := range []string{a + "/team/hello:v1", a + "/other:v1", b + "/mirror/hello:v1"} {
			list := run(t, regctl, append(host, "artifact", "list", "--format", "{{json .}}", ref)...)
			wantTypes(t, "regctl artifact list "+ref, typesIn(t, list, "descriptors"), "a/sbom")
		}
	})
}

// TestRegistryNarrow pushes one platform of an index to a registry that refuses indexes
// which list what is not there.
func TestRegistryNarrow(t *testing.T) {
	address := registry(t, testkit.Client(t, "registry"))
	crane := testkit.Client(t, "crane")
	src := everything(t)
	platform := strings.Fields(us(t, "inspect", src+":"+appName, "--format", "{{range .platforms}}{{.}} {{end}}"))[0]
	made := us(t, "push", src+":"+appName, address+"/app:v1", "--platform", platform, "--narrow", "--format", "{{.digest}}")
	made = strings.TrimSpace(made)
	wantSame(t, "crane's digest", run(t, crane, "digest", "--insecure", address+"/app:v1"), made)
	back := newLayout(t)
	us(t, "pull", address+"/app:v1", back+":app")
	wantSame(t, "digest of what was pulled", digest(t, back+":app"), made)
	checked(t, back)
}

// TestRegistryRemove takes tags away, and manifests. This registry deletes only if it is
// told to.
func TestRegistryRemove(t *testing.T) {
	program := testkit.Client(t, "registry")
	crane := testkit.Client(t, "crane")
	src := helloLayout(t)
	us(t, "attach", src+":hello:1.0", written(t, "sbom.json", "{}")+":application/spdx+json", "--type", "a/sbom")
	want := digest(t, src+":hello:1.0")

	address := registry(t, program)
	us(t, "push", src+":hello:1.0", address+"/hello:v1")
	for _, args := range [][]string{{"untag", "docker://" + address + "/hello:v1"}, {"delete", "--yes", "docker://" + address + "/hello@" + want}} {
		out, err := exec.Command(ocilayout(t), append(args, "--format", "json")...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), `"unsupported"`) {
			t.Errorf("%s: %v, %s", args[0], err, out)
		}
	}
	wantSame(t, "crane's digest", run(t, crane, "digest", "--insecure", address+"/hello:v1"), want)

	t.Setenv("REGISTRY_STORAGE_DELETE_ENABLED", "true")
	address = registry(t, program)
	us(t, "push", src+":hello:1.0", address+"/hello:v1", "--tag", "v2")
	us(t, "untag", "docker://"+address+"/hello:v1")
	wantSame(t, "crane's list", strings.Join(strings.Fields(run(t, crane, "ls", "--insecure", "--omit-digest-tags", address+"/hello")), " "), "v2")
	wantSame(t, "the other tag", run(t, crane, "digest", "--insecure", address+"/hello:v2"), want)
	us(t, "delete", "--yes", "--with-referrers", "docker://"+address+"/hello@"+want)
	wantSame(t, "crane's list", strings.TrimSpace(run(t, crane, "ls", "--insecure", address+"/hello")), "")
	if !strings.Contains(us(t, "ls", "docker://"+address+"/"), "hello") {
		t.Error("the registry lists no repository")
	}
}
