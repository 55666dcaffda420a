package gen

import (
	"archive/tar"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

// ociArchives are archives of layouts, in forms that a directory can't have. The
// main door is verify, which reads them in place.
func ociArchives() []vector.Vector {
	a := func(name, expect, problem, comment string, body []byte) vector.Vector {
		return of("oci-archive", name, expect, problem, specLayout, comment, body)
	}
	files := build.Hello().Files()
	whole := build.Tar(files...)
	blob := files[layerOf(files)] // of the layer
	with := func(more ...build.File) []byte { return build.Tar(slices.Concat(files, more)...) }
	// instead has another member in the place of the layer.
	instead := func(f build.File) []byte {
		f.Name = blob.Name
		return build.Tar(slices.Concat(files[:layerOf(files)], []build.File{f}, files[layerOf(files)+1:])...)
	}
	return []vector.Vector{
		a("index-last", "ok", "", "index.json after the blobs", build.Tar(slices.Concat(files[:1], files[2:], files[1:2])...)),
		a("dot-names", "ok", "", "every name begins with ./", build.Tar(dotted(files)...)),
		a("no-directories", "ok", "", "no members for directories", build.Tar(without(files, func(f build.File) bool { return f.Type == tar.TypeDir })...)),
		a("no-end", "ok", "", "without the two blocks of zeros at the end", whole[:len(whole)-1024]),
		a("padded", "ok", "", "with twenty blocks of zeros at the end, as GNU tar writes", append(slices.Clone(whole), make([]byte, 9216)...)),
		a("pax", "ok", "", "with PAX headers before the members", build.Tar(paxed(files)...)),
		a("index-twice", "ok", "", "two members index.json, of which the last counts",
			build.Tar(slices.Concat([]build.File{build.Text("index.json", `{"schemaVersion":2,"manifests":[]}`)}, files)...)),
		a("blob-twice", "ok", "", "one blob twice, with the same bytes", with(blob)),
		a("hidden-files", "ok", "", "with .ocilayout and files of other tools", with(build.Text(".ocilayout/lock", ""), build.Text("manifest.json", "[]"))),
		imports("refused", a("hard-link", "ok", "", "a blob that is a hard link to another member", ociHardLinked())),
		imports("corrupt", a("blob-twice-other", "ok", "", "one blob twice, the first time with other bytes",
			build.Tar(slices.Concat([]build.File{{Name: blob.Name, Body: flip(blob.Body, 1)}}, files)...))),
		a("blob-twice-last", "corrupt", "blob-digest", "one blob twice, the second time with other bytes",
			with(build.File{Name: blob.Name, Body: flip(blob.Body, 1)})),
		imports("refused", a("link-out", "corrupt", "blob-type", "a blob that is a symbolic link out of the archive",
			instead(build.Symlink("", "../../../../etc/passwd")))),
		imports("refused", a("hard-link-out", "corrupt", "blob-type", "a blob that is a hard link out of the archive",
			instead(build.Hardlink("", "../etc/passwd")))),
		a("absolute", "refused", "", "a member with an absolute name", with(build.Text("/etc/passwd", "x"))),
		a("dotdot", "refused", "", "a member with .. in its name", with(build.Text("blobs/../../x", "x"))),
		imports("refused", a("fifo", "corrupt", "blob-type", "a fifo in place of a blob", instead(build.File{Type: tar.TypeFifo}))),
		imports("refused", a("device", "corrupt", "blob-type", "a device in place of a blob", instead(build.File{Type: tar.TypeChar}))),
		imports("refused", a("index-link", "corrupt", "index-invalid, unreferenced", "index.json is a symbolic link out of the archive",
			with(build.Symlink("index.json", "../index.json")))),
		a("truncated", "corrupt", "", "ends in the middle of a member", whole[:len(whole)/2+100]),
		a("checksum", "corrupt", "", "a header with a wrong checksum", flip(whole, 512*2+4)),
		imports("ok", a("gzip", "unsupported", "", "compressed with gzip, so not to be read in place", build.Compress("gzip", whole))),
		imports("ok", a("zstd", "unsupported", "", "compressed with zstd", build.Compress("zstd", whole))),
		imports("ok", a("xz", "unsupported", "", "compressed with xz", build.Compress("xz", whole))),
		imports("corrupt", a("gzip-truncated", "unsupported", "", "a gzip stream without its end", cut(build.Compress("gzip", whole), 100))),
		imports("corrupt", a("gzip-flipped", "unsupported", "", "a gzip stream with a wrong bit", flip(build.Compress("gzip", whole), 300))),
		imports("refused", a("zstd-bomb", "unsupported", "", "a zstd stream that expands 20,000 times",
			build.Compress("zstd", with(build.File{Name: "zeros", Body: make([]byte, 96<<20)})))),
		imports("refused", a("zstd-window", "unsupported", "", "a zstd stream that asks for a window of 2 GiB", hugeWindow)),
		imports("corrupt", a("text", "unsupported", "", "no tar at all", []byte(strings.Repeat("no tar ", 200)))),
		imports("corrupt", a("empty", "unsupported", "", "an empty file", nil)),
		a("no-layout", "unsupported", "", "a tar that holds no layout", build.Tar(build.Text("README", "text"))),
	}
}

// hugeWindow is the head of a zstd frame with a window of 2 GiB (RFC 8878, section
// 3.1.1.1.2) and an empty last block.
var hugeWindow = []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00}

func cut(data []byte, n int) []byte { return data[:len(data)-n] }

func dotted(files []build.File) []build.File {
	out := []build.File{build.Dir(".")}
	for _, f := range files {
		f.Name = "./" + f.Name
		out = append(out, f)
	}
	return out
}

func paxed(files []build.File) []build.File {
	out := slices.Clone(files)
	for i := range out {
		out[i].PAX = map[string]string{"comment": "a comment", "SCHILY.xattr.user.x": "y"}
	}
	return out
}

func without(files []build.File, drop func(build.File) bool) []build.File {
	return slices.DeleteFunc(slices.Clone(files), drop)
}

// layerOf is where in the files of hello the layer is.
func layerOf(files []build.File) int {
	name := build.BlobPath(manifest(build.Hello()).Layers[0].Digest)
	return slices.IndexFunc(files, func(f build.File) bool { return f.Name == name })
}

// ociHardLinked has its manifest outside of blobs/, and a hard link in its place.
func ociHardLinked() []byte {
	l := build.Hello()
	d := l.Entries[0].Digest
	file := build.File{Name: "store/manifest", Body: l.Blobs[d]}
	delete(l.Blobs, d)
	l.Extra = append(l.Extra, file, build.Hardlink(build.BlobPath(d), file.Name))
	return l.Tar()
}

// rootfses are root filesystems. The main door is import.
func rootfses() []vector.Vector {
	r := func(name, expect, comment string, body []byte) vector.Vector {
		return of("rootfs", name, expect, "", "layer.md#change-types", comment, body)
	}
	plain := build.Tar(build.Dir("etc"), build.Text("etc/motd", wide(1000)), build.Symlink("etc/issue", "motd"),
		build.File{Name: "dev/null", Type: tar.TypeChar, Major: 1}, build.Hardlink("etc/motd2", "etc/motd"))
	return []vector.Vector{
		r("plain", "ok", "a directory, a file, two links and a device", plain),
		r("gzip", "ok", "compressed with gzip", build.Compress("gzip", plain)),
		r("zstd", "ok", "compressed with zstd", build.Compress("zstd", plain)),
		r("xz", "ok", "compressed with xz", build.Compress("xz", plain)),
		r("no-members", "ok", "a tar without members", build.Tar()),
		r("empty", "corrupt", "an empty file", nil),
		r("text", "corrupt", "no tar at all", []byte(strings.Repeat("no tar ", 200))),
		r("truncated", "corrupt", "ends in the middle of a member", plain[:512*3]),
		r("gzip-truncated", "corrupt", "a gzip stream without its end", cut(build.Compress("gzip", plain), 20)),
		r("dotdot", "refused", "a member with .. in its name", build.Tar(build.Text("../x", "x"))),
		r("zstd-window", "refused", "a zstd stream that asks for a window of 2 GiB", hugeWindow),
	}
}

// references are texts that name a layout and content in it.
func references() []vector.Vector {
	r := func(name, text, layout, ref, digest, comment string) vector.Vector {
		v := of("reference", name, "ok", "", "", comment, []byte(text))
		v.Values = map[string]string{"layout": layout, "name": ref, "digest": digest}
		return v
	}
	bad := func(name, expect, text, comment string) vector.Vector {
		return of("reference", name, expect, "", "", comment, []byte(text))
	}
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	return []vector.Vector{
		r("directory", "new", "new", "", "", "a layout alone"),
		r("path", "./a/b-c/new", "./a/b-c/new", "", "", "a path"),
		r("tag", "new:v1", "new", "v1", "", "a layout and a tag"),
		r("full-name", "new:docker.io/library/app:v1", "new", "docker.io/library/app:v1", "", "a full name: the layout ends at the first colon"),
		r("port", "new:registry.example:5000/app:v1", "new", "registry.example:5000/app:v1", "", "a name with a port"),
		r("digest", "new@"+digest, "new", "", digest, "a layout and a digest"),
		r("name-digest", "new:v1@"+digest, "new", "v1", digest, "a name and a digest"),
		r("windows", `C:\new:v1`, `C:\new`, "v1", "", "a colon after a drive letter"),
		r("skopeo", "oci:new:v1", "new", "v1", "", "as skopeo writes it"),
		r("skopeo-archive", "oci-archive:new.tar:v1", "new.tar", "v1", "", "as skopeo writes an archive"),
		r("regctl", "ocidir://new:v1", "new", "v1", "", "as regctl writes it"),
		r("buildx", "oci-layout://new:v1", "new", "v1", "", "as buildx writes it"),
		bad("empty", "invalid", "", "an empty text"),
		bad("no-layout", "invalid", ":v1", "a name without a layout"),
		bad("digest-short", "invalid", "new@sha256:0123", "a digest that is too short"),
		bad("digest-traversal", "invalid", "new@sha256:../../etc/passwd", "a digest that is a path"),
		bad("nul", "invalid", "new\x00:v1", "a NUL in the path"),
		bad("control", "invalid", "new:v1\x1b[2J", "a terminal's control sequence in the name"),
		bad("registry", "unsupported", "docker://registry.example/app:v1", "a registry where a layout is meant"),
	}
}

// platforms are texts that name a platform.
func platforms() []vector.Vector {
	ok := func(name, text, want, comment string) vector.Vector {
		v := of("platform", name, "ok", "", specIndex, comment, []byte(text))
		v.Values = map[string]string{"platform": want}
		return v
	}
	bad := func(name, text, comment string) vector.Vector {
		return of("platform", name, "invalid", "", specIndex, comment, []byte(text))
	}
	return []vector.Vector{
		ok("plain", "linux/amd64", "linux/amd64", "an OS and an architecture"),
		ok("arm", "linux/arm", "linux/arm/v7", "arm without a variant is v7"),
		ok("arm64-v8", "linux/arm64/v8", "linux/arm64", "v8 is what arm64 is"),
		ok("other-words", "Linux/x86_64", "linux/amd64", "the words of uname"),
		ok("arch-alone", "arm64", "linux/arm64", "an architecture alone is one of linux"),
		ok("windows", "windows(10.0.20348)/amd64", "windows(10.0.20348)/amd64", "an OS with its version"),
		bad("empty", "", "an empty text"),
		bad("unknown-word", "nonsense", "a word that is neither OS nor architecture"),
		bad("four-parts", "linux/arm/v7/x", "four parts"),
		bad("empty-part", "linux//v7", "an empty part"),
		bad("control", "linux/\x1b[2J", "a terminal's control sequence"),
	}
}

// configOf is the config of the image that dockerArchives save.
func configOf(files []build.File) build.File {
	i := slices.IndexFunc(files, func(f build.File) bool {
		return strings.HasSuffix(f.Name, ".json") && f.Name != "manifest.json"
	})
	return files[i]
}
