package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// atHome makes a home directory in which containers' certificates for a registry are,
// and nobody's credentials.
func atHome(t testing.TB, s server) (home string) {
	t.Helper()
	ocilayout(t) // is built with what is at the real one
	home = t.TempDir()
	t.Setenv("HOME", home)
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "CONTAINERS_REGISTRIES_CONF"} {
		t.Setenv(name, "")
	}
	certificate, err := os.ReadFile(s.ours[1])
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(home, ".config", "containers", "certs.d", s.address)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "ca.crt"), string(certificate))
	return home
}

// telling runs a program with the password on its standard input.
func telling(t testing.TB, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader("open sesame")
	pipe(t, cmd)
}

// TestSharedCredentials: with a registry that wants TLS and a password, the certificates
// that containers' tools find are found, and credentials that one stored serve the
// others.
func TestSharedCredentials(t *testing.T) {
	s := lockedRegistry(t)
	home := atHome(t, s)
	src := helloLayout(t)
	want := digest(t, src+":hello:1.0")
	repo, ours := s.address+"/team/hello", filepath.Join(home, "ours.json")
	telling(t, ocilayout(t), "login", s.address, "-u", "user", "--password-stdin", "--authfile", ours)
	us(t, "push", src+":hello:1.0", repo+":v1", "--authfile", ours)

	// logins are those of a host, and of one repository.
	reads := func(t *testing.T, file string) {
		t.Helper()
		wantSame(t, "digest", us(t, "digest", "docker://"+repo+":v1", "--authfile", file), want)
		t.Setenv("REGISTRY_AUTH_FILE", file)
		back := newLayout(t)
		us(t, "pull", repo+":v1", back)
		wantSame(t, "digest of what was pulled", digest(t, back), want)
	}
	t.Run("skopeo", func(t *testing.T) {
		skopeo := testkit.Client(t, "skopeo")
		wantSame(t, "digest", run(t, skopeo, "inspect", "--authfile", ours, "--format", "{{.Digest}}", "docker://"+repo+":v1"), want)
		for i, key := range []string{s.address, repo} {
			theirs := filepath.Join(home, fmt.Sprintf("skopeo%d.json", i))
			telling(t, skopeo, "login", "--authfile", theirs, "-u", "user", "--password-stdin", key)
			reads(t, theirs)
		}
	})
	t.Run("podman", func(t *testing.T) {
		p := newPodman(t)
		p.run("pull", "-q", "--authfile", ours, repo+":v1")
		theirs := filepath.Join(home, "podman.json")
		login := p.command("login", "--authfile", theirs, "-u", "user", "--password-stdin", s.address)
		login.Stdin = strings.NewReader("open sesame")
		pipe(t, login)
		reads(t, theirs)
		p.run("rmi", "-a", "-f")
	})
}

// TestSharedMirrors: a registry that is nowhere is read from the mirror that skopeo reads
// it from, and refused where skopeo refuses it.
func TestSharedMirrors(t *testing.T) {
	s := lockedRegistry(t)
	home, skopeo := atHome(t, s), testkit.Client(t, "skopeo")
	src := helloLayout(t)
	want := digest(t, src+":hello:1.0")
	us(t, "push", src+":hello:1.0", s.address+"/copies/hello:v1", "--authfile", s.ours[3])
	write(t, filepath.Join(home, ".config", "containers", "registries.conf"), `
[[registry]]
location = "nowhere.invalid"
[[registry.mirror]]
location = "`+s.address+`/copies"
[[registry]]
location = "nowhere.invalid/secret"
blocked = true
`)
	wantSame(t, "skopeo's digest", run(t, skopeo, "inspect", "--no-tags", "--authfile", s.ours[3], "--format", "{{.Digest}}", "docker://nowhere.invalid/hello:v1"), want)
	wantSame(t, "our digest", us(t, "digest", "docker://nowhere.invalid/hello:v1", "--authfile", s.ours[3]), want)
	back := newLayout(t)
	us(t, "pull", "nowhere.invalid/hello:v1", back, "--authfile", s.ours[3])
	wantSame(t, "digest of what was pulled", digest(t, back), want)
	for _, cmd := range []*exec.Cmd{
		exec.Command(skopeo, "inspect", "--no-tags", "docker://nowhere.invalid/secret/hello:v1"),
		exec.Command(ocilayout(t), "digest", "docker://nowhere.invalid/secret/hello:v1"),
	} {
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "block") {
			t.Errorf("%s: %v: %s", cmd.Args[0], err, out)
		}
	}
}

// TestContainerdMirrors: the hosts.toml of a registry that is nowhere serves containerd's
// client and us.
func TestContainerdMirrors(t *testing.T) {
	c := startContainerd(t, "containerd2", "ctr2", 3)
	address := registry(t, testkit.Client(t, "registry"))
	src := helloLayout(t)
	us(t, "push", src+":hello:1.0", address+"/copies/hello:v1")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "nowhere.invalid", "hosts.toml"),
		fmt.Sprintf("[host.\"http://127.0.0.1:1\"]\n[host.\"http://%s/v2/copies\"]\noverride_path = true\n", address))
	wantSame(t, "our digest", us(t, "digest", "docker://nowhere.invalid/hello:v1", "--hosts-dir", dir), digest(t, src+":hello:1.0"))
	c.run("images", "pull", "--local", "--hosts-dir", dir, "nowhere.invalid/hello:v1")
	if got := c.images()["nowhere.invalid/hello:v1"]; got != digest(t, src+":hello:1.0") {
		t.Errorf("containerd has %q", got)
	}
}
