package registry_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/registry"
)

// FuzzReference: a reference that is read is written so that it reads the same, and has
// nothing in it that an address would take for something else.
func FuzzReference(f *testing.F) {
	for _, s := range []string{
		"docker://localhost:5000/app:v1", "app", "ghcr.io/a/b/c@sha256:" + strings.Repeat("a", 64),
		"[::1]:5000/app:v1", "docker://127.0.0.1/x:y@sha512:" + strings.Repeat("0", 128), "a/../b", "A/b", "host:port/x", "x:y:z", "https://ghcr.io/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if host, err := registry.ParseHost(s); err == nil && strings.ContainsAny(host, "/?#@ \t\r\n\\") {
			t.Errorf("%q is read as the host %q", s, host)
		} else if err != nil && !errors.Is(err, content.ErrInvalid) {
			t.Errorf("%q: %v", s, err)
		}
		ref, err := registry.ParseReference(s)
		if err != nil {
			if !errors.Is(err, content.ErrInvalid) && !errors.Is(err, content.ErrUnsupported) {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		for _, part := range []string{ref.Host, ref.Repository, ref.Tag} {
			if strings.ContainsAny(part, "?#%@ \t\r\n\\") || strings.Contains(part, "..") && strings.Contains(part, "/") {
				t.Errorf("%q has the part %q", s, part)
			}
		}
		if again, err := registry.ParseReference(ref.String()); err != nil || again != ref {
			t.Errorf("%q is %+v, and %q is %+v (%v)", s, ref, ref.String(), again, err)
		}
	})
}
