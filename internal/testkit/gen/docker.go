package gen

import (
	"archive/tar"
	"fmt"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

// specSave is where docker describes what docker save writes.
const specSave = "moby: image/spec/v1.2.md#combined-image-json--filesystem-changeset-format"

// saved are the members of docker save of one image of two layers.
func saved() []build.File {
	return build.DockerArchive(build.DockerImage{Tags: []string{"app:v1"}, Image: build.Image{Layers: []build.Layer{
		{Files: []build.File{build.Text("a", "a")}}, {Files: []build.File{build.Text("b", "b")}},
	}}})
}

// change returns files with the file that name ends edited; the result may be none,
// or several.
func change(files []build.File, name string, edit func(f build.File) []build.File) []build.File {
	i := slices.IndexFunc(files, func(f build.File) bool { return strings.HasSuffix(f.Name, name) })
	if i < 0 {
		panic("no member " + name)
	}
	return slices.Concat(files[:i], edit(files[i]), files[i+1:])
}

// text edits the text of a member.
func text(edit func(string) string) func(build.File) []build.File {
	return func(f build.File) []build.File {
		f.Body = []byte(edit(string(f.Body)))
		return []build.File{f}
	}
}

// swap replaces old by fresh in the text of a member.
func swap(old, fresh string) func(build.File) []build.File {
	return text(func(s string) string { return replace(s, old, fresh) })
}

func drop(build.File) []build.File { return nil }

// dockerArchives are archives as docker save writes them. The main door is import.
func dockerArchives() []vector.Vector {
	d := func(name, expect, comment string, files []build.File) vector.Vector {
		return of("docker-archive", name, expect, "", specSave, comment, build.Tar(files...))
	}
	raw := func(name, expect, comment string, body []byte) vector.Vector {
		return of("docker-archive", name, expect, "", specSave, comment, body)
	}
	const list, layer = "manifest.json", "/layer.tar"
	edited := func(name, expect, comment, member string, edit func(build.File) []build.File) vector.Vector {
		return d(name, expect, comment, change(saved(), member, edit))
	}
	layerName := saved()[slices.IndexFunc(saved(), func(f build.File) bool { return strings.HasSuffix(f.Name, layer) })].Name
	link := func(target string) func(build.File) []build.File {
		return func(f build.File) []build.File { return []build.File{build.Symlink(f.Name, target)} }
	}
	files := saved()
	first := slices.Concat(files[len(files)-2:], files[:len(files)-2])
	config := configOf(files)
	return slices.Concat([]vector.Vector{
		d("saved", "ok", "one image of two layers", saved()),
		d("list-first", "ok", "manifest.json is the first member", first),
		raw("gzip", "ok", "compressed with gzip", build.Compress("gzip", build.Tar(saved()...))),
		raw("xz", "ok", "compressed with xz", build.Compress("xz", build.Tar(saved()...))),
		raw("zstd", "ok", "compressed with zstd", build.Compress("zstd", build.Tar(saved()...))),
		d("two-images", "ok", "two images that share a layer, which is a link the second time", twoSaved("app:v1", "db:v1")),
		d("same-tag", "ok", "two images of two names with the same tag", twoSaved("app:latest", "db:latest")),
		edited("no-tags", "ok", "RepoTags is null", list, swap(`["app:v1"]`, "null")),
		edited("two-tags", "ok", "one image under two names", list, swap(`["app:v1"]`, `["app:v1","registry.example:5000/app:v2"]`)),
		edited("unlisted", "ok", "a layer that no image lists", list, func(f build.File) []build.File {
			return []build.File{{Name: "0/layer.tar", Body: build.Tar(build.Text("x", "x"))}, f}
		}),
		edited("layer-gzip", "ok", "a layer that is compressed", layer, func(f build.File) []build.File {
			f.Body = build.Compress("gzip", f.Body)
			return []build.File{f}
		}),
		edited("layer-link", "ok", "a layer that is a symbolic link to another member", layer, func(f build.File) []build.File {
			return []build.File{{Name: "store/layer", Body: f.Body}, build.Symlink(f.Name, "../store/layer")}
		}),
		edited("layer-hard-link", "ok", "a layer that is a hard link to another member", layer, func(f build.File) []build.File {
			return []build.File{{Name: "store/layer", Body: f.Body}, build.Hardlink(f.Name, "store/layer")}
		}),
		edited("member-twice", "ok", "a layer twice, with the same bytes", layer, func(f build.File) []build.File { return []build.File{f, f} }),
		d("docker25", "ok", "a layout with manifest.json beside it, as Docker 25 and later save", build.Docker25Archive(fullName())),
		d("docker25-two", "ok", "two images with the same tag, as Docker 25 and later save", build.Docker25Archive(sameTag())),
	}, hostileDocker(edited, d), []vector.Vector{
		edited("repositories-only", "unsupported", "from before Docker 1.10, without manifest.json", list, drop),
		edited("layer-missing", "corrupt", "a layer that is listed is not there", layer, drop),
		edited("config-missing", "corrupt", "a config that is listed is not there", config.Name, drop),
		edited("config-text", "corrupt", "a config that is not JSON, under a name that is no digest", config.Name, func(f build.File) []build.File {
			return []build.File{build.Text("config.json", "this is not JSON")}
		}),
		edited("config-flipped", "corrupt", "a config that is not what its name says", config.Name, swap("amd64", "arm64")),
		edited("diffid", "corrupt", "a layer that is not what the config says", layer, func(f build.File) []build.File {
			return []build.File{{Name: f.Name, Body: build.Tar(build.Text("a", "other"))}}
		}),
		edited("layers-more", "corrupt", "manifest.json lists more layers than the config", list, swap(`"Layers":[`, fmt.Sprintf(`"Layers":[%q,`, layerName))),
		edited("layer-text", "corrupt", "a layer that is no tar", layer, text(func(string) string { return "no tar" })),
		edited("layer-gzip-cut", "corrupt", "a layer whose gzip stream is cut", layer, func(f build.File) []build.File {
			f.Body = cut(build.Compress("gzip", f.Body), 8)
			return []build.File{f}
		}),
		edited("list-text", "corrupt", "manifest.json is not JSON", list, text(func(string) string { return "[" })),
		edited("list-object", "corrupt", "manifest.json is an object", list, text(func(string) string { return "{}" })),
		edited("list-empty", "corrupt", "manifest.json lists nothing", list, text(func(string) string { return "[]" })),
		edited("list-key-twice", "corrupt", "manifest.json has Layers twice", list, swap(`"Layers":`, `"Layers":[],"Layers":`)),
		raw("truncated", "corrupt", "ends in the middle of a member", build.Tar(saved()...)[:2000]),
		raw("gzip-flipped", "corrupt", "a gzip stream with a wrong bit", flip(build.Compress("gzip", build.Tar(saved()...)), 400)),
		raw("gzip-trailing", "corrupt", "bytes after the gzip stream", append(build.Compress("gzip", build.Tar(saved()...)), "trailing"...)),
		edited("link-nowhere", "corrupt", "a layer that is a link to what is not there", layer, link("../nothing/layer.tar")),
	})
}

// hostileDocker are archives that mean harm.
func hostileDocker(edited func(name, expect, comment, member string, edit func(build.File) []build.File) vector.Vector,
	d func(name, expect, comment string, files []build.File) vector.Vector) []vector.Vector {
	const list, layer = "manifest.json", "/layer.tar"
	config := configOf(saved()).Name
	link := func(target string) func(build.File) []build.File {
		return func(f build.File) []build.File { return []build.File{build.Symlink(f.Name, target)} }
	}
	return []vector.Vector{
		edited("link-out", "refused", "a layer that is a symbolic link out of the archive", layer, link("../../../../etc/passwd")),
		edited("link-absolute", "refused", "a layer that is an absolute symbolic link", layer, link("/etc/passwd")),
		edited("link-loop", "refused", "a layer that is a link to itself", layer, link("layer.tar")),
		edited("hard-link-out", "refused", "a layer that is a hard link out of the archive", layer, func(f build.File) []build.File {
			return []build.File{build.Hardlink(f.Name, "../../etc/passwd")}
		}),
		edited("fifo", "refused", "a layer that is a fifo", layer, func(f build.File) []build.File {
			return []build.File{{Name: f.Name, Type: tar.TypeFifo}}
		}),
		edited("member-twice-other", "refused", "a layer twice, the second time with other bytes", layer, func(f build.File) []build.File {
			return []build.File{f, {Name: f.Name, Body: build.Tar(build.Text("a", "other"))}}
		}),
		edited("config-twice-other", "refused", "a config twice, the first time with other bytes", config, func(f build.File) []build.File {
			return []build.File{{Name: f.Name, Body: []byte("{}")}, f}
		}),
		edited("list-twice-other", "refused", "manifest.json twice, the second time with other bytes", list, func(f build.File) []build.File {
			return []build.File{f, {Name: f.Name, Body: []byte("[]")}}
		}),
		edited("list-link", "refused", "manifest.json is a symbolic link", list, func(f build.File) []build.File {
			return []build.File{{Name: "list", Body: f.Body}, build.Symlink(f.Name, "list")}
		}),
		edited("list-large", "refused", "manifest.json of 5 MiB", list, text(func(s string) string { return s + strings.Repeat(" ", 5<<20) })),
		edited("config-large", "refused", "a config of 5 MiB", config, swap(`"config":{`, `"author":"`+wide(5<<20)+`","config":{`)),
		edited("absolute", "refused", "manifest.json lists a layer by an absolute path", list, swap(`"Layers":["`, `"Layers":["/`)),
		edited("dotdot", "refused", "manifest.json lists a config outside of the archive", list, swap(`"Config":"`, `"Config":"../`)),
		edited("name-control", "refused", "a name with a terminal's control sequence", list, swap("app:v1", `app\u001b[2J:v1`)),
		edited("layer-bomb", "refused", "a zstd layer that expands 20,000 times", layer, func(f build.File) []build.File {
			return []build.File{{Name: f.Name, Body: build.Compress("zstd", zeros(96<<20))}}
		}),
		d("member-absolute", "refused", "a member with an absolute name", append(saved(), build.Text("/etc/passwd", "x"))),
		d("member-dotdot", "refused", "a member with .. in its name", append(saved(), build.Text("a/../../x", "x"))),
	}
}

// twoSaved are two images that have their first layer in common.
func twoSaved(one, two string) []build.File {
	base := build.Layer{Files: []build.File{build.Text("base", "base")}}
	return build.DockerArchive(
		build.DockerImage{Tags: []string{one}, Image: build.Image{Layers: []build.Layer{base, {Files: []build.File{build.Text("a", "a")}}}}},
		build.DockerImage{Tags: []string{two}, Image: build.Image{Layers: []build.Layer{base, {Files: []build.File{build.Text("b", "b")}}}}})
}
