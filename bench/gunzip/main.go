// Gunzip decompresses layers, as many at once as there are cores, and throws the
// bytes away: the least that a look at all files of an image can cost.
//
// usage: gunzip FILE...
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/internal/compress"
)

func main() {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, path := range os.Args[1:] {
		g.Go(func() error { return gunzip(path) })
	}
	if err := g.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, "gunzip:", err)
		os.Exit(1)
	}
}

func gunzip(path string) error {
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
	_, err = io.Copy(io.Discard, plain)
	return err
}
