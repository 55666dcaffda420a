package gen

import (
	"fmt"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

// manifests are forms of the manifest of the vector layout-hello.
func manifests() []vector.Vector {
	l := build.Hello()
	text := string(l.Blobs[l.Entries[0].Digest])
	config, layer := *manifest(l).Config, manifest(l).Layers[0]
	m := func(name, expect, problem, comment, body string) vector.Vector {
		return of("manifest", name, expect, problem, specManifest, comment, []byte(body))
	}
	bad := func(name, problem, comment, old, fresh string) vector.Vector {
		return m(name, "corrupt", problem, comment, replace(text, old, fresh))
	}
	// kept is bad for verify, while import keeps it as it is; hostile is refused.
	kept := func(name, problem, comment, old, fresh string) vector.Vector {
		return imports("ok", bad(name, problem, comment, old, fresh))
	}
	hostile := func(name, problem, comment, old, fresh string) vector.Vector {
		return imports("refused", bad(name, problem, comment, old, fresh))
	}
	const garbage = ", unreferenced" // the config and the layer
	data := func(n int) string { return fmt.Sprintf(`"size":%d,"data":"%s"`, config.Size, zeroData(n)) }
	return []vector.Vector{
		m("pretty", "ok", "", "indented", pretty(text)),
		m("escaped", "ok", "", "keys and values written with escapes", replace(replace(text, `"layers"`, `"l\u0061yers"`), layer.Digest.String()[:10], `sha25\u0036:`+layer.Digest.String()[7:10])),
		m("no-media-type", "ok", "", "without mediaType", replace(text, fmt.Sprintf(`"mediaType":%q,"config"`, ocispec.MediaTypeImageManifest), `"config"`)),
		kept("no-config", "manifest-invalid, unreferenced", "without config", `"config":`, `"x":`),
		kept("no-layers", "diffid, history-length, manifest-invalid, unreferenced", "without layers", `"layers":`, `"x":`),
		kept("schema", "manifest-invalid", "schemaVersion is 1", `"schemaVersion":2`, `"schemaVersion":1`),
		bad("layers-string", "manifest-invalid"+garbage, "layers is a string", `"layers":[`, `"layers":"","x":[`),
		m("truncated", "corrupt", "json-invalid"+garbage, "ends in the middle", text[:len(text)-20]),
		m("empty", "corrupt", "json-invalid"+garbage, "an empty blob", ""),
		m("trailing", "corrupt", "json-ambiguous"+garbage, "a second value after the first", text+text),
		kept("key-twice", "json-ambiguous", "layers is there twice", `"layers":`, `"layers":[],"layers":`),
		kept("key-case", "json-ambiguous", "layers is there in two cases", `"layers":`, `"Layers":[],"layers":`),
		kept("key-odd-case", "json-ambiguous", "layers is spelled Layers", `"layers":`, `"Layers":`),
		kept("config-odd-case", "json-ambiguous", "config is spelled Config", `"config":`, `"Config":`),
		kept("utf8", "json-ambiguous", "an annotation that is not UTF-8", `"layers":`, "\"annotations\":{\"a\":\"\xc3\x28\"},\"layers\":"),
		bad("manifests-beside", "json-ambiguous", "manifests beside layers", `"layers":`, `"manifests":[],"layers":`),
		bad("size-exponent", "json-ambiguous"+garbage, "a size written with an exponent", sizeOf(layer), `"size":1e3`),
		bad("size-beyond", "json-ambiguous"+garbage, "a size beyond 64 bits", sizeOf(layer), `"size":18446744073709551616`),
		bad("size-huge", "blob-size", "a layer's size of 8 EiB", sizeOf(layer), `"size":9223372036854775807`),
		bad("size-negative", "descriptor-invalid", "a negative size", sizeOf(layer), `"size":-9223372036854775808`),
		bad("size-config", "blob-size", "a config's size that is one too small", sizeOf(config), fmt.Sprintf(`"size":%d`, config.Size-1)),
		hostile("digest-traversal", "digest-invalid, unreferenced", "a layer's digest that is a path", layer.Digest.String(), "sha256:../../index.json"),
		hostile("digest-config", "digest-invalid, unreferenced", "a config's digest that is a path", config.Digest.String(), "sha256:/etc/passwd"),
		hostile("digest-nul", "digest-invalid, unreferenced", "a digest with a NUL", layer.Digest.String(), `sha256:\u0000`+layer.Digest.Encoded()[1:]),
		hostile("digest-algorithm", "digest-invalid, unreferenced", "an algorithm that is a path", layer.Digest.String(), `../../etc:`+layer.Digest.Encoded()),
		kept("layer-no-type", "descriptor-invalid", "a layer without mediaType", fmt.Sprintf(`{"mediaType":%q,"digest"`, ocispec.MediaTypeImageLayerGzip), `{"digest"`),
		bad("deep", "depth"+garbage, "an annotation that nests 100,000 deep", `"layers":`, `"x":`+strings.Repeat(`{"a":`, 100_000)+"1"+strings.Repeat("}", 100_000)+`,"layers":`),
		kept("data", "data-mismatch", "embedded data that hashes to other", sizeOf(config), data(int(config.Size))),
		kept("data-short", "data-mismatch", "embedded data of another length", sizeOf(config), data(3)),
		withType(content.DockerManifest, m("docker-type", "corrupt", "media-type", "an OCI manifest under docker's type", text)),
		imports("ok", withType(ocispec.MediaTypeImageIndex, m("index-type", "corrupt", "media-type", "an image manifest under the type of an index",
			replace(text, ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex)))),
		withType("application/vnd.docker.distribution.manifest.v1+prettyjws", m("unknown-type", "ok", "unreferenced", "a manifest of a type that is not parsed", text)),
	}
}

func sizeOf(d content.Descriptor) string { return fmt.Sprintf(`"size":%d`, d.Size) }

// withType gives a manifest the media type that its entry has.
func withType(mediaType string, v vector.Vector) vector.Vector {
	v.Values = map[string]string{"media-type": mediaType}
	return v
}
