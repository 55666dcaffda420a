package build

import (
	"fmt"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// A DockerImage is an image of an archive of docker save, with the names it has
// there. Its layers are stored plain, whatever Layer.Compression says.
type DockerImage struct {
	Image
	Tags []string
}

// dockerManifest is an element of manifest.json.
type dockerManifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// DockerArchive lists the members of an archive as docker save wrote it from
// Docker 1.10 to 24: for each layer a directory with VERSION, json and layer.tar,
// where a layer that occurred before is a symbolic link to it; then the configs,
// manifest.json and repositories.
func DockerArchive(images ...DockerImage) []File {
	var files []File
	var list []dockerManifest
	repositories := map[string]map[string]string{}
	first := map[content.Digest]string{} // diffID to the id of its first directory
	for n, image := range images {
		m := dockerManifest{RepoTags: image.Tags}
		id := ""
		for _, l := range image.layers() {
			plain := l.Plain()
			id = sha256of(fmt.Appendf(nil, "%d %s %s", n, id, sha256of(plain))).Encoded()
			layer := File{Name: id + "/layer.tar", Body: plain}
			if before := first[sha256of(plain)]; before != "" {
				layer = Symlink(layer.Name, "../"+before+"/layer.tar")
			} else {
				first[sha256of(plain)] = id
			}
			files = append(files, Dir(id), Text(id+"/VERSION", "1.0"), Text(id+"/json", `{"id":"`+id+`"}`), layer)
			m.Layers = append(m.Layers, id+"/layer.tar")
		}
		config := image.Config()
		m.Config = sha256of(config).Encoded() + ".json"
		files = append(files, File{Name: m.Config, Body: config})
		list = append(list, m)
		for _, name := range image.Tags {
			colon := strings.LastIndex(name, ":")
			repo, tag := name[:colon], name[colon+1:]
			if repositories[repo] == nil {
				repositories[repo] = map[string]string{}
			}
			repositories[repo][tag] = id
		}
	}
	files = append(files, File{Name: "manifest.json", Body: JSON(list)})
	if len(repositories) > 0 {
		files = append(files, File{Name: "repositories", Body: JSON(repositories)})
	}
	return files
}

// Docker25Archive lists the members of an archive as docker save writes it since
// Docker 25: a layout, with manifest.json and repositories beside it that point
// into its blobs. Every entry of l must be an image.
func Docker25Archive(l *Layout) []File {
	var list []dockerManifest
	for _, entry := range l.Entries {
		m, err := content.ParseManifest(entry.MediaType, l.Blobs[entry.Digest])
		if err != nil || m.Config == nil {
			panic(fmt.Sprintf("%s is not an image", entry.Digest))
		}
		d := dockerManifest{Config: BlobPath(m.Config.Digest)}
		if name := entry.Annotations[content.AnnotationImageName]; name != "" {
			d.RepoTags = []string{strings.TrimPrefix(name, "docker.io/library/")}
		}
		for _, layer := range m.Layers {
			d.Layers = append(d.Layers, BlobPath(layer.Digest))
		}
		list = append(list, d)
	}
	return append(l.Files(), File{Name: "manifest.json", Body: JSON(list)})
}
