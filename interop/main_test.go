package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// helloArchive is a docker save archive of one image with two names.
const helloArchive = "../testdata/hello-docker.tar"

// The names of its image.
var helloNames = []string{"docker.io/library/hello:1.0", "docker.io/library/hello:latest"}

var binaries string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ocilayout-interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaries = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// binary builds the command, once.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaries, "ocilayout")
	cmd := exec.Command("go", "build", "-o", path, "../cmd/ocilayout")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// us runs ocilayout, which must succeed, and returns what it printed.
func us(t testing.TB, args ...string) string {
	t.Helper()
	return run(t, ocilayout(t), args...)
}

func ocilayout(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a program, which must succeed, and returns its standard output.
func run(t testing.TB, program string, args ...string) string {
	t.Helper()
	return pipe(t, exec.Command(program, args...))
}

// pipe runs a prepared command, which must succeed, and returns its standard
// output.
func pipe(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &stdout
	}
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// newLayout returns a path for a layout, which is verified when the test ends.
func newLayout(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	checked(t, dir)
	return dir
}

// checked verifies the layout when the test ends, unless it was skipped for want of a
// client.
func checked(t testing.TB, dir string) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() {
			return
		}
		var report struct {
			OK      bool
			Checked struct{ Manifests int }
		}
		decode(t, us(t, "verify", dir, "--format", "json"), &report)
		if !report.OK || report.Checked.Manifests == 0 {
			t.Errorf("verify %s: %+v", dir, report)
		}
	})
}

// helloLayout returns a layout with the image of helloArchive.
func helloLayout(t testing.TB) string {
	t.Helper()
	dir := newLayout(t)
	us(t, "import", helloArchive, dir)
	return dir
}

func decode(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// names returns the names in a layout or archive, sorted.
func names(t testing.TB, layout string) []string {
	t.Helper()
	var entries []struct{ Name, Digest string }
	decode(t, us(t, "ls", layout, "--format", "json"), &entries)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name)
	}
	slices.Sort(all)
	return all
}

// wantNames compares the names in a layout with those expected.
func wantNames(t testing.TB, layout string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := names(t, layout); !slices.Equal(got, want) {
		t.Errorf("%s holds the names %q, want %q", layout, got, want)
	}
}

// digest returns the digest that ocilayout gives for a reference.
func digest(t testing.TB, ref string) string {
	t.Helper()
	return strings.TrimSpace(us(t, "digest", ref))
}

// wantSame fails unless got and want are equal.
func wantSame(t testing.TB, what, got, want string) {
	t.Helper()
	if got = strings.TrimSpace(got); got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// file returns a path for a file that the test writes.
func file(t testing.TB, name string) string {
	t.Helper()
	return filepath.Join(t.TempDir(), name)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// needRoot skips the test, or fails it where every client is required, unless it
// runs as root, which container daemons ask for.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if testkit.Required("root") {
		t.Fatal("root is required here")
	}
	t.Skip("needs root")
}

// busyboxRoot returns a tar of a root filesystem with a static busybox in it.
func busyboxRoot(t testing.TB) string {
	t.Helper()
	busybox := testkit.Client(t, "busybox")
	root := filepath.Join(t.TempDir(), "root")
	bin := filepath.Join(root, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "cp", busybox, filepath.Join(bin, "busybox"))
	if err := os.Symlink("busybox", filepath.Join(bin, "sh")); err != nil {
		t.Fatal(err)
	}
	archive := root + ".tar"
	run(t, "tar", "-C", root, "-cf", archive, ".")
	return archive
}
