package mutate

import (
	"archive/tar"
	"context"
	"path"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
)

// A lowerFile is what a layer says about a path that may be a directory on the way to
// something: its header; that lower layers do not count; or that files lie in it.
type lowerFile struct {
	header *tar.Header // nil if the path is hidden, or implied
	// implied is set for a directory that the layer has files in and does not list.
	implied bool
}

// lowerDirs finds the directories on the way to name in the image as its layers are
// before edits, highest layer first, so that a layer put on top can list them again:
// some readers give those that it does not list attributes of their own. One that is not
// there is made by newDir. The layers are read only as far down as needed. A link on the
// way is ErrInvalid.
func (im *Image) lowerDirs(ctx context.Context, name string) ([]*tar.Header, error) {
	var list []*tar.Header
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		h, err := im.lowerDir(ctx, dir)
		if err != nil {
			return nil, err
		}
		if h == nil {
			h = newDir(dir)
		}
		list = append([]*tar.Header{h}, list...)
	}
	return list, nil
}

// newDir is a directory that no layer lists: owner 0, mode 0755 and the time 0.
func newDir(dir string) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: noTime}
}

// lowerDir finds one directory; nil is none.
func (im *Image) lowerDir(ctx context.Context, dir string) (*tar.Header, error) {
	var found *tar.Header
	for i := len(im.Layers) - 1; i >= 0; i-- {
		files, err := im.Job.listed(ctx, im.Layers[i])
		if err != nil {
			return nil, err
		}
		f, ok := files[dir]
		switch {
		case ok && f.implied:
			found = newDir(dir)
			if _, gone := files[whiteoutKey(dir)]; !gone && !hidden(files, dir) {
				continue
			}
			return found, nil
		case !ok && !hidden(files, dir):
			continue
		case !ok || f.header == nil:
			return found, nil
		case f.header.Typeflag == tar.TypeDir:
			h := *f.header
			h.Name = dir + "/"
			return &h, nil
		}
		return nil, content.Errorf(content.ErrInvalid, "%s is not a directory in the image, so nothing is put below it", dir)
	}
	return found, nil
}

// hidden says whether a directory above dir is hidden, or is something else.
func hidden(files map[string]lowerFile, dir string) bool {
	for up := path.Dir(dir); ; up = path.Dir(up) {
		if f, ok := files[up]; ok && !f.implied && (f.header == nil || f.header.Typeflag != tar.TypeDir) {
			return true
		}
		for _, key := range []string{opaqueKey(up), whiteoutKey(up)} {
			if _, ok := files[key]; ok {
				return true
			}
		}
		if up == "." {
			return false
		}
	}
}

// opaqueKey and whiteoutKey are the keys under which marks are noted, which no path is:
// a directory may be hidden and made again.
func opaqueKey(dir string) string   { return "/opaque/" + dir }
func whiteoutKey(dir string) string { return "/whiteout/" + dir }

// listed says what a layer has that matters to lowerDir. Each is read once.
func (j *Job) listed(ctx context.Context, l *Layer) (map[string]lowerFile, error) {
	if l.lists != nil || l.open != nil || !l.IsTar() {
		return l.lists, nil
	}
	if files, ok := j.lists[l.Descriptor.Digest]; ok {
		return files, nil
	}
	members, err := imagefs.Scan(ctx, fetcher{j}, imagefs.Layer{Descriptor: l.Descriptor, DiffID: l.DiffID}, j.Limits)
	if err != nil {
		return nil, err
	}
	files := map[string]lowerFile{}
	for _, m := range members {
		note(files, m)
	}
	if j.lists == nil {
		j.lists = map[content.Digest]map[string]lowerFile{}
	}
	j.lists[l.Descriptor.Digest] = files
	return files, nil
}

// otherFile is what is neither a directory nor a link.
var otherFile = lowerFile{header: &tar.Header{Typeflag: tar.TypeReg}}

// note keeps what paths are, and what is hidden and not there again.
func note(files map[string]lowerFile, m imagefs.Member) {
	switch m.Type() {
	case "opaque":
		files[opaqueKey(m.Hides)] = lowerFile{}
		return
	case "whiteout":
		files[whiteoutKey(m.Hides)] = lowerFile{}
		if _, ok := files[m.Hides]; !ok {
			files[m.Hides] = lowerFile{}
		}
		return
	case "dir", "symlink":
		files[m.Path] = lowerFile{header: m.Header()}
	default:
		files[m.Path] = otherFile
	}
	for dir := path.Dir(m.Path); dir != "."; dir = path.Dir(dir) {
		if f, ok := files[dir]; ok && (f.implied || f.header != nil) {
			return
		}
		files[dir] = lowerFile{implied: true}
	}
}

// cleanPath is a path in the image as a user writes it, from the root.
func cleanPath(p string) (string, error) {
	clean, err := cleanName(p)
	if err != nil || p == "" {
		return "", content.Errorf(content.ErrInvalid, "%q is no path in an image", p)
	}
	if strings.ContainsRune(clean, 0) {
		return "", content.Errorf(content.ErrInvalid, "%q is no path in an image", p)
	}
	return clean, nil
}
