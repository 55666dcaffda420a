package rootfs_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/mutate/rootfs"
)

// nobody is who the tests run as once more, if root runs them.
const nobody = 65534

// TestWithoutRoot runs the other tests as a user that may do nothing.
func TestWithoutRoot(t *testing.T) {
	if !isRoot() {
		t.Skip("the tests run without root as it is")
	}
	dir, err := os.MkdirTemp("/tmp", "rootfs-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "rootfs.test")
	for _, err := range []error{os.WriteFile(binary, self, 0o755), os.Chmod(dir, 0o755), os.Chown(dir, nobody, nobody)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(binary, "-test.v")
	cmd.Dir = dir
	cmd.Env = []string{"TMPDIR=" + dir, "HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	passed := strings.Count(string(out), "--- PASS")
	if err != nil || passed < 100 {
		t.Errorf("%d tests pass, %v:\n%s", passed, err, failures(string(out)))
	}
}

// failures are the lines of a test's output that tell what failed.
func failures(out string) string {
	var lines []string
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "=== ") && !strings.Contains(line, "--- PASS") && !strings.Contains(line, "--- SKIP") && !strings.Contains(line, " warn ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// TestOwnersNeedRoot says what to do without it.
func TestOwnersNeedRoot(t *testing.T) {
	if isRoot() {
		t.Skip("is about other users")
	}
	l, image := open(t, store(t, images["plain"], nil))
	_, err := rootfs.Unpack(context.Background(), l, image, filepath.Join(t.TempDir(), "root"), rootfs.UnpackOptions{})
	if !errors.Is(err, content.ErrUnsupported) || !strings.Contains(err.Error(), "--rootless") {
		t.Errorf("error is %v", err)
	}
}
