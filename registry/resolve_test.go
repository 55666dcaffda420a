package registry_test

import (
	"encoding/pem"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
	"github.com/ocilayout/ocilayout/registry"
)

func TestParseResolve(t *testing.T) {
	for text, want := range map[string]string{
		"a.example:443:127.0.0.1":     "a.example:443 127.0.0.1",
		"A.Example:0443:127.0.0.1":    "a.example:443 127.0.0.1",
		"a.example:443:[2001:db8::1]": "a.example:443 2001:db8::1",
		"a.example:443:2001:db8::1":   "a.example:443 2001:db8::1",
		"[::1]:5000:127.0.0.1":        "[::1]:5000 127.0.0.1",
		"a.example:443":               "",
		"a.example:443:b.example":     "",
		"a.example:0:127.0.0.1":       "",
		"a.example:65536:127.0.0.1":   "",
		"a.example:https:127.0.0.1":   "",
		":443:127.0.0.1":              "",
		"[::1":                        "",
		"":                            "",
	} {
		host, addr, err := registry.ParseResolve(text)
		if want == "" {
			if !errors.Is(err, content.ErrInvalid) {
				t.Errorf("%q: %s %s, %v", text, host, addr, err)
			}
		} else if err != nil || host+" "+addr.String() != want {
			t.Errorf("%q: %s %s, %v, want %s", text, host, addr, err, want)
		}
	}
}

// TestResolve: the connection goes elsewhere, while the certificate must be the name's
// and the request names it.
func TestResolve(t *testing.T) {
	reg, ro := fakeregistry.NewTLS(t), quick(t)
	built, _ := fiveLayers()
	src := reader(t, built)
	_, port, _ := strings.Cut(reg.Host(), ":")
	ro.CAFile = testkit.File(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: reg.Certificate().Raw}))
	ro.Resolve = map[string]netip.Addr{
		"example.com:" + port:        netip.MustParseAddr("127.0.0.1"),
		"other.example.org:" + port:  netip.MustParseAddr("127.0.0.1"),
		"registry.example.com:65535": netip.MustParseAddr("127.0.0.1"),
	}
	to, err := registry.ParseReference("example.com:" + port + "/app:v1") // which is in httptest's certificate
	if err != nil {
		t.Fatal(err)
	}
	push(t, src, "v1", to, ro, registry.PushOptions{})
	for _, host := range reg.Hosts() {
		if host != "example.com:"+port {
			t.Errorf("a request names %s", host)
		}
	}
	to.Host = "other.example.org:" + port
	if _, err := registry.Find(t.Context(), registry.NewSession(ro, nil), to); !errors.Is(err, registry.ErrUnavailable) || !strings.Contains(err.Error(), "not other.example.org") {
		t.Errorf("a certificate for another name: %v", err)
	}
}
