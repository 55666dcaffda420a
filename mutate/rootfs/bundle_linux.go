package rootfs

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	rspec "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/umoci/oci/config/convert"
	"github.com/opencontainers/umoci/pkg/fseval"
	"github.com/vbatts/go-mtree"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

const (
	// bundleRoot is where a bundle has its files.
	bundleRoot = "rootfs"
	// umociMeta is the file in which umoci says what it unpacked into a bundle.
	umociMeta = "umoci.json"
	// umociVersion is that of the file's form.
	umociVersion = "2"
)

// mtreeKeywords are what umoci compares files by.
var mtreeKeywords = []mtree.Keyword{"size", "type", "uid", "gid", "mode", "link", "nlink", "tar_time", "sha256digest", "xattr"}

// umociState is umoci.json.
type umociState struct {
	Version string `json:"umoci_version"`
	From    struct {
		Walk []content.Descriptor `json:"descriptor_walk"` // the last one is the image
	} `json:"from_descriptor_path"`
	Maps struct {
		UIDs     []IDMap `json:"uid_mappings"`
		GIDs     []IDMap `json:"gid_mappings"`
		Rootless bool    `json:"rootless"`
	} `json:"map_options"`
	Whiteouts int `json:"whiteout_mode,omitempty"` // of a form that never worked
}

// mtreeFile is where umoci keeps the list of a bundle's files.
func mtreeFile(dir string, image content.Digest) string {
	return filepath.Join(dir, strings.Replace(image.String(), ":", "_", 1)+".mtree")
}

// evaluator is how the mtree passes look at files.
func evaluator(rootless bool) fseval.FsEval {
	if rootless {
		return fseval.Rootless
	}
	return fseval.Default
}

// writeBundle writes what makes the directory, whose files are unpacked, a bundle
// that runtimes run and umoci repacks.
func writeBundle(dir string, image content.Descriptor, config ocispec.Image, o UnpackOptions) error {
	own := ownersOf(o)
	spec, err := runtimeSpec(filepath.Join(dir, bundleRoot), config, own)
	if err != nil {
		return err
	}
	d := durable.FS{NoSync: o.NoSync}
	if err := d.WriteFile(filepath.Join(dir, "config.json"), spec); err != nil {
		return err
	}
	list, err := mtree.Walk(filepath.Join(dir, bundleRoot), nil, mtreeKeywords, evaluator(o.Rootless))
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if _, err := list.WriteTo(&text); err != nil {
		return err
	}
	if err := d.WriteFile(mtreeFile(dir, image.Digest), text.Bytes()); err != nil {
		return err
	}
	meta := umociState{Version: umociVersion}
	meta.From.Walk = []content.Descriptor{image}
	meta.Maps.UIDs, meta.Maps.GIDs, meta.Maps.Rootless = own.uids, own.gids, own.rootless
	data, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	return d.WriteFile(filepath.Join(dir, umociMeta), append(data, '\n'))
}

// runtimeSpec is the config.json of a bundle (image-spec conversion.md).
func runtimeSpec(root string, config ocispec.Image, own owners) ([]byte, error) {
	spec, err := convert.ToRuntimeSpec(root, config)
	if err != nil {
		return nil, err
	}
	if len(own.uids)+len(own.gids) > 0 {
		if !hasUserNamespace(spec.Linux.Namespaces) {
			spec.Linux.Namespaces = append(spec.Linux.Namespaces, rspec.LinuxNamespace{Type: rspec.UserNamespace})
		}
		spec.Linux.UIDMappings, spec.Linux.GIDMappings = runtimeMaps(own.uids), runtimeMaps(own.gids)
	}
	if own.rootless {
		if err := convert.ToRootless(&spec); err != nil {
			return nil, err
		}
	}
	data, err := json.MarshalIndent(spec, "", "\t")
	return append(data, '\n'), err
}

func hasUserNamespace(list []rspec.LinuxNamespace) bool {
	for _, n := range list {
		if n.Type == rspec.UserNamespace {
			return true
		}
	}
	return false
}

func runtimeMaps(maps []IDMap) []rspec.LinuxIDMapping {
	var list []rspec.LinuxIDMapping
	for _, m := range maps {
		list = append(list, rspec.LinuxIDMapping{ContainerID: m.Container, HostID: m.Host, Size: m.Size})
	}
	return list
}

// readUmoci reads the state of a bundle as umoci left it. ErrNotFound says that
// there is none.
func readUmoci(dir string) (state, error) {
	path := filepath.Join(dir, umociMeta)
	data, err := readFile(path, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, content.At(path, content.ErrNotFound)
	}
	if err != nil {
		return state{}, err
	}
	var meta umociState
	if err := json.Unmarshal(data, &meta); err != nil {
		return state{}, content.At(path, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	if meta.Version != umociVersion || meta.Whiteouts != 0 {
		return state{}, content.At(path, content.Errorf(content.ErrUnsupported, "is of version %q, and %q is known here", meta.Version, umociVersion))
	}
	if len(meta.From.Walk) == 0 {
		return state{}, content.At(path, content.Errorf(content.ErrCorrupt, "names no image"))
	}
	image := meta.From.Walk[len(meta.From.Walk)-1]
	if err := content.CheckDigest(image.Digest); err != nil {
		return state{}, content.At(path, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	return state{Image: image, Bundle: true, Rootless: meta.Maps.Rootless, UIDMap: meta.Maps.UIDs, GIDMap: meta.Maps.GIDs}, nil
}

// umociChanges compares a bundle with umoci's list of its files, which hashes all.
func umociChanges(dir string, s state) (*changes, error) {
	path := mtreeFile(dir, s.Image.Digest)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	list, err := mtree.ParseSpec(f)
	if err != nil {
		return nil, content.At(path, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	deltas, err := mtree.Check(filepath.Join(dir, bundleRoot), list, mtreeKeywords, evaluator(s.Rootless))
	if err != nil {
		return nil, content.At(path, err)
	}
	c := &changes{}
	for _, d := range deltas {
		name, err := tarx.MemberName(d.Path())
		if err != nil {
			return nil, content.At(path, err)
		}
		switch d.Type() {
		case mtree.Missing:
			c.removed = append(c.removed, name)
		case mtree.Modified, mtree.Extra:
			c.changed = append(c.changed, name)
		default:
			return nil, content.At(path, content.Errorf(content.ErrUnsupported, "%s: unknown difference %q", name, d.Type()))
		}
	}
	return c, nil
}
