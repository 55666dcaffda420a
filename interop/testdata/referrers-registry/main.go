// Referrers-registry serves go-containerregistry's registry, in memory, with the
// referrers API, which its own command leaves off. .ci/install builds it outside of
// this module, whose dependencies stay as they are.
//
// usage: referrers-registry          prints "listening on ADDRESS"
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "referrers-registry:", err)
		os.Exit(1)
	}
}

func serve() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	quiet := registry.Logger(log.New(io.Discard, "", 0))
	return http.Serve(listener, registry.New(registry.WithReferrersSupport(true), quiet))
}
