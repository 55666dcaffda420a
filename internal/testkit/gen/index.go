package gen

import (
	"fmt"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

// helloEntry is the entry of the vector layout-hello, whose blobs lie beside every
// index of this file.
func helloEntry() content.Descriptor { return build.Hello().Entries[0] }

// indexes are forms of index.json.
func indexes() []vector.Vector {
	text := string(build.Hello().IndexFile())
	entry := string(build.JSON(helloEntry()))
	digest := helloEntry().Digest.String()
	size := fmt.Sprintf(`"size":%d`, helloEntry().Size)
	ix := func(name, expect, problem, spec, comment, body string) vector.Vector {
		return of("index", name, expect, problem, spec, comment, []byte(body))
	}
	garbage := ", unreferenced" // the blobs of an image that nothing names
	edit := func(name, problem, comment, old, fresh string) vector.Vector {
		return ix(name, "corrupt", problem, specIndexJSON, comment, replace(text, old, fresh))
	}
	// kept is corrupt for verify, while import keeps it as it is.
	kept := func(name, problem, comment, old, fresh string) vector.Vector {
		return imports("ok", edit(name, problem, comment, old, fresh))
	}
	ok := func(name, problem, comment, body string) vector.Vector {
		return ix(name, "ok", problem, specIndexJSON, comment, body)
	}
	return []vector.Vector{
		ok("pretty", "", "indented, with a line's end at its end", pretty(text)),
		ok("escaped-keys", "", "keys and values written with escapes",
			replace(replace(text, `"manifests"`, `"\u006danifests"`), `"digest":"sha256`, `"di\u0067est":"sha25\u0036`)),
		ok("no-media-type", "", "without mediaType, as older tools write it", replace(text, fmt.Sprintf(`"mediaType":%q,`, ocispec.MediaTypeImageIndex), "")),
		imports("corrupt", ok("manifests-null", "unreferenced", "manifests is null", `{"schemaVersion":2,"manifests":null}`)),
		ok("thousand", "", "a thousand names of one image", thousand(entry)),
		ok("odd-name", "name-invalid", "a name with a terminal's control sequence", replace(text, `"v1"`, `"\u001b[2Jv1"`)),
		edit("key-twice", "json-ambiguous", "manifests is there twice", `"manifests":`, `"manifests":[],"manifests":`),
		edit("key-twice-escaped", "json-ambiguous", "manifests is there twice, once with an escape", `"manifests":`, `"m\u0061nifests":[],"manifests":`),
		edit("key-case", "json-ambiguous", "manifests is there in two cases", `"manifests":`, `"Manifests":[],"manifests":`),
		ix("key-case-alone", "corrupt", "json-ambiguous"+garbage, specIndexJSON, "manifests is there as Manifests only", replace(text, `"manifests":`, `"Manifests":`)),
		ix("key-long-s", "corrupt", "json-ambiguous"+garbage, specIndexJSON, "manifests is there with a long s, which some readers fold into s", replace(text, `"manifests":`, `"manife\u017fts":`)),
		edit("key-long-s-twice", "json-ambiguous", "manifests is there twice, once with a long s, which some readers fold into s", `"manifests":`, `"manifeſts":[],"manifests":`),
		edit("entry-key-long-s", "json-ambiguous", "an entry has a size and one with a long s, which some readers fold into s", `"size":`, `"ſize":1,"size":`),
		edit("entry-key-twice", "json-ambiguous", "an entry has two digests", `"digest":`, `"digest":"sha256:`+strings.Repeat("0", 64)+`","digest":`),
		edit("entry-key-case", "json-ambiguous", "an entry has its digest under Digest", `"digest":`, `"Digest":`),
		ix("empty-file", "corrupt", "json-invalid"+garbage, specIndexJSON, "an empty file", ""),
		ix("array", "corrupt", "index-invalid"+garbage, specIndexJSON, "an array and no object", "[]"),
		ix("truncated", "corrupt", "json-invalid"+garbage, specIndexJSON, "ends in the middle of an entry", text[:len(text)-60]),
		ix("trailing", "corrupt", "json-ambiguous", specIndexJSON, "a second value after the first", text+"{}"),
		ix("bom", "corrupt", "json-invalid"+garbage, specIndexJSON, "begins with a byte order mark", "\ufeff"+text),
		edit("utf8", "json-ambiguous", "an annotation that is not UTF-8", `"v1"`, "\"v1\",\"a\":\"\xff\""),
		kept("schema", "index-invalid", "schemaVersion is 1", `"schemaVersion":2`, `"schemaVersion":1`),
		kept("no-schema", "index-invalid", "no schemaVersion", `"schemaVersion":2,`, ``),
		ix("no-manifests", "corrupt", "index-invalid"+garbage, specIndexJSON, "no manifests", `{"schemaVersion":2}`),
		ix("manifests-object", "corrupt", "index-invalid"+garbage, specIndexJSON, "manifests is an object", `{"schemaVersion":2,"manifests":{}}`),
		kept("layers-beside", "json-ambiguous", "layers beside manifests", `"manifests":`, `"layers":[],"manifests":`),
		kept("type", "media-type", "mediaType of an image manifest", "image.index", "image.manifest"),
		ix("entry-string", "corrupt", "index-invalid"+garbage, specIndexJSON, "an entry that is a string", `{"schemaVersion":2,"manifests":["x"]}`),
		edit("entry-no-type", "descriptor-invalid"+garbage, "an entry without mediaType",
			fmt.Sprintf(`{"mediaType":%q,"digest"`, ocispec.MediaTypeImageManifest), `{"digest"`),
		edit("size-exponent", "json-ambiguous"+garbage, "a size written with an exponent", size, size+"e0"),
		edit("size-fraction", "json-ambiguous"+garbage, "a size written as a fraction", size, size+".0"),
		edit("size-beyond", "json-ambiguous"+garbage, "a size beyond 64 bits", size, `"size":99999999999999999999`),
		imports("refused", edit("size-huge", "blob-size", "a size of 8 EiB", size, `"size":9223372036854775807`)),
		edit("size-negative", "descriptor-invalid", "a negative size", size, `"size":-1`),
		edit("size-wrong", "blob-size", "a size that is one too large", size, fmt.Sprintf(`"size":%d`, helloEntry().Size+1)),
		edit("digest-traversal", "digest-invalid"+garbage, "a digest that is a path", digest, "sha256:../../../../../../etc/passwd"),
		edit("digest-short", "digest-invalid"+garbage, "a digest that is one character too short", digest, digest[:len(digest)-1]),
		edit("digest-case", "digest-invalid"+garbage, "a digest in capitals", digest, strings.ToUpper(digest[:7])+digest[7:]),
		edit("deep", "depth"+garbage, "an entry with arrays that nest 100,000 deep", `{"mediaType":"application/vnd.oci.image.manifest`,
			`{"x":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`,"mediaType":"application/vnd.oci.image.manifest`),
		kept("data", "data-mismatch", "embedded data of the right size that hashes to other", size, size+`,"data":"`+zeroData(int(helloEntry().Size))+`"`),
		imports("ok", ix("name-twice", "corrupt", "name-ambiguous", specRefName, "two images under one name", twoImages("v1", "v1"))),
		imports("ok", ix("name-two-readings", "corrupt", "name-ambiguous", specRefName, "two images under one name, once in docker's short form", twoImages("docker.io/library/app:latest", "app:latest"))),
	}
}

// zeroData is n zero bytes in base64.
func zeroData(n int) string { return strings.Trim(string(build.JSON(make([]byte, n))), `"`) }

func pretty(text string) string {
	return strings.NewReplacer("{", "{\n  ", "}", "\n}", ",", ",\r\n\t ", "[", "[ ").Replace(text) + "\n"
}

func thousand(entry string) string {
	entries := make([]string, 1000)
	for i := range entries {
		entries[i] = replace(entry, `"v1"`, fmt.Sprintf(`"v%d"`, i))
	}
	return `{"schemaVersion":2,"manifests":[` + strings.Join(entries, ",") + `]}`
}

// twoImages has an entry for the image and one for its config, the other blob that
// is there and can be an entry.
func twoImages(name, other string) string {
	l := build.Hello()
	config := *manifest(l).Config
	l.Entries = nil
	first := helloEntry()
	first.Annotations = nil
	l.Tag(name, first)
	l.Tag(other, config)
	return string(l.IndexFile())
}
