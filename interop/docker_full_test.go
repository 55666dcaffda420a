//go:build full

package interop

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// startTodaysDocker starts a dockerd whose images are those of its containerd.
func startTodaysDocker(t testing.TB) docker {
	t.Helper()
	return dockerOn(t, startContainerd(t, "containerd2", "ctr2", 3), "docker", "dockerd2",
		"--feature=containerd-snapshotter=true", "--storage-driver=native")
}

// wantLoaded compares what docker load said with the names expected.
func wantLoaded(t testing.TB, said string, want ...string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(said) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Loaded image: "); ok {
			got = append(got, name)
		} else {
			t.Errorf("docker load said %q", line)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("docker load said %q, want the names %q", got, want)
	}
}

// TestFullDocker: the store of today's docker keeps whole indexes. It loads the archive
// of everything, and what it saves are the same images
// again, without what refers to them.
func TestFullDocker(t *testing.T) {
	d, layout := startTodaysDocker(t), everything(t)
	both := []string{appName, dbName}
	want := map[string]string{}
	for _, name := range both {
		want[name] = digest(t, layout+":"+name)
	}
	archive := exported(t, layout)
	wantLoaded(t, d.run("load", "-i", archive), both...)
	if got := d.list(); !maps.Equal(got, want) {
		t.Errorf("docker holds %v, want %v", got, want)
	}

	t.Run("save", func(t *testing.T) {
		d.t = t
		back, images := newLayout(t), newLayout(t)
		us(t, "import", d.saved(both...), back)
		us(t, "copy", "--no-referrers", layout, images)
		us(t, "diff", images, back)
		wantNames(t, back, both...)
	})
	t.Run("save of some platforms", func(t *testing.T) {
		d.t = t
		sparse, back := newLayout(t), newLayout(t)
		us(t, "copy", "--platform", "linux/amd64", "--no-referrers", layout+":"+appName, sparse)
		d.run("rmi", "-f", appName, dbName)
		d.run("load", "-i", packed(t, sparse))
		out, err := exec.Command(ocilayout(t), "import", d.saved(appName), back).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "(linux/arm64) is not in the archive") {
			t.Errorf("import: %v, %s", err, out)
		}
		wantSame(t, "digest", digest(t, back+":"+appName), want[appName])
		wantSame(t, "linux/amd64", configDigest(t, back+":"+appName, "linux/amd64"), configDigest(t, layout+":"+appName, "linux/amd64"))
		if text := us(t, "verify", back); !strings.Contains(text, "sparse") {
			t.Errorf("verify does not say what is absent: %s", text)
		}
	})
}

// saved is an archive of docker save.
func (d docker) saved(names ...string) string {
	d.t.Helper()
	archive := file(d.t, "saved.tar")
	d.run(append([]string{"save", "-o", archive}, names...)...)
	return archive
}

// packed is a layout in a tar, made without us.
func packed(t testing.TB, layout string) string {
	t.Helper()
	archive := file(t, "packed.tar")
	run(t, "tar", "-C", layout, "-cf", archive, "oci-layout", "index.json", "blobs")
	return archive
}
