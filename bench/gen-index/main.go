// Command gen-index writes an OCI image layout with many index.json entries, for
// measuring what a large index costs. Every image is a tagged entry; every
// referrer is an untagged entry whose manifest has the image as its subject, and
// is listed in the index behind the image's fallback tag too (distribution-spec,
// "Referrers Tag Schema"). So 10,000 images with 10 referrers each make 120,000
// entries.
//
// With -distinct every image has a config and a layer of its own, otherwise all
// share one of each. Equal flags write equal bytes. Nothing is synced to disk.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
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
	flag.Parse()
	if flag.NArg() != 1 || *images < 1 || *referrers < 0 {
		fmt.Fprintln(os.Stderr, "usage: gen-index [-images N] [-referrers N] [-distinct] NEWDIR")
		os.Exit(2)
	}
	g := &generator{dir: flag.Arg(0)}
	if err := g.layout(*images, *referrers, *distinct); err != nil {
		fmt.Fprintln(os.Stderr, "gen-index:", err)
		os.Exit(1)
	}
}

type generator struct {
	dir     string
	entries []string
	empty   string
}

func (g *generator) layout(images, referrers int, distinct bool) error {
	if err := os.MkdirAll(filepath.Join(g.dir, "blobs", "sha256"), 0o755); err != nil {
		return err
	}
	var err error
	if g.empty, err = g.blob(emptyType, "{}"); err != nil {
		return err
	}
	var content string
	for i := range images {
		if i == 0 || distinct {
			if content, err = g.content(i); err != nil {
				return err
			}
		}
		if err := g.image(i, content, referrers); err != nil {
			return err
		}
	}
	if err := g.index(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(g.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644)
}

// content writes a config and a layer and returns the part of a manifest that
// names them.
func (g *generator) content(i int) (string, error) {
	layer := strings.Repeat("\x00", 1024) // a tar without members
	if i > 0 {
		layer = tarMember(fmt.Sprintf("file-%06d", i)) + layer
	}
	layerDesc, err := g.blob(layerType, layer)
	if err != nil {
		return "", err
	}
	config := fmt.Sprintf(`{"architecture":"amd64","os":"linux","config":{"Labels":{"number":"%d"}},`+
		`"rootfs":{"type":"layers","diff_ids":[%q]}}`, i, digest(layer))
	configDesc, err := g.blob(configType, config)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`"config":{%s},"layers":[{%s}]`, configDesc, layerDesc), nil
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

// tarMember returns the header of an empty file of that name.
func tarMember(name string) string {
	h := make([]byte, 512)
	copy(h, name)
	copy(h[100:], "0000644\x000000000\x000000000\x0000000000000\x0000000000000\x00        0")
	copy(h[257:], "ustar\x0000")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return string(h)
}
