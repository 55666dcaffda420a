//go:build full

package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// cosignIn returns functions that run cosign in a new directory, with a key pair
// there: one that must succeed, and one that must fail and returns what was said.
func cosignIn(t testing.TB) (dir string, cosign func(args ...string) string, fails func(args ...string) string) {
	t.Helper()
	program := testkit.Client(t, "cosign")
	dir = t.TempDir()
	command := func(args []string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "COSIGN_PASSWORD=")
		return cmd
	}
	cosign = func(args ...string) string {
		t.Helper()
		return pipe(t, command(args))
	}
	fails = func(args ...string) string {
		t.Helper()
		out, err := command(args).CombinedOutput()
		if err == nil {
			t.Errorf("cosign %s succeeded:\n%s", strings.Join(args, " "), out)
		}
		return string(out)
	}
	cosign("generate-key-pair")
	// Without a network nothing is to be fetched, and nothing logged.
	write(t, filepath.Join(dir, "signing.json"), `{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}`)
	return dir, cosign, fails
}

// pushTo copies an image with all that refers to it into a registry.
func pushTo(t testing.TB, ref, to string) {
	t.Helper()
	run(t, testkit.Client(t, "oras"), "cp", "--no-tty", "-r", "--from-oci-layout", ref, "--to-plain-http", to)
}

// TestFullCosign signs an image where only its digest is known, attaches the bundles
// here, and lets cosign verify what comes out of another registry.
func TestFullCosign(t *testing.T) {
	dir, cosign, fails := cosignIn(t)
	layout := helloLayout(t)
	us(t, "tag", layout+":hello:1.0", "v1")
	want := digest(t, layout+":v1")
	scratch := registry(t, testkit.Client(t, "registry")) + "/scratch"
	pushTo(t, layout+":v1", scratch+":v1")

	write(t, filepath.Join(dir, "predicate.json"), `{"builder":{"id":"test"}}`)
	common := []string{"--key", "cosign.key", "--signing-config", "signing.json", "--allow-insecure-registry", "--yes"}
	cosign(append(append([]string{"sign"}, common...), scratch+"@"+want)...)
	cosign(append(append([]string{"attest", "--predicate", "predicate.json", "--type", "https://example.com/test"}, common...), scratch+"@"+want)...)

	for i, bundle := range bundles(t, scratch+"@"+want) {
		path := filepath.Join(dir, string(rune('a'+i))+".sigstore.json")
		write(t, path, bundle)
		us(t, "attach", layout+":v1", "--sigstore-bundle", path)
	}
	verify := []string{"--key", "cosign.pub", "--insecure-ignore-tlog", "--allow-insecure-registry"}
	for _, start := range []func(testing.TB) server{distribution, referrersRegistry} {
		repo := start(t).address + "/app"
		pushTo(t, layout+":v1", repo+":v1")
		cosign(append(append([]string{"verify"}, verify...), repo+":v1")...)
		cosign(append(append([]string{"verify-attestation", "--type", "https://example.com/test"}, verify...), repo+":v1")...)
		fails(append(append([]string{"verify-attestation", "--type", "https://example.com/other"}, verify...), repo+":v1")...)
	}
	if got := digest(t, layout+":v1"); got != want {
		t.Errorf("the image became %s, was %s", got, want)
	}

	// Another image does not take the bundles, and cosign would not either.
	other := newLayout(t)
	us(t, "create", other+":v1", "--platform", "linux/amd64")
	out, err := exec.Command(ocilayout(t), "attach", other+":v1", "--sigstore-bundle", filepath.Join(dir, "a.sigstore.json")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), want) {
		t.Errorf("attached to another image: %v\n%s", err, out)
	}
	us(t, "attach", other+":v1", "--sigstore-bundle", filepath.Join(dir, "a.sigstore.json"), "--any-subject")
	repo := distribution(t).address + "/other"
	pushTo(t, other+":v1", repo+":v1")
	fails(append(append([]string{"verify"}, verify...), repo+":v1")...)
}

// TestFullCosignOffline signs an image that no registry has seen, with a statement of
// our own making, and lets cosign verify it later. A signature of the manifest's
// bytes is carried too, but cosign wants a statement.
func TestFullCosignOffline(t *testing.T) {
	dir, cosign, fails := cosignIn(t)
	layout := helloLayout(t)
	us(t, "tag", layout+":hello:1.0", "v1")
	image := digest(t, layout+":v1")
	write(t, filepath.Join(dir, "manifest.json"), us(t, "inspect", layout+":v1", "--raw"))
	write(t, filepath.Join(dir, "statement.json"), `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"`+
		strings.TrimPrefix(image, "sha256:")+`"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`)
	sign := []string{"--key", "cosign.key", "--signing-config", "signing.json", "--yes"}
	cosign(append(append([]string{"sign-blob"}, sign...), "--bundle", "blob.sigstore.json", "manifest.json")...)
	cosign(append(append([]string{"attest-blob"}, sign...), "--statement", "statement.json", "--bundle", "image.sigstore.json")...)

	repo := distribution(t).address + "/app"
	verify := []string{"verify", "--key", "cosign.pub", "--insecure-ignore-tlog", "--allow-insecure-registry", repo + ":v1"}
	us(t, "attach", layout+":v1", "--sigstore-bundle", filepath.Join(dir, "blob.sigstore.json"))
	pushTo(t, layout+":v1", repo+":v1")
	fails(verify...)
	us(t, "attach", layout+":v1", "--sigstore-bundle", filepath.Join(dir, "image.sigstore.json"))
	pushTo(t, layout+":v1", repo+":v1")
	cosign(verify...)
}

// bundles are those attached to an image in a registry.
func bundles(t testing.TB, ref string) []string {
	t.Helper()
	oras := testkit.Client(t, "oras")
	var found struct{ Referrers []struct{ Digest string } }
	decode(t, run(t, oras, "discover", "--plain-http", "--format", "json", ref), &found)
	if len(found.Referrers) != 2 {
		t.Fatalf("cosign attached %d bundles", len(found.Referrers))
	}
	repo, _, _ := strings.Cut(ref, "@")
	var all []string
	for _, r := range found.Referrers {
		var m struct{ Layers []struct{ Digest string } }
		decode(t, run(t, oras, "manifest", "fetch", "--plain-http", repo+"@"+r.Digest), &m)
		all = append(all, run(t, oras, "blob", "fetch", "--plain-http", "-o", "-", repo+"@"+m.Layers[0].Digest))
	}
	return all
}

// TestFullCosignLift lets cosign sign in its older form, and verify what was lifted
// from that.
func TestFullCosignLift(t *testing.T) {
	dir, cosign, _ := cosignIn(t)
	layout := helloLayout(t)
	us(t, "tag", layout+":hello:1.0", "v1")
	want := digest(t, layout+":v1")
	repo := distribution(t).address + "/app"
	pushTo(t, layout+":v1", repo+":v1")
	write(t, filepath.Join(dir, "predicate.json"), `{"builder":{"id":"test"}}`)
	old := []string{"--key", "cosign.key", "--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false", "--allow-insecure-registry", "--yes"}
	cosign(append(append([]string{"sign"}, old...), repo+"@"+want)...)
	cosign(append(append([]string{"attest", "--predicate", "predicate.json", "--type", "custom"}, old...), repo+"@"+want)...)

	tag := strings.Replace(want, ":", "-", 1)
	for _, kind := range []string{".sig", ".att"} {
		run(t, testkit.Client(t, "oras"), "cp", "--no-tty", "--from-plain-http", repo+":"+tag+kind, "--to-oci-layout", layout+":"+tag+kind)
	}
	var report struct {
		Lifted  []struct{ ArtifactType string }
		Skipped []struct{ Reason string }
	}
	decode(t, us(t, "referrers", layout+":v1", "--lift", "--drop-tags", "--format", "json"), &report)
	if len(report.Lifted) != 2 || len(report.Skipped) != 0 {
		t.Fatalf("%+v", report)
	}
	lifted := distribution(t).address + "/lifted"
	pushTo(t, layout+":v1", lifted+":v1")
	verify := []string{"verify", "--key", "cosign.pub", "--new-bundle-format=false", "--insecure-ignore-tlog", "--allow-insecure-registry", "--experimental-oci11"}
	cmd := append(verify, lifted+":v1")
	cosign(cmd...)
}

// TestFullCosignFarSide signs in a registry, in cosign's older form and in today's, takes
// the image through a layout to others, and lets cosign verify it there.
func TestFullCosignFarSide(t *testing.T) {
	_, cosign, fails := cosignIn(t)
	src := distribution(t)
	us(t, "push", helloLayout(t)+":hello:1.0", src.address+"/app:v1")
	image := src.address + "/app@" + strings.TrimSpace(us(t, "digest", "docker://"+src.address+"/app:v1"))
	common := []string{"sign", "--key", "cosign.key", "--allow-insecure-registry", "--yes"}
	cosign(append(common, "--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false", image)...)
	cosign(append(common, "--signing-config", "signing.json", image)...)

	carried := newLayout(t)
	us(t, "pull", src.address+"/app:v1", carried+":app")
	verify := []string{"verify", "--key", "cosign.pub", "--insecure-ignore-tlog", "--allow-insecure-registry"}
	for _, start := range []func(testing.TB) server{distribution, debianRegistry, referrersRegistry} {
		far := start(t).address
		us(t, "push", carried+":app", far+"/app:v1")
		us(t, "push", "--no-referrers", carried+":app", far+"/bare:v1")
		for _, form := range []string{"--new-bundle-format=false", "--new-bundle-format=true"} {
			cosign(append(verify, form, far+"/app:v1")...)
			fails(append(verify, form, far+"/bare:v1")...)
		}
	}
}
