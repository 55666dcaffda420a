//go:build full

package interop

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// syft is a scan that looks for no newer syft.
func syft(t testing.TB, source string, flags ...string) *exec.Cmd {
	t.Helper()
	home := t.TempDir()
	cmd := exec.Command(testkit.Client(t, "syft"), append([]string{"scan", source, "-o", "json"}, flags...)...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CACHE_HOME="+home, "XDG_CONFIG_HOME="+home, "SYFT_CHECK_FOR_APP_UPDATE=false")
	return cmd
}

// packagesOf returns the names of the packages that syft finds.
func packagesOf(t testing.TB, source string, flags ...string) []string {
	t.Helper()
	var report struct{ Artifacts []struct{ Name string } }
	decode(t, pipe(t, syft(t, source, flags...)), &report)
	var names []string
	for _, a := range report.Artifacts {
		names = append(names, a.Name)
	}
	slices.Sort(names)
	return names
}

// TestFullSyft finds what is installed in the image for a platform, in an archive and
// a directory of one index with all that refers to it. Of two images it takes none.
func TestFullSyft(t *testing.T) {
	layout, one := everything(t), newLayout(t)
	us(t, "copy", layout+":"+appName, one)
	for _, source := range []string{"oci-dir:" + one, "oci-archive:" + exported(t, one)} {
		for _, arch := range []string{"amd64", "arm64"} {
			got := packagesOf(t, source, "--platform", "linux/"+arch)
			if want := []string{"app-on-" + arch}; !slices.Equal(got, want) {
				t.Errorf("%s for %s: syft found %q, want %q", source, arch, got, want)
			}
		}
	}
	out, err := syft(t, "oci-archive:"+exported(t, layout), "--platform", "linux/amd64").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "unexpected number of images") {
		t.Errorf("syft on two images: %v, %s", err, out)
	}
}
