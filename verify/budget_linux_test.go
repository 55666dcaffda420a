package verify_test

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/consumer"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/verify"
)

// opens counts how often each file of a directory is opened while fn runs.
func opens(t *testing.T, dir string, fn func()) map[string]int {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_OPEN); err != nil {
		t.Skip(err)
	}
	fn()
	counts := map[string]int{}
	buf := make([]byte, 1<<20)
	for {
		n, err := unix.Read(fd, buf)
		if err != nil || n <= 0 {
			return counts
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			length := int(binary.NativeEndian.Uint32(b[12:]))
			name := strings.TrimRight(string(b[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+length]), "\x00")
			if name != "" { // not the directory itself
				counts[name]++
			}
			b = b[unix.SizeofInotifyEvent+length:]
		}
	}
}

// TestBudget: every blob is opened once, however many refer to it and whoever is
// asked about it, and at the level Quick only manifests and configs are.
func TestBudget(t *testing.T) {
	l := build.NewLayout()
	large := build.Layer{Files: []build.File{{Name: "large", Body: build.Random(1, 200_000)}}} // not read in one go
	amd := l.Image(build.Image{Layers: []build.Layer{large, {Files: []build.File{build.Text("small", "small")}}}})
	arm := l.Image(build.Image{Layers: []build.Layer{large}, Platform: content.Platform{OS: "linux", Architecture: "arm64"}})
	index := l.Index(amd, arm)
	l.Tag("docker.io/library/app:v1", index)
	l.Tag("docker.io/library/app:v2", amd)
	l.Attach(index, "text/plain", []byte("text"))
	l.Put("", []byte("garbage"))
	dir := testkit.Layout(t, l)
	blobs := filepath.Join(dir, "blobs", "sha256")
	check := func(o verify.Options, roots ...content.Descriptor) map[string]int {
		return opens(t, blobs, func() {
			if _, err := verify.Check(context.Background(), open(t, dir), roots, o); err != nil {
				t.Fatal(err)
			}
		})
	}
	for name, o := range map[string]verify.Options{
		"full":  {},
		"bytes": {Level: verify.Bytes},
		"wanted": {
			Platforms: []content.Platform{{OS: "linux", Architecture: "amd64"}}, Referrers: []string{"text/plain"},
			For: []consumer.Consumer{consumer.Kind, consumer.Docker},
		},
	} {
		got := check(o)
		if len(got) != len(l.Blobs) {
			t.Errorf("%s: %d blobs were opened of %d", name, len(got), len(l.Blobs))
		}
		for blob, n := range got {
			if n != 1 {
				t.Errorf("%s: %s was opened %d times", name, blob, n)
			}
		}
	}
	// index, list of referrers, 2 images, 1 artifact, 2 configs
	if got := check(verify.Options{Level: verify.Quick}); len(got) != 7 {
		t.Errorf("quick: %d blobs were opened, want 5 manifests and 2 configs", len(got))
	}
	if got := check(verify.Options{}, amd); len(got) != 4 {
		t.Errorf("one image: %d blobs were opened, want a manifest, a config and 2 layers", len(got))
	}
}
