//go:build full

package interop

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// TestFullCosignSave imports what cosign saved of an image that is signed and attested
// in both of its forms. Its old form is under its tags then, its new one, which cosign
// writes and lists nowhere, among the referrers; and cosign verifies both where they
// are pushed to.
func TestFullCosignSave(t *testing.T) {
	dir, cosign, _ := cosignIn(t)
	layout := helloLayout(t)
	us(t, "tag", layout+":hello:1.0", "v1")
	want := digest(t, layout+":v1")
	repo := distribution(t).address + "/app"
	pushTo(t, layout+":v1", repo+":v1")
	write(t, filepath.Join(dir, "predicate.json"), `{"builder":{"id":"test"}}`)
	attest := []string{"attest", "--predicate", "predicate.json", "--type", "https://example.com/test"}
	for _, form := range [][]string{
		{"--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false"},
		{"--signing-config", "signing.json"},
	} {
		form = append(form, "--key", "cosign.key", "--allow-insecure-registry", "--yes", repo+"@"+want)
		cosign(append([]string{"sign"}, form...)...)
		cosign(append(append([]string{}, attest...), form...)...)
	}
	cosign("save", "--dir", "saved", "--allow-insecure-registry", repo+":v1")

	back := newLayout(t)
	us(t, "import", filepath.Join(dir, "saved"), back+":v1")
	wantSame(t, "digest", digest(t, back+":v1"), want)
	base := strings.Replace(want, ":", "-", 1)
	wantNames(t, back, "v1")
	var found struct {
		Manifests []struct{ ArtifactType string }
	}
	decode(t, us(t, "referrers", back+":v1", "--format", "json"), &found)
	if len(found.Manifests) != 2 {
		t.Fatalf("%d referrers, want 2: %+v", len(found.Manifests), found)
	}

	other := distribution(t).address + "/back"
	pushTo(t, back+":v1", other+":v1")
	for _, kind := range []string{".sig", ".att"} {
		run(t, testkit.Client(t, "oras"), "cp", "--no-tty", "--from-oci-layout", back+":"+base+kind, "--to-plain-http", other+":"+base+kind)
	}
	for _, bundle := range []string{"true", "false"} {
		verify := []string{"--key", "cosign.pub", "--insecure-ignore-tlog", "--allow-insecure-registry", "--new-bundle-format=" + bundle}
		cosign(append(append([]string{"verify"}, verify...), other+":v1")...)
		cosign(append(append([]string{"verify-attestation", "--type", "https://example.com/test"}, verify...), other+":v1")...)
	}
}
