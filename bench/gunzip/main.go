// Gunzip decompresses layers, as many at once as there are cores, and throws the
// bytes away: the least that a look at all files of an image can cost. With -gzip it
// compresses them again, on all cores, before that: the least that a new layer of all
// files can cost.
//
// usage: gunzip [-gzip] FILE...
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/internal/compress"
)

func main() {
	again := flag.Bool("gzip", false, "compress again")
	flag.Parse()
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, path := range flag.Args() {
		g.Go(func() error { return gunzip(path, *again) })
	}
	if err := g.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, "gunzip:", err)
		os.Exit(1)
	}
}

func gunzip(path string, again bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	format, err := compress.Sniff(in)
	if err != nil {
		return err
	}
	plain, err := compress.NewReader(in, format, compress.Limits{})
	if err != nil {
		return err
	}
	defer plain.Close()
	if !again {
		_, err = io.Copy(io.Discard, plain)
		return err
	}
	z, err := compress.NewGzipWriter(io.Discard, compress.GzipOptions{})
	if err != nil {
		return err
	}
	if _, err := z.ReadFrom(plain); err != nil {
		return err
	}
	return z.Close()
}
