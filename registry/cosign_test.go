package registry_test

import (
	"errors"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/registry"
)

// TestSignedTwice: one image is in two repositories, and cosign signed it differently in
// each. A layout has room for one of the two, so that nothing is pulled.
func TestSignedTwice(t *testing.T) {
	reg, ro := fakeregistry.New(t), quick(t)
	var wants []registry.Want
	for _, repo := range []string{"one", "two"} {
		built := build.NewLayout()
		d := built.Image(build.Image{})
		built.Tag("app", d)
		built.Tag("sha256-"+d.Digest.Encoded()+".sig", built.Artifact("a/signature", nil, []byte("signed in "+repo)))
		push(t, reader(t, built), "app", at(t, reg, repo+":v1"), ro, registry.PushOptions{})
		wants = append(wants, registry.Want{From: at(t, reg, repo+":v1"), Name: repo})
	}
	dst := writable(t)
	_, err := registry.PullAll(t.Context(), session(ro), wants, dst, registry.PullOptions{})
	if !errors.Is(err, content.ErrAmbiguous) {
		t.Errorf("got %v", err)
	}
}
