package interop

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// podman works on a storage of its own.
type podman struct {
	t       testing.TB
	program string
	dir     string
}

func newPodman(t testing.TB) podman {
	t.Helper()
	needRoot(t)
	return podman{t, testkit.Client(t, "podman"), short(t)}
}

func (p podman) run(args ...string) string {
	p.t.Helper()
	return pipe(p.t, p.command(args...))
}

func (p podman) command(args ...string) *exec.Cmd {
	return exec.Command(p.program, append([]string{
		"--root", filepath.Join(p.dir, "root"), "--runroot", filepath.Join(p.dir, "run"),
		"--tmpdir", filepath.Join(p.dir, "tmp"), "--storage-driver=vfs",
		"--cgroup-manager=cgroupfs", "--events-backend=none",
	}, args...)...)
}

// layers returns the diffIDs of an image.
func (p podman) layers(name string) string {
	p.t.Helper()
	return strings.TrimSpace(p.run("image", "inspect", "-f", "{{.RootFS.Layers}} {{.Config.Entrypoint}}", name))
}

// TestPodman loads our archives, and takes both of podman's through a layout and
// back.
func TestPodman(t *testing.T) {
	p := newPodman(t)
	layout := helloLayout(t)
	for _, form := range []string{"docker", "oci"} {
		t.Run("load "+form, func(t *testing.T) {
			p.t = t
			archive := file(t, "hello.tar")
			us(t, "export", layout, archive, "--to", form)
			p.run("load", "-q", "-i", archive)
			for _, name := range []string{"hello:1.0", "hello:latest"} {
				if !strings.Contains(p.layers(name), "/bin/hello") {
					t.Errorf("%s: %s", name, p.layers(name))
				}
			}
			p.run("rmi", "-a", "-f")
		})
	}

	p.t = t
	p.run("load", "-q", "-i", helloArchive)
	want := p.layers("hello:1.0")
	for _, format := range []string{"docker-archive", "oci-archive"} {
		t.Run("save "+format, func(t *testing.T) {
			p.t = t
			saved, archive, layout := file(t, "saved.tar"), file(t, "back.tar"), newLayout(t)
			p.run("save", "-q", "--format", format, "-o", saved, "localhost/hello:1.0")
			us(t, "import", saved, layout)
			wantNames(t, layout, "localhost/hello:1.0")
			us(t, "export", layout, archive)
			p.run("rmi", "-a", "-f")
			p.run("load", "-q", "-i", archive)
			wantSame(t, "layers and entrypoint", p.layers("localhost/hello:1.0"), want)
			p.run("rmi", "-a", "-f")
			p.run("load", "-q", "-i", helloArchive)
		})
	}
	t.Run("save several", func(t *testing.T) {
		p.t = t
		saved, layout := file(t, "saved.tar"), newLayout(t)
		p.run("save", "-q", "-m", "-o", saved, "localhost/hello:1.0", "localhost/hello:latest")
		us(t, "import", saved, layout)
		wantNames(t, layout, "localhost/hello:1.0", "localhost/hello:latest")
	})
}
