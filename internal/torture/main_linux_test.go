//go:build amd64

package torture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// form is "short" or "long"; without it every test here is skipped.
var form = os.Getenv("OCILAYOUT_TORTURE")

// work is the directory of the run.
var work string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ocilayout-torture-")
	if err == nil {
		work, err = filepath.EvalSymlinks(dir)
	}
	if err == nil {
		err = os.Chmod(work, 0o755) // another user looks into it
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// asked skips a test unless the harness was asked for.
func asked(t *testing.T) {
	t.Helper()
	switch form {
	case "short", "long":
	case "":
		t.Skip("set OCILAYOUT_TORTURE to short or long")
	default:
		t.Fatalf("OCILAYOUT_TORTURE is %q: want short or long", form)
	}
}

// lacking skips a test that this machine can't run, or fails it where everything
// is required.
func lacking(t *testing.T, what string, err error) {
	t.Helper()
	if testkit.Required(what) {
		t.Fatalf("%s is required here: %v", what, err)
	}
	t.Skipf("needs %s: %v", what, err)
}

// amount is how much of something the form does.
func amount(short, long int) int {
	if form == "long" {
		return long
	}
	return short
}

var built = sync.OnceValues(func() (string, error) {
	path := filepath.Join(work, "ocilayout")
	cmd := exec.Command("go", "build", "-tags", "urfave_cli_no_docs", "-o", path, "../../cmd/ocilayout")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// subject is the command under test, built once.
func subject(t testing.TB) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// environment is that of every run: one clock for what goes into content.
func environment() []string {
	return append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000", "OCILAYOUT_PROGRESS=none")
}
