package interop

import (
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// TestCrane pushes what we wrote to a private registry, as a directory with one
// image and as an archive, and brings back what crane pulls from it.
func TestCrane(t *testing.T) {
	crane := testkit.Client(t, "crane")
	address := registry(t, testkit.Client(t, "registry"))
	layout := helloLayout(t)
	want := digest(t, layout+":hello")

	one := newLayout(t)
	us(t, "copy", layout+":hello:1.0", one)
	pushed := address + "/hello:pushed"
	run(t, crane, "push", "--insecure", one, pushed)
	wantSame(t, "digest in the registry", run(t, crane, "digest", "--insecure", pushed), want)

	docker := file(t, "docker.tar")
	us(t, "export", layout+":hello:1.0", docker, "--to", "docker")
	run(t, crane, "validate", "--tarball", docker)
	run(t, crane, "push", "--insecure", docker, address+"/hello:docker")

	both := file(t, "oci.tar")
	us(t, "export", layout+":hello:1.0", both)
	run(t, crane, "validate", "--tarball", both)

	t.Run("pull oci", func(t *testing.T) {
		pulled := filepath.Join(t.TempDir(), "pulled")
		run(t, crane, "pull", "--insecure", "--format=oci", pushed, pulled)
		checked(t, pulled)
		wantSame(t, "digest", digest(t, pulled), want)
		back := newLayout(t)
		us(t, "copy", pulled, back)
		wantSame(t, "digest of the copy", digest(t, back), want)
	})
	for _, format := range []string{"tarball", "legacy"} {
		t.Run("pull "+format, func(t *testing.T) {
			pulled, back := file(t, "pulled.tar"), newLayout(t)
			run(t, crane, "pull", "--insecure", "--format="+format, pushed, pulled)
			us(t, "import", pulled, back)
			wantNames(t, back, pushed)
		})
	}
}
