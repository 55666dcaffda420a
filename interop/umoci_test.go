package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

func TestUmociReads(t *testing.T) {
	umoci := testkit.Client(t, "umoci")
	layout := helloLayout(t)
	listed := strings.Fields(run(t, umoci, "ls", "--layout", layout))
	if strings.Join(listed, " ") != "1.0 latest" && strings.Join(listed, " ") != "latest 1.0" {
		t.Errorf("umoci lists %q", listed)
	}
	if stat := run(t, umoci, "stat", "--json", "--image", layout+":latest"); !strings.Contains(stat, "COPY hello /bin/hello") {
		t.Errorf("umoci stat: %s", stat)
	}
	bundle := filepath.Join(t.TempDir(), "bundle")
	run(t, umoci, "unpack", "--rootless", "--image", layout+":1.0", bundle)
	text, err := os.ReadFile(filepath.Join(bundle, "rootfs", "etc", "motd"))
	if err != nil || string(text) != "two layers, one image\n" {
		t.Errorf("the unpacked file holds %q, %v", text, err)
	}
}

func TestUmociWritesIntoOurs(t *testing.T) {
	umoci := testkit.Client(t, "umoci")
	layout := helloLayout(t)
	want := digest(t, layout+":hello")
	run(t, umoci, "tag", "--image", layout+":latest", "v2")
	wantSame(t, "their tag", digest(t, layout+":v2"), want)
	run(t, umoci, "config", "--image", layout+":v2", "--config.label", "added=yes")
	if got := digest(t, layout+":v2"); got == want {
		t.Error("the edited image has its old digest")
	}
	wantSame(t, "the image that was there", digest(t, layout+":hello"), want)
	us(t, "tag", layout+":v2", "v3")
	us(t, "untag", layout+":v2")
	if stat := run(t, umoci, "stat", "--json", "--image", layout+":v3"); !strings.Contains(stat, "COPY motd") {
		t.Errorf("umoci stat: %s", stat)
	}
}

func TestUmociWrites(t *testing.T) {
	umoci := testkit.Client(t, "umoci")
	theirs := filepath.Join(t.TempDir(), "theirs")
	data := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(data, []byte("inserted\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, umoci, "init", "--layout", theirs)
	run(t, umoci, "new", "--image", theirs+":v1")
	run(t, umoci, "insert", "--rootless", "--image", theirs+":v1", data, "/data")
	checked(t, theirs)
	wantNames(t, theirs, "v1")

	archive, back := file(t, "a.tar"), newLayout(t)
	us(t, "export", theirs, archive)
	us(t, "import", archive, back)
	wantSame(t, "digest after the way back", digest(t, back+":v1"), digest(t, theirs+":v1"))
	bundle := filepath.Join(t.TempDir(), "bundle")
	run(t, umoci, "unpack", "--rootless", "--image", back+":v1", bundle)
	text, err := os.ReadFile(filepath.Join(bundle, "rootfs", "data"))
	if err != nil || string(text) != "inserted\n" {
		t.Errorf("the unpacked file holds %q, %v", text, err)
	}
}

// TestUmociGarbage: what umoci's gc removes ours does too, and nothing else.
func TestUmociGarbage(t *testing.T) {
	umoci := testkit.Client(t, "umoci")
	layout := helloLayout(t)
	for _, name := range []string{"kept", "gone"} {
		run(t, umoci, "new", "--image", layout+":"+name)
		run(t, umoci, "config", "--image", layout+":"+name, "--config.label", "name="+name)
	}
	us(t, "untag", layout+":gone")
	copied := newLayout(t)
	if err := os.CopyFS(copied, os.DirFS(layout)); err != nil {
		t.Fatal(err)
	}
	all := blobNames(t, layout)
	run(t, umoci, "gc", "--layout", copied)
	us(t, "gc", "--grace", "0s", layout)
	theirs, ours := blobNames(t, copied), blobNames(t, layout)
	if strings.Join(ours, " ") != strings.Join(theirs, " ") || len(ours) >= len(all)-2 {
		t.Errorf("of %d blobs umoci leaves\n%q, ours\n%q", len(all), theirs, ours)
	}
	us(t, "gc", "--grace", "0s", "--dry-run", copied) // exits 0: there is nothing more
}

// blobNames lists the blobs of a layout.
func blobNames(t *testing.T, layout string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(layout, "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
