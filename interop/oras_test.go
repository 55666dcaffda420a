package interop

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

func TestOrasReads(t *testing.T) {
	oras := testkit.Client(t, "oras")
	layout := helloLayout(t)
	want := digest(t, layout+":hello")
	archive := file(t, "a.tar")
	us(t, "export", layout, archive)
	for _, ref := range []string{layout + ":latest", layout + ":1.0", archive + ":latest"} {
		wantSame(t, ref, run(t, oras, "resolve", "--oci-layout", ref), want)
	}

	theirs := filepath.Join(t.TempDir(), "theirs")
	run(t, oras, "cp", "--no-tty", "--from-oci-layout", archive+":1.0", "--to-oci-layout", theirs+":v1")
	checked(t, theirs)
	// oras sets the tag that was asked for, beside the full name of the source.
	wantSame(t, "digest of their copy", digest(t, theirs+":v1"), want)

	back := newLayout(t)
	us(t, "copy", theirs+":v1", back)
	wantSame(t, "digest of our copy", run(t, oras, "resolve", "--oci-layout", back+":v1"), want)
}

// TestOrasAttaches lets oras attach a file to an image in our layout, and takes
// both through an archive.
func TestOrasAttaches(t *testing.T) {
	oras := testkit.Client(t, "oras")
	layout := helloLayout(t)
	report := file(t, "report.txt")
	if err := os.WriteFile(report, []byte("all well\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, oras, "attach", "--no-tty", "--disable-path-validation", "--oci-layout", layout+":latest",
		"--artifact-type", "text/report", report+":text/plain")
	discovered(t, oras, layout+":latest")
	wantNames(t, layout, helloNames...)

	archive, back, copied := file(t, "a.tar"), newLayout(t), newLayout(t)
	us(t, "export", layout, archive)
	us(t, "import", archive, back)
	wantNames(t, back, helloNames...)
	discovered(t, oras, back+":latest")

	us(t, "copy", layout+":hello:1.0", copied)
	discovered(t, oras, copied+":1.0")
}

// discovered checks that oras finds the attached artifact.
func discovered(t testing.TB, oras, ref string) {
	t.Helper()
	var found struct {
		Referrers []struct{ ArtifactType string }
	}
	text := run(t, oras, "discover", "--format", "json", "--oci-layout", ref)
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		t.Fatal(err)
	}
	if len(found.Referrers) != 1 || found.Referrers[0].ArtifactType != "text/report" {
		t.Errorf("oras discover %s: %s", ref, text)
	}
}
