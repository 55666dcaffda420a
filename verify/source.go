package verify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/docker"
	"github.com/ocilayout/ocilayout/internal/durable"
	"github.com/ocilayout/ocilayout/internal/tarfs"
	"github.com/ocilayout/ocilayout/layout"
)

// A Source is where Repair finds bytes. What it says of them is not believed.
type Source interface {
	content.Fetcher
	// Size is that of the bytes under a digest; ErrNotFound if there are none.
	Size(ctx context.Context, d content.Digest) (int64, error)
	// Path is where it lies, as it was given.
	Path() string
	io.Closer
}

// OpenSource opens a layout in a directory, an uncompressed archive of one, or an
// uncompressed archive of docker save in its old form, whose configs and plain layers
// are found by their digests. The caller closes it. What is none of them is
// ErrUnsupported.
func OpenSource(path string, o layout.Options) (Source, error) {
	r, err := layout.OpenReader(path, o)
	if err == nil {
		return r, nil
	}
	if !errors.Is(err, content.ErrUnsupported) {
		return nil, err
	}
	if s, dockerErr := openDocker(path, o.Limits.WithDefaults()); dockerErr == nil {
		return s, nil
	}
	return nil, err
}

// dockerSource is an archive of docker save from before it held a layout.
type dockerSource struct {
	path    string
	file    *os.File
	tar     *tarfs.FS
	members map[content.Digest]string
}

func openDocker(path string, limits content.Limits) (_ Source, err error) {
	f, info, err := durable.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // only read
		}
	}()
	s := &dockerSource{path: path, file: f, members: map[content.Digest]string{}}
	if s.tar, err = tarfs.New(f, info.Size(), tarfs.Limits{MaxMembers: limits.Members}); err != nil {
		return nil, err
	}
	data, err := s.read(docker.ManifestName, limits.Index)
	if err != nil {
		return nil, err
	}
	images, err := docker.Parse(data)
	if err != nil {
		return nil, err
	}
	for _, image := range images {
		s.image(image, limits)
	}
	return s, nil
}

// image notes what the members of one image should be. What can't be read has no bytes
// to offer.
func (s *dockerSource) image(image docker.Image, limits content.Limits) {
	data, err := s.read(image.Config, limits.Manifest)
	if err != nil {
		return
	}
	name := strings.TrimSuffix(image.Config[strings.LastIndexByte(image.Config, '/')+1:], ".json")
	s.members[content.Digest("sha256:"+name)] = image.Config
	var config struct {
		RootFS struct {
			DiffIDs []content.Digest `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if json.Unmarshal(data, &config) != nil || len(config.RootFS.DiffIDs) != len(image.Layers) {
		return
	}
	for i, d := range config.RootFS.DiffIDs {
		s.members[d] = image.Layers[i]
	}
}

func (s *dockerSource) read(name string, max int64) ([]byte, error) {
	section, err := s.tar.Section(name)
	if err != nil {
		return nil, err
	}
	if section.Size() > max {
		return nil, content.At(name, content.Errorf(content.ErrRefused, "%d bytes are over the limit of %d", section.Size(), max))
	}
	return io.ReadAll(section)
}

// section finds the member that should have the bytes of d.
func (s *dockerSource) section(d content.Digest) (*io.SectionReader, error) {
	name, ok := s.members[d]
	if !ok {
		return nil, content.AtDigest(d, content.Errorf(content.ErrNotFound, "no member of %s has it", s.path))
	}
	return s.tar.Section(name)
}

// Fetch opens the bytes under a digest, proven as they are read.
func (s *dockerSource) Fetch(_ context.Context, want content.Descriptor) (io.ReadCloser, error) {
	section, err := s.section(want.Digest)
	if err != nil {
		return nil, err
	}
	return content.Verify(io.NopCloser(section), want), nil
}

// Size is that of the member with the bytes of d.
func (s *dockerSource) Size(_ context.Context, d content.Digest) (int64, error) {
	section, err := s.section(d)
	if err != nil {
		return 0, err
	}
	return section.Size(), nil
}

// Path is where the archive lies.
func (s *dockerSource) Path() string { return s.path }

// Close releases the archive.
func (s *dockerSource) Close() error { return s.file.Close() }
