// Command gen-index writes an OCI image layout with many index.json entries, for
// measuring what a large index costs. Every image is a tagged entry; every
// referrer is an untagged entry whose manifest has the image as its subject, and
// is listed in the index behind the image's fallback tag too (distribution-spec,
// "Referrers Tag Schema"). So 10,000 images with 10 referrers each make 120,000
// entries.
//
// With -distinct every image has a config and a layer of its own, otherwise all
// share one of each. With -layered every image has a config and two layers of its own,
// of 24 kB that do not compress, over one of four bases of 240 kB. Equal flags write
// equal bytes. Nothing is synced to disk.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	indexType    = "application/vnd.oci.image.index.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar"
	emptyType    = "application/vnd.oci.empty.v1+json"
	artifactType = "application/vnd.example.report.v1+json"
)

func main() {
	images := flag.Int("images", 10000, "number of tagged images")
	referrers := flag.Int("referrers", 10, "referrers of each image")
	distinct := flag.Bool("distinct", false, "give every image its own config and layer")
	layered := flag.Bool("layered", false, "give every image its own config and two layers, over a base that others share")
	flag.Parse()
	if flag.NArg() != 1 || *images < 1 || *referrers < 0 || *distinct && *layered {
		fmt.Fprintln(os.Stderr, "usage: gen-index [-images N] [-referrers N] [-distinct | -layered] NEWDIR")
		os.Exit(2)
	}
	g := &generator{dir: flag.Arg(0)}
	content := g.same
	switch {
	case *distinct:
		content = g.content
	case *layered:
		content = g.layered
	}
	if err := g.layout(*images, *referrers, content); err != nil {
		fmt.Fprintln(os.Stderr, "gen-index:", err)
		os.Exit(1)
	}
}

type generator struct {
	dir     string
	entries []string
	empty   string
	shared  string // what same returns
}

// layout writes the images; content writes the config and layers of one and returns the
// part of a manifest that names them.
func (g *generator) layout(images, referrers int, content func(i int) (string, error)) error {
	if err := os.MkdirAll(filepath.Join(g.dir, "blobs", "sha256"), 0o755); err != nil {
		return err
	}
	var err error
	if g.empty, err = g.blob(emptyType, "{}"); err != nil {
		return err
	}
	for i := range images {
		named, err := content(i)
		if err != nil {
			return err
		}
		if err := g.image(i, named, referrers); err != nil {
			return err
		}
	}
	if err := g.index(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(g.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644)
}

// same is content(0), written once.
func (g *generator) same(int) (named string, err error) {
	if g.shared == "" {
		g.shared, err = g.content(0)
	}
	return g.shared, err
}

// content gives image i a layer of one file, or for 0 of none.
func (g *generator) content(i int) (string, error) {
	layer := tarEnd
	if i > 0 {
		layer = tarMember(fmt.Sprintf("file-%06d", i), "") + layer
	}
	return g.configured(i, layer)
}

// layered gives image i one of four bases and two layers.
func (g *generator) layered(i int) (string, error) {
	layers := []string{random("base", i%4, 240<<10)}
	for n := range 2 {
		layers = append(layers, random(fmt.Sprintf("file-%d", n), i, 24<<10))
	}
	return g.configured(i, layers...)
}

// random is a layer of one file, whose bytes follow from its name and number.
func random(name string, i, size int) string {
	name = fmt.Sprintf("%s-%06d", name, i)
	data := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte(name))).Read(data) // it never fails
	return tarMember(name, string(data)) + tarEnd
}

// configured writes the layers and a config.
func (g *generator) configured(i int, layers ...string) (string, error) {
	var descs, diffs []string
	for _, layer := range layers {
		d, err := g.blob(layerType, layer)
		if err != nil {
			return "", err
		}
		descs, diffs = append(descs, "{"+d+"}"), append(diffs, fmt.Sprintf("%q", digest(layer)))
	}
	config, err := g.blob(configType, fmt.Sprintf(`{"architecture":"amd64","os":"linux","config":{"Labels":{"number":"%d"}},`+
		`"rootfs":{"type":"layers","diff_ids":[%s]}}`, i, strings.Join(diffs, ",")))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`"config":{%s},"layers":[%s]`, config, strings.Join(descs, ",")), nil
}

// image writes an image with its referrers and remembers their entries.
func (g *generator) image(i int, content string, referrers int) error {
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,%s,"annotations":{"number":"%d"}}`,
		manifestType, content, i)
	subject, err := g.blob(manifestType, manifest)
	if err != nil {
		return err
	}
	g.entries = append(g.entries, fmt.Sprintf(`{%s,"annotations":{"org.opencontainers.image.ref.name":"img-%06d"}}`, subject, i))
	if referrers == 0 {
		return nil
	}
	var listed []string
	for n := range referrers {
		report, err := g.blob(manifestType, fmt.Sprintf(
			`{"schemaVersion":2,"mediaType":%q,"artifactType":%q,"config":{%s},"layers":[{%s}],"subject":{%s},"annotations":{"number":"%d"}}`,
			manifestType, artifactType, g.empty, g.empty, subject, n))
		if err != nil {
			return err
		}
		listed = append(listed, fmt.Sprintf(`{%s,"artifactType":%q}`, report, artifactType))
		g.entries = append(g.entries, fmt.Sprintf(`{%s,"artifactType":%q}`, report, artifactType))
	}
	fallback, err := g.blob(indexType, fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`,
		indexType, strings.Join(listed, ",")))
	if err != nil {
		return err
	}
	tag := strings.Replace(digest(manifest), ":", "-", 1)
	g.entries = append(g.entries, fmt.Sprintf(`{%s,"annotations":{"org.opencontainers.image.ref.name":%q}}`, fallback, tag))
	return nil
}

func (g *generator) index() (err error) {
	f, err := os.OpenFile(filepath.Join(g.dir, "index.json"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, `{"schemaVersion":2,"mediaType":%q,"manifests":[`, indexType)
	for i, entry := range g.entries {
		if i > 0 {
			w.WriteByte(',')
		}
		w.WriteString(entry)
	}
	w.WriteString("]}")
	return w.Flush()
}

// blob writes content under its digest and returns the fields of its descriptor.
func (g *generator) blob(mediaType, content string) (string, error) {
	d := digest(content)
	path := filepath.Join(g.dir, "blobs", "sha256", strings.TrimPrefix(d, "sha256:"))
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		return "", err
	}
	return fmt.Sprintf(`"mediaType":%q,"digest":%q,"size":%d`, mediaType, d, len(content)), nil
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// tarEnd ends a tar.
var tarEnd = strings.Repeat("\x00", 1024)

// tarMember returns a file of that name in a tar. Data must fill whole blocks.
func tarMember(name, data string) string {
	h := make([]byte, 512)
	copy(h, name)
	copy(h[100:], fmt.Sprintf("0000644\x000000000\x000000000\x00%011o\x0000000000000\x00        0", len(data)))
	copy(h[257:], "ustar\x0000")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return string(h) + data
}
