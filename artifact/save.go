package artifact

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// SaveOptions say how files are written. The zero value overwrites nothing and
// unpacks directories.
type SaveOptions struct {
	// Overwrite replaces files that are there already.
	Overwrite bool
	// StripDirs leaves out the directories of titles.
	StripDirs bool
	// KeepPacked writes directories as the tar that they are stored as, with ".tar.gz"
	// behind the title unless it ends so.
	KeepPacked bool
	// Limits bound what a directory may unpack to: Layer, Ratio and Members.
	Limits content.Limits
}

// A Saved is a file or directory that Save has written.
type Saved struct {
	Path      string         `json:"path"` // below the directory, with slashes
	MediaType string         `json:"mediaType"`
	Digest    content.Digest `json:"digest"`
	Size      int64          `json:"size"`
}

// Save writes the items to files below dir, which is made if it is not there. All
// are written and verified aside before the first gets its name, so that files
// appear whole. A title, member or link that would lead out of dir is ErrRefused; a
// file that is there is ErrAlreadyExists, unless it may be overwritten. Nothing is
// written through a symbolic link that leads out of dir. Save does not fsync.
func Save(ctx context.Context, f content.Fetcher, items []Item, dir string, o SaveOptions) (saved []Saved, err error) {
	o.Limits = o.Limits.WithDefaults()
	s := saver{o: o}
	if err := s.plan(items); err != nil {
		return nil, err
	}
	_, statErr := os.Stat(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && errors.Is(statErr, fs.ErrNotExist) {
			_ = os.Remove(dir) // only if it is empty, as it was made here
		}
	}()
	if s.root, err = os.OpenRoot(dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.root.Close()) }()
	s.aside = ".ocilayout-" + rand.Text()
	if err := s.root.Mkdir(s.aside, 0o700); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.root.RemoveAll(s.aside)) }()
	for _, item := range s.items {
		if err := s.stage(ctx, f, item); err != nil {
			return nil, content.At(item.path, err)
		}
	}
	return s.place()
}

type saver struct {
	o     SaveOptions
	root  *os.Root
	aside string // directory below root for what is not whole yet
	items []planned
}

// planned is an item with the place where it belongs.
type planned struct {
	Item
	path   string // below the root, clean
	staged string
}

// plan finds the place of each item.
func (s *saver) plan(items []Item) error {
	taken := map[string]bool{}
	for i, item := range items {
		p := planned{Item: item, staged: strconv.Itoa(i)}
		if s.o.KeepPacked {
			p.Unpack = false
		}
		var err error
		if p.path, err = s.target(p.Item); err != nil {
			return content.AtDigest(item.Digest, err)
		}
		if taken[p.path] {
			return content.AtDigest(item.Digest, content.Errorf(content.ErrRefused, "a second file is called %q", p.path))
		}
		taken[p.path] = true
		s.items = append(s.items, p)
	}
	return nil
}

func (s *saver) target(item Item) (string, error) {
	name := item.fileName()
	if s.o.StripDirs {
		name = path.Base(name)
	}
	name, err := checkTitle(name)
	if err != nil {
		return "", err
	}
	if item.Annotations[annotationUnpack] == "true" && !item.Unpack && path.Ext(name) != ".gz" && path.Ext(name) != ".tgz" {
		name += ".tar.gz"
	}
	if name == "." && !item.Unpack {
		return "", content.Errorf(content.ErrRefused, "%q can't be the title of a file", item.Title)
	}
	return name, nil
}

// stage writes an item aside, verified.
func (s *saver) stage(ctx context.Context, f content.Fetcher, item planned) error {
	r, err := f.Fetch(ctx, item.Descriptor)
	if err != nil {
		return missing(item.Digest, err)
	}
	defer func() { _ = r.Close() }() // the verdict came with the last Read
	at := path.Join(s.aside, item.staged)
	if !item.Unpack {
		out, err := s.root.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, content.Track(ctx, r, "save", item.path, item.Size))
		return errors.Join(err, out.Close())
	}
	if err := s.root.Mkdir(at, 0o755); err != nil {
		return err
	}
	tree, err := s.root.OpenRoot(at)
	if err != nil {
		return err
	}
	return errors.Join(unpack(ctx, tree, r, item.Item, s.o.Limits), tree.Close())
}

// missing says of an artifact's own blob that it should be there.
func missing(d content.Digest, err error) error {
	if errors.Is(err, content.ErrNotFound) {
		return content.AtDigest(d, content.Errorf(content.ErrMissing, "the file's blob is missing"))
	}
	return err
}

// place gives everything its name, once nothing stands in the way of any.
func (s *saver) place() ([]Saved, error) {
	var moves []move
	for _, item := range s.items {
		more, err := s.moves(item)
		if err != nil {
			return nil, err
		}
		moves = append(moves, more...)
	}
	for _, m := range moves {
		if err := s.move(m); err != nil {
			return nil, err
		}
	}
	saved := []Saved{}
	for _, item := range s.items {
		saved = append(saved, Saved{item.path, item.MediaType, item.Digest, item.Size})
	}
	return saved, nil
}

// OpenOne opens the only one of the items, as a stream that verifies it: none is
// ErrNotFound, several are ErrAmbiguous. The caller closes it.
func OpenOne(ctx context.Context, f content.Fetcher, desc content.Descriptor, items []Item) (io.ReadCloser, error) {
	switch {
	case len(items) == 0:
		return nil, content.AtDigest(desc.Digest, content.Errorf(content.ErrNotFound, "the artifact has no such file"))
	case len(items) > 1:
		const most = 10
		var names []string
		for _, item := range items[:min(len(items), most)] {
			names = append(names, strconv.Quote(item.fileName()))
		}
		return nil, content.AtDigest(desc.Digest, content.Errorf(content.ErrAmbiguous, "the artifact has %d files: %s", len(items), strings.Join(names, ", ")))
	}
	r, err := f.Fetch(ctx, items[0].Descriptor)
	return r, missing(items[0].Digest, err)
}

// OpenConfig opens the config of an artifact, which is verified while it is read.
func OpenConfig(ctx context.Context, f content.Fetcher, desc content.Descriptor, limits content.Limits) (io.ReadCloser, error) {
	config, err := configOf(ctx, f, desc, limits)
	if err != nil {
		return nil, err
	}
	r, err := f.Fetch(ctx, config)
	return r, missing(config.Digest, err)
}

func configOf(ctx context.Context, f content.Fetcher, desc content.Descriptor, limits content.Limits) (content.Descriptor, error) {
	m, _, err := content.FetchManifest(ctx, f, desc, limits)
	if err != nil {
		return content.Descriptor{}, err
	}
	if m.Config == nil {
		return content.Descriptor{}, content.AtDigest(desc.Digest, content.Errorf(content.ErrNotFound, "the artifact has no config"))
	}
	return *m.Config, nil
}

// SaveConfig writes the config of an artifact to a file, verified and whole. One
// that is there is ErrAlreadyExists, unless it may be overwritten.
func SaveConfig(ctx context.Context, f content.Fetcher, desc content.Descriptor, file string, o SaveOptions) error {
	d, err := configOf(ctx, f, desc, o.Limits)
	if err != nil {
		return err
	}
	config := Item{Descriptor: d, Title: filepath.Base(file)}
	_, err = Save(ctx, f, []Item{config}, filepath.Dir(file), SaveOptions{Overwrite: o.Overwrite, Limits: o.Limits})
	return err
}
