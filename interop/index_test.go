package interop

import (
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// matrixLayouts are two layouts as the jobs of a matrix build leave them, each with one
// image.
func matrixLayouts(t testing.TB) []string {
	t.Helper()
	var paths []string
	for _, arch := range []string{"amd64", "arm64"} {
		l := build.NewLayout()
		l.Tag("build", l.Image(build.Image{
			Platform: content.Platform{OS: "linux", Architecture: arch},
			Layers:   []build.Layer{{Files: []build.File{build.Text("arch", arch+"\n")}}},
		}))
		paths = append(paths, testkit.Layout(t, l))
	}
	return paths
}

// mergedLayout is a layout whose one entry, app, is an index of both.
func mergedLayout(t testing.TB) string {
	t.Helper()
	merged := newLayout(t)
	us(t, append([]string{"index", "merge", merged + ":app"}, matrixLayouts(t)...)...)
	return merged
}

// regctl makes the same index of the same images, byte for byte, and reads ours.
func TestRegctlIndex(t *testing.T) {
	regctl := regctl(t)
	merged := mergedLayout(t)
	for i, path := range matrixLayouts(t) {
		us(t, "copy", path+":build", merged+":part"+string(rune('0'+i)))
	}
	app := "ocidir://" + merged + ":app"
	wantSame(t, "digest", regctl(t, "manifest", "head", app), digest(t, merged+":app"))
	wantSame(t, "one platform", regctl(t, "manifest", "head", "--platform", "linux/arm64", app), digest(t, merged+":part1"))
	regctl(t, "index", "create", "ocidir://"+merged+":theirs", "--ref", "ocidir://"+merged+":part0", "--ref", "ocidir://"+merged+":part1")
	wantSame(t, "their index", digest(t, merged+":theirs"), digest(t, merged+":app"))

	us(t, "index", "remove", merged+":app", "--platform", "linux/amd64", "--tag", "small")
	regctl(t, "index", "delete", "ocidir://"+merged+":theirs", "--platform", "linux/amd64")
	wantSame(t, "an image less", digest(t, merged+":theirs"), digest(t, merged+":small"))
	us(t, "index", "add", merged+":small", merged+":part0", "--replace")
	regctl(t, "index", "add", "ocidir://"+merged+":theirs", "--ref", "ocidir://"+merged+":part0")
	wantSame(t, "an image more", digest(t, merged+":theirs"), digest(t, merged+":small"))
}

func TestSkopeoIndex(t *testing.T) {
	skopeo := testkit.Client(t, "skopeo")
	merged := mergedLayout(t)
	wantSame(t, "the index", rawDigest(t, skopeo, "oci:"+merged+":app"), digest(t, merged+":app"))
	theirs := filepath.Join(t.TempDir(), "theirs")
	run(t, skopeo, "copy", "--all", "-q", "oci:"+merged+":app", "oci:"+theirs+":app")
	checked(t, theirs)
	wantSame(t, "the copy", us(t, "diff", merged+":app", theirs+":app"), "equal")
}

// crane pushes the index to a private registry and proves what is there.
func TestCraneIndex(t *testing.T) {
	crane := testkit.Client(t, "crane")
	address := registry(t, testkit.Client(t, "registry"))
	merged := mergedLayout(t)
	one := newLayout(t)
	us(t, "copy", merged+":app", one)
	pushed := address + "/app:multi"
	run(t, crane, "push", "--insecure", one, pushed)
	run(t, crane, "validate", "--insecure", "--remote", pushed)
	image := run(t, crane, "digest", "--insecure", "--platform", "linux/arm64", pushed)
	wantSame(t, "one platform", image, digest(t, matrixLayouts(t)[1]))
}
