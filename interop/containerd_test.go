package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// containerd talks to a private containerd.
type containerd struct {
	t       testing.TB
	program string
	socket  string
	local   bool // the version has --local, which the others are
}

// containerdConfig leaves out what needs devices, a network or a kubelet.
const containerdConfig = `version = %[2]d
root = "%[1]s/root"
state = "%[1]s/state"
disabled_plugins = [
	"io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
	"io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.blockfile",
	"io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
	"io.containerd.snapshotter.v1.erofs", "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "%[1]s/s"
[ttrpc]
  address = "%[1]s/t"
[debug]
  address = "%[1]s/d"
`

// transferConfig lets the transfer service of version 2 unpack images with a
// snapshotter that works on any filesystem.
const transferConfig = `
[[plugins."io.containerd.transfer.v1.local".unpack_config]]
  platform = "linux/%s"
  snapshotter = "native"
`

func startContainerd(t testing.TB, server, client string, version int) containerd {
	t.Helper()
	needRoot(t)
	serverPath, clientPath := testkit.Client(t, server), testkit.Client(t, client)
	dir := short(t)
	config := fmt.Sprintf(containerdConfig, dir, version)
	if version > 2 {
		config += fmt.Sprintf(transferConfig, runtime.GOARCH)
	}
	path := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c := containerd{t, clientPath, filepath.Join(dir, "s"), version > 2}
	daemon(t, func(string) error { return c.command("version").Run() }, serverPath, "-c", path)
	return c
}

func (c containerd) command(args ...string) *exec.Cmd {
	return exec.Command(c.program, append([]string{"-a", c.socket}, args...)...)
}

func (c containerd) run(args ...string) string {
	c.t.Helper()
	return pipe(c.t, c.command(args...))
}

// importing is the import of an archive in the client, as version 1 has it and
// version 2 when told --local.
func (c containerd) importing(archive string, flags ...string) *exec.Cmd {
	args := []string{"images", "import", "--snapshotter", "native"}
	if c.local {
		args = append(args, "--local")
	}
	return c.command(append(append(args, flags...), archive)...)
}

func (c containerd) load(archive string) {
	c.t.Helper()
	pipe(c.t, c.importing(archive))
}

// kind are the flags with which kind imports an archive.
var kind = []string{"--all-platforms", "--digests"}

func (c containerd) save(archive string, names ...string) {
	c.t.Helper()
	args := []string{"images", "export"}
	if c.local {
		args = append(args, "--local")
	}
	c.run(append(append(args, archive), names...)...)
}

// images returns the digest of every image by its name.
func (c containerd) images() map[string]string {
	c.t.Helper()
	found := map[string]string{}
	for line := range strings.Lines(c.run("images", "ls")) {
		if fields := strings.Fields(line); len(fields) > 2 && strings.HasPrefix(fields[2], "sha256:") {
			found[fields[0]] = fields[2]
		}
	}
	return found
}

func (c containerd) remove() {
	c.t.Helper()
	for name := range c.images() {
		c.run("images", "rm", "--sync", name)
	}
}

func TestContainerd1(t *testing.T) {
	c := startContainerd(t, "containerd", "ctr", 2)
	testContainerd(t, c)
	t.Run("run", func(t *testing.T) {
		c.t = t
		wantSame(t, "hello", c.run("run", "--rm", "--snapshotter", "native", helloNames[0], "hello"), "hello from a layout")
	})
}

func TestContainerd2(t *testing.T) {
	testContainerd(t, startContainerd(t, "containerd2", "ctr2", 3))
}

// testContainerd leaves the images of helloArchive loaded.
func testContainerd(t *testing.T, c containerd) {
	layout := helloLayout(t)
	want := digest(t, layout+":hello")
	for _, form := range []string{"docker", "oci"} {
		t.Run(form, func(t *testing.T) {
			c.t = t
			c.remove()
			archive := file(t, "hello.tar")
			us(t, "export", layout, archive, "--to", form)
			c.load(archive)
			images := c.images()
			for _, name := range helloNames {
				if _, ok := images[name]; !ok {
					t.Errorf("%s was not loaded: %v", name, images)
				}
				if form == "oci" && images[name] != want {
					t.Errorf("%s has the digest %s, want %s", name, images[name], want)
				}
			}
			if len(images) != len(helloNames) {
				t.Errorf("loaded %v, want the names %q only", images, helloNames)
			}

			exported, back := file(t, "exported.tar"), newLayout(t)
			c.save(exported, helloNames...)
			us(t, "import", exported, back)
			wantNames(t, back, slices.Clone(helloNames)...)
			wantSame(t, "digest after the way back", digest(t, back+":hello"), images[helloNames[1]])
		})
	}
}
