package build

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Compress returns data in the format "none", "gzip", "zstd" or "xz". The bytes
// depend on the libraries' versions in go.mod and on nothing else.
func Compress(format string, data []byte) []byte {
	switch format {
	case "none":
		return data
	case "gzip":
		return gzipped(data)
	case "zstd":
		return zstdded(data)
	case "xz":
		return xzipped(data)
	}
	panic(fmt.Sprintf("no compression %q", format))
}

func gzipped(data []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(data); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

func zstdded(data []byte) []byte {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err)
	}
	defer func() { _ = w.Close() }()
	return w.EncodeAll(data, nil)
}

func xzipped(data []byte) []byte {
	var buf bytes.Buffer
	w, err := xz.NewWriter(&buf)
	if err != nil {
		panic(err)
	}
	if _, err := w.Write(data); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return buf.Bytes()
}
