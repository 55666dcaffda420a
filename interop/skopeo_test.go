package interop

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// rawDigest is the digest of the manifest that skopeo reads for a reference.
func rawDigest(t testing.TB, skopeo, ref string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(run(t, skopeo, "inspect", "--raw", ref)))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// copies checks that skopeo reads a whole image from a reference: it verifies
// every blob on the way.
func copies(t testing.TB, skopeo, ref string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "dir")
	run(t, skopeo, "copy", "-q", ref, "dir:"+dir)
	if files, err := os.ReadDir(dir); err != nil || len(files) != 5 {
		t.Errorf("%s: copied %v, %v; want version, manifest, config and two layers", ref, files, err)
	}
}

func TestSkopeoReads(t *testing.T) {
	skopeo := testkit.Client(t, "skopeo")
	layout := helloLayout(t)
	want := digest(t, layout+":hello")
	oci, docker := file(t, "oci.tar"), file(t, "docker.tar")
	us(t, "export", layout, oci)
	us(t, "export", layout, docker, "--to", "docker")

	for _, tag := range []string{"latest", "1.0"} {
		ref := "oci:" + layout + ":" + tag
		wantSame(t, ref, rawDigest(t, skopeo, ref), want)
		copies(t, skopeo, ref)
		copies(t, skopeo, "oci-archive:"+oci+":"+tag)
		copies(t, skopeo, "docker-archive:"+oci+":hello:"+tag)
		copies(t, skopeo, "docker-archive:"+docker+":hello:"+tag)
	}
}

func TestSkopeoWrites(t *testing.T) {
	skopeo := testkit.Client(t, "skopeo")
	dir := t.TempDir()
	theirs := filepath.Join(dir, "theirs")
	run(t, skopeo, "copy", "-q", "docker-archive:"+helloArchive+":hello:1.0", "oci:"+theirs+":v1")
	checked(t, theirs)
	wantNames(t, theirs, "v1")
	want := digest(t, theirs+":v1")
	wantSame(t, "our digest of theirs", rawDigest(t, skopeo, "oci:"+theirs+":v1"), want)

	t.Run("oci-archive", func(t *testing.T) {
		archive, layout := file(t, "a.tar"), newLayout(t)
		run(t, skopeo, "copy", "-q", "oci:"+theirs+":v1", "oci-archive:"+archive+":v1")
		wantSame(t, "digest in the archive", digest(t, archive+":v1"), want)
		us(t, "import", archive, layout)
		wantSame(t, "digest", digest(t, layout+":v1"), want)
	})
	t.Run("docker-archive", func(t *testing.T) {
		archive, layout := file(t, "a.tar"), newLayout(t)
		run(t, skopeo, "copy", "-q", "oci:"+theirs+":v1", "docker-archive:"+archive+":example.com/app:v2")
		us(t, "import", archive, layout)
		wantNames(t, layout, "example.com/app:v2")
		copies(t, skopeo, "oci:"+layout+":v2")
	})
	t.Run("into our layout", func(t *testing.T) {
		layout := helloLayout(t)
		before := digest(t, layout+":hello")
		run(t, skopeo, "copy", "-q", "oci:"+theirs+":v1", "oci:"+layout+":added")
		wantNames(t, layout, append([]string{"added"}, helloNames...)...)
		wantSame(t, "the image that was there", digest(t, layout+":hello"), before)
		us(t, "tag", layout+":added", "again")
		wantSame(t, "tag of theirs", rawDigest(t, skopeo, "oci:"+layout+":again"), want)
	})
	t.Run("copy", func(t *testing.T) {
		layout := newLayout(t)
		us(t, "copy", theirs+":v1", layout)
		wantSame(t, "digest", rawDigest(t, skopeo, "oci:"+layout+":v1"), want)
	})
}
