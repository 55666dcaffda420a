package interop

import (
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// TestCraneMutate does what crane mutate does in a registry, and compares the images.
func TestCraneMutate(t *testing.T) {
	crane := testkit.Client(t, "crane")
	address := registry(t, testkit.Client(t, "registry"))
	layout := editedLayout(t, false)
	one := filepath.Join(t.TempDir(), "one")
	us(t, "copy", layout+":one", one)
	run(t, crane, "push", "--insecure", one, address+"/app:v1")
	more := file(t, "more.tar")
	run(t, "tar", "-C", one, "-cf", more, "oci-layout")
	for _, test := range []struct {
		name         string
		theirs, ours []string
		differs      func(o *outcome)
	}{
		{name: "annotation", theirs: []string{"-a", "a=b"}, ours: []string{"--annotation", "a=b"}},
		{name: "label", theirs: []string{"-l", "x=y"}, ours: []string{"--label", "x=y"}},
		{name: "env", theirs: []string{"-e", "C=3"}, ours: []string{"--env", "C=3"}},
		{name: "entrypoint and cmd", theirs: []string{"--entrypoint", "/x,y", "--cmd", "z"}, ours: []string{"--entrypoint", `["/x","y"]`, "--cmd", `["z"]`}},
		{name: "user", theirs: []string{"-u", "7"}, ours: []string{"--user", "7"}},
		{name: "workdir", theirs: []string{"-w", "/srv"}, ours: []string{"--workdir", "/srv"}},
		{name: "ports", theirs: []string{"--exposed-ports", "80/tcp"}, ours: []string{"--expose", "80/tcp", "--expose", "53/udp="}},
		{name: "platform", theirs: []string{"--set-platform", "linux/s390x"}, ours: []string{"--set-platform", "linux/s390x"}},
		{name: "append", theirs: []string{"--append", more}, ours: []string{"--layer-add", "tar=" + more}, differs: history},
	} {
		t.Run(test.name, func(t *testing.T) {
			us(t, append([]string{"mutate", layout + ":one", "--tag", "new"}, test.ours...)...)
			tag := address + "/app:new"
			run(t, crane, append([]string{"mutate", "--insecure", address + "/app:v1", "-t", tag}, test.theirs...)...)
			pulled := filepath.Join(t.TempDir(), "pulled")
			run(t, crane, "pull", "--insecure", "--format=oci", tag, pulled)
			us(t, "tag", pulled, "new")
			got, want := outcomeOf(t, layout, "new"), outcomeOf(t, pulled, "new")
			if test.differs != nil {
				test.differs(&got)
				test.differs(&want)
			}
			wantOutcome(t, got, want)
		})
	}
}
