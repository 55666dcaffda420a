package sync

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// maxLock is the most bytes of a lock file.
const maxLock = 256 << 20

// A Lock says which content each name of a source stood for when it was taken.
type Lock struct {
	Version int      `json:"version"`
	Images  []Locked `json:"images"` // sorted by source
}

// Locked is one name of a source. The digest is that of what the name stood for, also
// where only the image of one platform was taken of it.
type Locked struct {
	Source    string         `json:"source"`
	Digest    content.Digest `json:"digest"`
	MediaType string         `json:"mediaType"`
}

// ReadLock reads a lock file. An absent one is ErrNotFound.
func ReadLock(path string) (Lock, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Lock{}, content.At(path, content.Errorf(content.ErrNotFound, "there is no such lock file"))
	}
	if err != nil {
		return Lock{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxLock+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return Lock{}, err
	}
	l, err := parseLock(data)
	return l, content.At(path, err)
}

func parseLock(data []byte) (l Lock, err error) {
	if len(data) > maxLock {
		return l, content.Errorf(content.ErrRefused, "it has more than %d bytes", maxLock)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&l); err != nil {
		return l, content.Errorf(content.ErrCorrupt, "it is no lock file: %v", err)
	}
	if l.Version != 1 {
		return l, content.Errorf(content.ErrUnsupported, "version %d of lock files is not known here, only 1", l.Version)
	}
	for _, image := range l.Images {
		if err := content.CheckDigest(image.Digest); err != nil || image.Source == "" {
			return l, content.Errorf(content.ErrCorrupt, "%q has the digest %q", image.Source, image.Digest)
		}
	}
	slices.SortFunc(l.Images, func(a, b Locked) int { return cmp.Compare(a.Source, b.Source) })
	return l, nil
}

// Write puts the lock at path, whole or not at all.
func (l Lock) Write(path string) error {
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	var d durable.FS
	f, err := d.Stage(filepath.Dir(path))
	if err != nil {
		return content.At(path, err)
	}
	if _, err = f.Write(append(data, '\n')); err == nil {
		err = d.Replace(f, path)
	}
	if err != nil {
		return content.At(path, errors.Join(err, f.Discard()))
	}
	return nil
}

// find is what the source was.
func (l Lock) find(source string) (Locked, bool) {
	i, ok := slices.BinarySearchFunc(l.Images, source, func(image Locked, source string) int { return cmp.Compare(image.Source, source) })
	if !ok {
		return Locked{}, false
	}
	return l.Images[i], true
}

// names lists the names in a place.
func (l Lock) names(p Place) []string {
	var names []string
	prefix := Point{Place: p}.String() + ":"
	for _, image := range l.Images {
		if name, ok := strings.CutPrefix(image.Source, prefix); ok && !strings.Contains(name, "@") {
			names = append(names, name)
		}
	}
	return names
}

// repositories lists those of a host, in order, each once.
func (l Lock) repositories(host string) []string {
	var list []string
	for _, image := range l.Images {
		path, ok := strings.CutPrefix(image.Source, host+"/")
		if !ok {
			continue
		}
		path, _, _ = strings.Cut(path, "@")
		path, _, _ = strings.Cut(path, ":")
		list = append(list, path)
	}
	return slices.Compact(list)
}

// update returns the lock as it is after a run: what was seen replaces what stood there,
// and names of places that were listed whole and have them no more are gone.
func (l Lock) update(steps []Step, listed []Place) Lock {
	images := map[string]Locked{}
	stale := map[string]bool{}
	for _, p := range listed {
		for _, name := range l.names(p) {
			stale[p.named(name).String()] = true
		}
	}
	for _, image := range l.Images {
		if !stale[image.Source] {
			images[image.Source] = image
		}
	}
	for _, s := range steps {
		source := s.Source.String()
		old, ok := l.find(source)
		switch {
		case s.Action.works() || s.Action == ActionKeep:
			images[source] = Locked{source, s.From.Digest, s.From.MediaType}
		case ok:
			images[source] = old
		}
	}
	next := Lock{Version: 1, Images: []Locked{}}
	for _, image := range images {
		next.Images = append(next.Images, image)
	}
	slices.SortFunc(next.Images, func(a, b Locked) int { return cmp.Compare(a.Source, b.Source) })
	return next
}
