package vector

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// Files are the files of the layout that a vector of kind layout, index or
// manifest is about.
func (v Vector) Files() []build.File {
	switch v.Kind {
	case "layout":
		return members(v.Body)
	case "index":
		l := build.Hello()
		l.IndexJSON = v.Body
		files := l.Files()
		if len(v.Body) == 0 { // which Files leaves out
			files = append(files, build.File{Name: "index.json"})
		}
		return files
	case "manifest":
		l := build.Hello()
		delete(l.Blobs, l.Entries[0].Digest)
		mediaType := v.Values["media-type"]
		if mediaType == "" {
			mediaType = ocispec.MediaTypeImageManifest
		}
		l.Entries = nil
		l.Tag("v1", l.Put(mediaType, v.Body))
		return l.Files()
	}
	panic(fmt.Sprintf("%s: a vector of kind %s has no files", v.Name, v.Kind))
}

// members reads the tar that a layout's vector is.
func members(data []byte) []build.File {
	r := tar.NewReader(bytes.NewReader(data))
	var files []build.File
	for {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			panic(err) // build.Tar wrote it
		}
		body, err := io.ReadAll(r)
		if err != nil {
			panic(err)
		}
		files = append(files, build.File{
			Name: h.Name, Body: body, Type: h.Typeflag, Link: h.Linkname, Mode: h.Mode, Time: h.ModTime,
		})
	}
}
