package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// mutations are edits whose result other programs must take.
var mutations = map[string][]string{
	"config":  {"--env", "EDITED=yes", "--label", "a=b", "--user", "0", "--healthcheck", `{"Test":["NONE"]}`, "--history", "edited"},
	"layers":  {"--env", "EDITED=yes", "--layer-time", "set=2020-01-02T03:04:05Z", "--normalize", "--whiteout", "/etc/motd"},
	"docker":  {"--env", "EDITED=yes", "--to-docker"},
	"zstd":    {"--env", "EDITED=yes", "--layer-compress", "zstd"},
	"plain":   {"--env", "EDITED=yes", "--layer-compress", "none", "--data-max", "2000"},
	"history": {"--env", "EDITED=yes", "--no-history"},
}

// mutatedLayout is a layout with the image of helloLayout edited in each way.
func mutatedLayout(t testing.TB) string {
	t.Helper()
	layout := helloLayout(t)
	for name, edits := range mutations {
		us(t, append([]string{"mutate", layout + ":hello:1.0", "--tag", "hello:" + name}, edits...)...)
	}
	return layout
}

func TestMutatedForSkopeo(t *testing.T) {
	skopeo := testkit.Client(t, "skopeo")
	layout := mutatedLayout(t)
	for name := range mutations {
		if name == "docker" {
			continue // in oci: skopeo sees OCI's media types alone
		}
		run(t, skopeo, "copy", "-q", "oci:"+layout+":"+name, "dir:"+filepath.Join(t.TempDir(), "dir"))
		if got := run(t, skopeo, "inspect", "--config", "oci:"+layout+":"+name); !strings.Contains(got, "EDITED=yes") {
			t.Errorf("%s: skopeo reads %s", name, got)
		}
	}
}

func TestMutatedForCrane(t *testing.T) {
	crane := testkit.Client(t, "crane")
	layout := mutatedLayout(t)
	for name := range mutations {
		archive := file(t, "image.tar")
		us(t, "export", layout+":hello:"+name, archive, "--to", "docker")
		run(t, crane, "validate", "--tarball", archive)
	}
}

func TestMutatedForUmoci(t *testing.T) {
	umoci := testkit.Client(t, "umoci")
	layout := mutatedLayout(t)
	for name := range mutations {
		if name == "docker" {
			continue // umoci knows OCI's media types alone
		}
		bundle := filepath.Join(t.TempDir(), "bundle")
		run(t, umoci, "unpack", "--rootless", "--image", layout+":"+name, bundle)
		_, err := os.Lstat(filepath.Join(bundle, "rootfs", "etc", "motd"))
		if gone := os.IsNotExist(err); gone != (name == "layers") {
			t.Errorf("%s: /etc/motd: %v", name, err)
		}
	}
}

func TestMutatedForPodman(t *testing.T) {
	p := newPodman(t)
	layout := mutatedLayout(t)
	for name := range mutations {
		archive := file(t, "image.tar")
		us(t, "export", layout+":hello:"+name, archive)
		p.run("load", "-q", "-i", archive)
		if got := p.run("image", "inspect", "-f", "{{.Config.Env}}", "hello:"+name); !strings.Contains(got, "EDITED=yes") {
			t.Errorf("%s: podman has %s", name, got)
		}
	}
}

func TestMutatedForDocker(t *testing.T) {
	d := startDocker(t)
	layout := mutatedLayout(t)
	for name := range mutations {
		if name == "zstd" {
			continue // from version 23 on
		}
		archive := file(t, "image.tar")
		us(t, "export", layout+":hello:"+name, archive, "--for", "docker")
		d.run("load", "-q", "-i", archive)
		if got := d.run("image", "inspect", "-f", "{{.Config.Env}}", "hello:"+name); !strings.Contains(got, "EDITED=yes") {
			t.Errorf("%s: docker has %s", name, got)
		}
	}
}

// TestUmociConfig does with umoci config what we do, and compares the configs.
func TestUmociConfig(t *testing.T) {
	umoci := testkit.Client(t, "umoci")
	layout := editedLayout(t, false)
	for _, test := range []struct{ name, theirs, ours string }{
		{"user", "--config.user 7", "--user 7"},
		{"env", "--config.env A=1", "--env A=1"},
		{"cmd", "--config.cmd a", `--cmd ["a"]`},
		{"entrypoint", "--config.entrypoint a", `--entrypoint ["a"]`},
		{"workdir", "--config.workingdir /srv", "--workdir /srv"},
		{"label", "--config.label a=b", "--label a=b"},
		{"volume", "--config.volume /data", "--volume /data"},
		{"expose", "--config.exposedports 80/tcp", "--expose 80/tcp"},
		{"stop-signal", "--config.stopsignal SIGINT", "--stop-signal SIGINT"},
		{"author", "--author me", "--author me"},
		{"created", "--created 2020-01-02T03:04:05Z", "--created 2020-01-02T03:04:05Z"},
		{"annotation", "--manifest.annotation a=b", "--annotation a=b"},
		{"clear", "--clear config.labels --clear config.entrypoint", "--clear label,entrypoint"},
	} {
		t.Run(test.name, func(t *testing.T) {
			us(t, append([]string{"mutate", layout + ":one", "--tag", "ours-" + test.name}, strings.Fields(test.ours)...)...)
			run(t, umoci, append([]string{"config", "--no-history", "--image", layout + ":one", "--tag", "theirs-" + test.name}, strings.Fields(test.theirs)...)...)
			wantOutcome(t, outcomeOf(t, layout, "ours-"+test.name), outcomeOf(t, layout, "theirs-"+test.name))
		})
	}
}
