package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// docker talks to a private dockerd.
type docker struct {
	t       testing.TB
	program string
	dir     string
}

// startDocker starts Debian's dockerd with the store that it had before containerd's.
func startDocker(t testing.TB) docker {
	t.Helper()
	return dockerOn(t, startContainerd(t, "containerd", "ctr", 2), "docker", "dockerd", "--storage-driver=vfs")
}

// dockerOn starts a dockerd on a private containerd.
func dockerOn(t testing.TB, c containerd, client, server string, args ...string) docker {
	t.Helper()
	needRoot(t)
	d := docker{t, testkit.Client(t, client), short(t)}
	path := testkit.Client(t, server)
	write(t, filepath.Join(d.dir, "daemon.json"), "{}")
	ready := func(string) error { return d.command("info").Run() }
	daemon(t, ready, path, append(args, "--containerd", c.socket, "--config-file", filepath.Join(d.dir, "daemon.json"),
		"--iptables=false", "--ip6tables=false", "--bridge=none",
		"--data-root", filepath.Join(d.dir, "data"), "--exec-root", filepath.Join(d.dir, "exec"),
		"--pidfile", filepath.Join(d.dir, "pid"), "-H", d.host())...)
	return d
}

func (d docker) host() string { return "unix://" + filepath.Join(d.dir, "s") }

// command runs the client without what the user has set for other daemons.
func (d docker) command(args ...string) *exec.Cmd {
	cmd := exec.Command(d.program, append([]string{"--config", d.dir, "-H", d.host()}, args...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "DOCKER_") })
	return cmd
}

func (d docker) run(args ...string) string {
	d.t.Helper()
	return pipe(d.t, d.command(args...))
}

// id returns the image ID, which is the digest of the config.
func (d docker) id(name string) string {
	d.t.Helper()
	return d.run("image", "inspect", "-f", "{{.Id}}", name)[:len("sha256:")+64]
}

// list returns the ID of every image by its name.
func (d docker) list() map[string]string {
	d.t.Helper()
	found := map[string]string{}
	for line := range strings.Lines(d.run("images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")) {
		name, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		found[name] = id
	}
	return found
}

// images makes app:latest from a root filesystem and db:latest with a layer on
// top, without a network, and returns their IDs.
func (d docker) images() (app, db string) {
	d.t.Helper()
	d.run("import", busyboxRoot(d.t), "app:latest")
	context := d.t.TempDir()
	for name, text := range map[string]string{
		"Dockerfile": "FROM app\nCOPY data /data\nLABEL kind=db\nHEALTHCHECK CMD true\nCMD [\"/bin/sh\"]\n",
		"data":       "a layer of its own\n",
	} {
		if err := os.WriteFile(filepath.Join(context, name), []byte(text), 0o644); err != nil {
			d.t.Fatal(err)
		}
	}
	build := d.command("build", "-q", "--network", "none", "-t", "db:latest", context)
	build.Env = append(build.Env, "DOCKER_BUILDKIT=0")
	pipe(d.t, build)
	return d.id("app"), d.id("db")
}

// loads checks that load brings both images back as they were, and that they run.
func (d docker) loads(app, db string, load func()) {
	d.t.Helper()
	d.run("rmi", "-f", "db", "app")
	load()
	wantSame(d.t, "ID of app", d.id("app"), app)
	wantSame(d.t, "ID of db", d.id("db"), db)
	for _, name := range []string{"app", "db"} {
		wantSame(d.t, "what "+name+" prints",
			d.run("run", "--network", "none", "--rm", name, "/bin/busybox", "echo", "ok"), "ok")
	}
	wantSame(d.t, "the file in db", d.run("run", "--network", "none", "--rm", "db", "/bin/busybox", "cat", "/data"),
		"a layer of its own")
}

// TestDocker takes docker save through a layout and back, as files and through
// pipes, in both archive forms. docker save app:latest db:latest gives two images
// with one tag.
func TestDocker(t *testing.T) {
	d := startDocker(t)
	app, db := d.images()
	saved := file(t, "saved.tar")
	d.run("save", "-o", saved, "app:latest", "db:latest")
	layout := newLayout(t)
	us(t, "import", saved, layout)
	wantNames(t, layout, "docker.io/library/app:latest", "docker.io/library/db:latest")

	t.Run("oci", func(t *testing.T) {
		d.t = t
		archive := file(t, "oci.tar")
		us(t, "export", layout, archive)
		d.loads(app, db, func() { d.run("load", "-i", archive) })
	})
	t.Run("docker", func(t *testing.T) {
		d.t = t
		archive := file(t, "docker.tar")
		us(t, "export", layout, archive, "--to", "docker")
		d.loads(app, db, func() { d.run("load", "-i", archive) })
	})
	t.Run("not compressed", func(t *testing.T) {
		d.t = t
		plain, archive := newLayout(t), file(t, "plain.tar")
		us(t, "import", "--compress", "none", saved, plain)
		us(t, "export", plain, archive)
		d.loads(app, db, func() { d.run("load", "-i", archive) })
	})
	t.Run("pipes", func(t *testing.T) {
		d.t = t
		piped := newLayout(t)
		through(t, d.command("save", "app:latest", "db:latest"), exec.Command(ocilayout(t), "import", "-", piped))
		wantNames(t, piped, "docker.io/library/app:latest", "docker.io/library/db:latest")
		d.loads(app, db, func() {
			through(t, exec.Command(ocilayout(t), "export", piped, "-"), d.command("load"))
		})
	})
	t.Run("one of two", func(t *testing.T) {
		d.t = t
		archive := file(t, "db.tar")
		us(t, "export", layout+":db", archive)
		d.run("rmi", "-f", "db", "app")
		d.run("load", "-i", archive)
		wantSame(t, "ID of db", d.id("db"), db)
		if err := d.command("image", "inspect", "app").Run(); err == nil {
			t.Error("app was loaded from an archive of db")
		}
		d.run("load", "-i", saved)
	})
	t.Run("hello", func(t *testing.T) {
		d.t = t
		archive := file(t, "hello.tar")
		us(t, "export", helloLayout(t), archive)
		d.run("load", "-i", archive)
		wantSame(t, "hello", d.run("run", "--network", "none", "--rm", "hello:1.0"), "hello from a layout")
	})
}

// through runs from with its output as to's input; both must succeed.
func through(t testing.TB, from, to *exec.Cmd) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from.Stdout, to.Stdin = w, r
	if err := to.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	fromErr := from.Run()
	w.Close()
	if err := to.Wait(); err != nil || fromErr != nil {
		t.Fatalf("%v: %v, into %v: %v", from.Args, fromErr, to.Args, err)
	}
}
