package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// regctl returns a function that runs regctl with a configuration of its own.
func regctl(t testing.TB) func(t testing.TB, args ...string) string {
	t.Helper()
	path := testkit.Client(t, "regctl")
	t.Setenv("REGCTL_CONFIG", file(t, "config.json"))
	return func(t testing.TB, args ...string) string {
		t.Helper()
		return run(t, path, args...)
	}
}

func TestRegctlReads(t *testing.T) {
	regctl := regctl(t)
	layout := helloLayout(t)
	want := digest(t, layout+":hello")
	wantSame(t, "head", regctl(t, "manifest", "head", "ocidir://"+layout+":1.0"), want)

	theirs := filepath.Join(t.TempDir(), "theirs")
	regctl(t, "image", "copy", "ocidir://"+layout+":latest", "ocidir://"+theirs+":v1")
	checked(t, theirs)
	wantNames(t, theirs, "v1")
	wantSame(t, "digest of their copy", digest(t, theirs+":v1"), want)

	for _, form := range []string{"oci", "docker"} {
		t.Run("import "+form, func(t *testing.T) {
			archive, read := file(t, "a.tar"), filepath.Join(t.TempDir(), "read")
			us(t, "export", layout+":hello:1.0", archive, "--to", form)
			regctl(t, "image", "import", "ocidir://"+read+":v1", archive)
			checked(t, read)
			wantNames(t, read, "v1")
			if form == "oci" {
				wantSame(t, "digest", digest(t, read+":v1"), want)
			}
		})
	}
}

func TestRegctlWrites(t *testing.T) {
	regctl := regctl(t)
	layout := helloLayout(t)
	want := digest(t, layout+":hello")

	t.Run("export", func(t *testing.T) {
		archive, back := file(t, "a.tar"), newLayout(t)
		regctl(t, "image", "export", "ocidir://"+layout+":1.0", archive)
		us(t, "import", archive, back+":back")
		wantSame(t, "digest", digest(t, back+":back"), want)
	})
	t.Run("into our layout", func(t *testing.T) {
		regctl(t, "image", "mod", "ocidir://"+layout+":1.0", "--create", "labelled", "--label", "added=yes")
		wantSame(t, "the image that was there", digest(t, layout+":hello"), want)
		wantSame(t, "digest", digest(t, layout+":labelled"), strings.TrimSpace(
			regctl(t, "manifest", "head", "ocidir://"+layout+":labelled")))
		us(t, "tag", layout+":labelled", "ours")
		wantSame(t, "our tag", regctl(t, "manifest", "head", "ocidir://"+layout+":ours"), digest(t, layout+":labelled"))
	})
	t.Run("artifact", func(t *testing.T) {
		report := file(t, "report.txt")
		if err := os.WriteFile(report, []byte("all well\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		regctl(t, "artifact", "put", "--subject", "ocidir://"+layout+":1.0", "--artifact-type", "text/report", "-f", report)
		archive, back := file(t, "a.tar"), newLayout(t)
		us(t, "export", layout, archive)
		us(t, "import", archive, back)
		got := regctl(t, "artifact", "get", "--subject", "ocidir://"+back+":1.0", "--filter-artifact-type", "text/report")
		wantSame(t, "the artifact after the way through an archive", got, "all well")
	})
}
