//go:build full

package interop

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

const chartYAML = `apiVersion: v2
name: demo
description: "A chart <for> tests & more"
type: application
version: 1.2.3+build.5
appVersion: 1.10
home: https://example.com
sources: [https://example.com/a.git, https://example.com/b.git]
keywords: [x, y]
maintainers:
  - {name: Ann, email: ann@example.com}
  - {name: Bob, url: https://bob.example}
annotations:
  org.opencontainers.image.vendor: ACME
  changes: |
    - one
    - two
kubeVersion: ">=1.20.0-0"
dependencies:
  - {name: sub, version: 0.1.0, condition: sub.enabled, tags: [a], import-values: [x, {child: a, parent: b}]}
`

// helmIn returns a function that runs helm in dir, at home there.
func helmIn(t testing.TB, dir string) func(args ...string) string {
	t.Helper()
	helm := testkit.Client(t, "helm")
	return func(args ...string) string {
		t.Helper()
		cmd := exec.Command(helm, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "HELM_CACHE_HOME="+dir, "HELM_CONFIG_HOME="+dir, "HELM_DATA_HOME="+dir)
		return pipe(t, cmd)
	}
}

// packChart lets helm pack a chart, with a dependency, and returns the file's name.
func packChart(t testing.TB, dir string, helm func(...string) string, args ...string) string {
	t.Helper()
	write(t, filepath.Join(dir, "demo/Chart.yaml"), chartYAML)
	write(t, filepath.Join(dir, "demo/templates/x.yaml"), "kind: ConfigMap\n")
	write(t, filepath.Join(dir, "demo/charts/sub/Chart.yaml"), "apiVersion: v2\nname: sub\nversion: 0.1.0\n")
	helm(append([]string{"package", "demo"}, args...)...)
	return filepath.Join(dir, "demo-1.2.3+build.5.tgz")
}

// TestFullHelm compares what we make of a chart with what helm push makes, and lets
// helm pull it after three clients have pushed it.
func TestFullHelm(t *testing.T) {
	dir := t.TempDir()
	helm := helmIn(t, dir)
	chart := packChart(t, dir, helm)
	layout := newLayout(t)
	us(t, "artifact", "put", layout, "--helm", chart)
	const tag = "1.2.3_build.5"
	address := registry(t, testkit.Client(t, "registry"))

	helm("push", chart, "oci://"+address+"/helm", "--plain-http")
	type manifest struct {
		Config      struct{ MediaType, Digest string }
		Annotations map[string]string
	}
	var ours, theirs manifest
	decode(t, us(t, "inspect", layout+":demo:"+tag, "--raw"), &ours)
	decode(t, run(t, testkit.Client(t, "crane"), "manifest", "--insecure", address+"/helm/demo:"+tag), &theirs)
	delete(theirs.Annotations, "org.opencontainers.image.created")
	if a, b := compact(t, ours), compact(t, theirs); a != b {
		t.Errorf("we make\n%s\nhelm makes\n%s", a, b)
	}

	push := map[string]func(to string){
		"oras": func(to string) {
			run(t, testkit.Client(t, "oras"), "cp", "--no-tty", "--from-oci-layout", layout+":"+tag, "--to-plain-http", to)
		},
		"skopeo": func(to string) {
			run(t, testkit.Client(t, "skopeo"), "copy", "--dest-tls-verify=false", "oci:"+layout+":"+tag, "docker://"+to)
		},
		"regctl": func(to string) {
			run(t, testkit.Client(t, "regctl"), "--host", "reg="+address+",tls=disabled", "image", "copy", "ocidir://"+layout+":"+tag, to)
		},
	}
	want, err := os.ReadFile(chart)
	if err != nil {
		t.Fatal(err)
	}
	for client, copyTo := range push {
		copyTo(address + "/" + client + "/demo:" + tag)
		if err := os.Mkdir(filepath.Join(dir, client), 0o755); err != nil {
			t.Fatal(err)
		}
		helm("pull", "oci://"+address+"/"+client+"/demo", "--version", "1.2.3+build.5", "--plain-http", "-d", client)
		got, err := os.ReadFile(filepath.Join(dir, client, filepath.Base(chart)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("by %s: %v, %d bytes, want %d", client, err, len(got), len(want))
		}
		if text := helm("show", "chart", "oci://"+address+"/"+client+"/demo", "--version", "1.2.3+build.5", "--plain-http"); !strings.Contains(text, "name: demo") {
			t.Errorf("helm show chart, by %s: %s", client, text)
		}
	}
	pulled := t.TempDir()
	run(t, testkit.Client(t, "oras"), "pull", "--no-tty", "--plain-http", "-o", pulled, address+"/oras/demo:"+tag)
	if got, err := os.ReadFile(filepath.Join(pulled, filepath.Base(chart))); err != nil || !bytes.Equal(got, want) {
		t.Errorf("oras pull: %v, %d bytes", err, len(got))
	}
}

// TestFullHelmProvenance takes a signed chart through a registry to helm verify.
func TestFullHelmProvenance(t *testing.T) {
	dir := t.TempDir()
	helm := helmIn(t, dir)
	gpg := testkit.Client(t, "gpg")
	home := short(t)
	key := func(args ...string) string {
		return run(t, gpg, append([]string{"--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)...)
	}
	t.Cleanup(func() { run(t, "gpgconf", "--homedir", home, "--kill", "all") })
	key("--quick-generate-key", "Ann <ann@example.com>", "rsa2048", "sign", "never")
	write(t, filepath.Join(dir, "secret.gpg"), key("--export-secret-keys"))
	write(t, filepath.Join(dir, "public.gpg"), key("--export"))
	chart := packChart(t, dir, helm, "--sign", "--key", "Ann", "--keyring", "secret.gpg")

	layout := newLayout(t)
	address := registry(t, testkit.Client(t, "registry"))
	us(t, "artifact", "put", layout, "--helm", chart, "--prov", chart+".prov")
	run(t, testkit.Client(t, "oras"), "cp", "--no-tty", "--from-oci-layout", layout+":1.2.3_build.5", "--to-plain-http", address+"/demo:1.2.3_build.5")
	if err := os.Mkdir(filepath.Join(dir, "pulled"), 0o755); err != nil {
		t.Fatal(err)
	}
	helm("pull", "oci://"+address+"/demo", "--version", "1.2.3+build.5", "--plain-http", "--verify", "--keyring", "public.gpg", "-d", "pulled")
	helm("verify", filepath.Join("pulled", filepath.Base(chart)), "--keyring", "public.gpg")
}

func compact(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
