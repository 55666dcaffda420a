package main

import (
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ocilayout/ocilayout/internal/testkit/fakeregistry"
)

// scriptProxy starts a proxy that leads every tunnel to one registry with TLS, puts the
// proxy's address into a variable, and the registry's certificate into a file.
func scriptProxy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: proxy NAME FILE")
	}
	reg := fakeregistry.StartTLS()
	ts.Defer(reg.Close)
	proxy := httptest.NewServer(tunnel(reg.Host()))
	ts.Defer(proxy.Close)
	ts.Setenv(args[0], proxy.URL)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: reg.Certificate().Raw}), 0o644))
}

// tunnel answers CONNECT, for whatever host, with a connection to another one.
func tunnel(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "only tunnels", http.StatusBadRequest)
			return
		}
		there, err := net.Dial("tcp", to)
		if err != nil {
			http.Error(w, "no registry", http.StatusBadGateway)
			return
		}
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = there.Close()
			return
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			_, _ = io.Copy(there, buffered)
			_ = there.Close()
		}()
		_, _ = io.Copy(here, there)
		_ = here.Close()
	}
}
