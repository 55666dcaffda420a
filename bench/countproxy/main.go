// Countproxy stands before a registry on this machine and prints the method, path and
// status of every request that goes through, a line each. The host that a client names
// is passed on, so that what the registry answers leads back here.
//
// usage: countproxy HOST:PORT          first prints "listening on ADDRESS"
package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: countproxy HOST:PORT")
		os.Exit(2)
	}
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "countproxy:", err)
		os.Exit(1)
	}
}

func serve(registry string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: registry})
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(resp *http.Response) error {
			// One write each, so that the lines of concurrent requests stay whole.
			_, err := fmt.Printf("%s %s %d\n", resp.Request.Method, resp.Request.URL.Path, resp.StatusCode)
			return err
		},
	}
	return http.Serve(listener, proxy)
}
