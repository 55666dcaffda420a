package registry_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
)

// TestNarrow: pushed, copied and pulled alike, an index for one platform is the same new
// one, lists what came along and nothing else, and keeps what nobody here knows.
func TestNarrow(t *testing.T) {
	reg, other, ro := fakeregistry.New(t), fakeregistry.New(t), quick(t) // which refuse sparse indexes
	built, app := family()
	src := reader(t, built)
	arm := platforms(t, "linux/arm64")
	push(t, src, "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})

	pushed := push(t, src, "app", at(t, reg, "pushed:v1"), ro, registry.PushOptions{Platforms: arm, Narrow: true})
	if len(pushed.Narrowed) != 1 || pushed.Narrowed[0].Old != app.Digest || pushed.Narrowed[0].New != pushed.Digest || pushed.Digest == app.Digest {
		t.Fatalf("pushed %+v", pushed)
	}
	if pushed.Narrowed[0].Left != 1 || pushed.Referrers != 1 || pushed.Absent != 0 { // the SBOM stays, the report on arm64 comes
		t.Errorf("pushed %+v", pushed)
	}
	copied := copyImage(t, ro, at(t, reg, "app:v1"), at(t, other, "app:v1"), registry.CopyOptions{Platforms: arm, Narrow: true})
	if copied.Digest != pushed.Digest || copied.Referrers != 1 || len(copied.Narrowed) != 1 || copied.Narrowed[0] != pushed.Narrowed[0] {
		t.Errorf("copied %+v, pushed %+v", copied, pushed)
	}
	byDigest := at(t, reg, "app@"+app.Digest.String())
	if again := copyImage(t, ro, byDigest, at(t, other, "app:v1"), registry.CopyOptions{Platforms: arm, Narrow: true}); again.Changed() {
		t.Errorf("copied again: %+v", again)
	}
	within := copyImage(t, ro, byDigest, at(t, reg, "app:arm"), registry.CopyOptions{Platforms: arm, Narrow: true})
	if within.Digest != pushed.Digest || within.Manifests != 1 || within.Blobs != 0 || within.Narrowed[0].Left != 1 {
		t.Errorf("in one repository: %+v", within)
	}
	dst := writable(t)
	pulled, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), dst, registry.PullOptions{Name: "app", Platforms: arm, Narrow: true})
	if err != nil {
		t.Fatal(err)
	}
	if pulled.Digest != pushed.Digest || pulled.Referrers != 1 || len(pulled.Narrowed) != 1 || pulled.Narrowed[0] != pushed.Narrowed[0] || len(pulled.Absent) != 0 {
		t.Errorf("pulled %+v", pulled)
	}
	o := registry.PullOptions{Platforms: arm, Narrow: true, Belongings: layout.Belongings{NoCosign: true}}
	if uncosigned, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), writable(t), o); err != nil || uncosigned.Narrowed[0] != pushed.Narrowed[0] {
		t.Errorf("pulled without cosign's %+v, %v", uncosigned, err)
	}
	e, err := dst.Lookup(t.Context(), layout.Reference{Name: "app"})
	if err != nil {
		t.Fatal(err)
	}
	m, data, err := content.FetchManifest(t.Context(), dst, e.Descriptor, dst.Limits())
	if err != nil || len(m.Manifests) != 1 || !bytes.Equal(data, reg.Manifest("pushed", "v1")) {
		t.Errorf("it is %s, %v", data, err)
	}
}

// TestNarrowCosign: what cosign made for the old index is counted, too, and what it made
// for a child comes.
func TestNarrowCosign(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	built := build.NewLayout()
	amd, arm := built.Image(build.Image{}), built.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})
	app := built.Index(amd, arm)
	built.Tag("app", app)
	built.Tag("sha256-"+app.Digest.Encoded()+".sig", built.Artifact("a/cosign", nil, []byte("of the index")))
	built.Tag("sha256-"+arm.Digest.Encoded()+".sig", built.Artifact("a/cosign", nil, []byte("of arm64")))
	src := reader(t, built)
	push(t, src, "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	done := push(t, src, "app", at(t, reg, "pushed:v1"), ro, registry.PushOptions{Platforms: platforms(t, "linux/arm64"), Narrow: true})
	if done.Narrowed[0].Left != 1 || done.Referrers != 1 {
		t.Errorf("pushed %+v", done)
	}
	pulled, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), writable(t), registry.PullOptions{Platforms: platforms(t, "linux/arm64"), Narrow: true})
	if err != nil || pulled.Narrowed[0].Left != 1 || pulled.Referrers != 1 {
		t.Errorf("pulled %+v, %v", pulled, err)
	}
}

// TestNarrowToPresent: without platforms it is what is there; if nothing is, an error.
func TestNarrowToPresent(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	built, app := family()
	dst := writable(t)
	push(t, reader(t, built), "app", at(t, reg, "app:v1"), ro, registry.PushOptions{})
	if _, err := registry.Pull(t.Context(), session(ro), at(t, reg, "app:v1"), dst, registry.PullOptions{Name: "app", Platforms: platforms(t, "linux/arm64")}); err != nil {
		t.Fatal(err)
	}
	done := push(t, dst.Reader, "app", at(t, reg, "sparse:v1"), ro, registry.PushOptions{Narrow: true})
	if len(done.Narrowed) != 1 || done.Digest == app.Digest || done.Absent != 0 {
		t.Errorf("got %+v", done)
	}
	if done = copyImage(t, ro, at(t, reg, "app:v1"), at(t, reg, "whole:v1"), registry.CopyOptions{Narrow: true}); len(done.Narrowed) != 0 || done.Digest != app.Digest {
		t.Errorf("a whole index: %+v", done)
	}
	_, err := registry.Copy(t.Context(), session(ro), at(t, reg, "app:v1"), at(t, reg, "none:v1"), registry.CopyOptions{Platforms: platforms(t, "linux/s390x"), Narrow: true})
	if !errors.Is(err, content.ErrNotFound) {
		t.Errorf("another platform: %v", err)
	}
}

func platforms(t *testing.T, texts ...string) (list []content.Platform) {
	t.Helper()
	for _, text := range texts {
		p, err := content.ParsePlatform(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

// TestTransferNarrow: between layouts it is the same index.
func TestTransferNarrow(t *testing.T) {
	built, app := family()
	built.Tag("tool", built.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "s390x"}}))
	src, dst := reader(t, built), writable(t)
	arm := platforms(t, "linux/arm64")
	reg, ro := fakeregistry.New(t), quick(t)
	pushed := push(t, src, "app", at(t, reg, "app:v1"), ro, registry.PushOptions{Platforms: arm, Narrow: true})
	for _, ref := range []layout.Reference{{Name: "app"}, {}} {
		o := layout.TransferOptions{CopyOptions: layout.CopyOptions{Platforms: arm}, Narrow: true}
		done, err := layout.Transfer(t.Context(), dst, []layout.Source{{Reader: src, Ref: ref}}, o)
		if err != nil {
			t.Fatal(err)
		}
		if len(done.Narrowed) != 1 || done.Narrowed[0] != pushed.Narrowed[0] || done.Referrers != 1 || len(done.Absent) != 0 {
			t.Errorf("%q: %+v", ref.Name, done)
		}
		if got, err := dst.Resolve(t.Context(), "app"); err != nil || got.Digest != pushed.Digest {
			t.Errorf("%q: %v, %v", ref.Name, got, err)
		}
		if ok, err := dst.Exists(t.Context(), app); err != nil || ok {
			t.Errorf("the old index came along: %v", err)
		}
	}
}
