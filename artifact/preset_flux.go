package artifact

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// The media types of Flux artifacts.
const (
	MediaTypeFluxConfig  = "application/vnd.cncf.flux.config.v1+json"
	MediaTypeFluxContent = "application/vnd.cncf.flux.content.v1.tar+gzip"
)

// Flux makes options that store the tree at dir as flux push artifact does: a
// tar+gzip of manifests, with annotations that say which repository and revision
// they were made of. What git keeps for itself, pictures and archives are left out,
// as Flux leaves them out unless told otherwise.
//
// The same names and contents make the same artifact on every machine: members are
// sorted, without times and owners, and of permissions only whether a file can be
// executed. A link that leads outside, and what is neither file, directory nor
// link, is ErrRefused. The tree is read now, and again by Build, which fails with
// ErrConflict if it has changed.
func Flux(ctx context.Context, dir, source, revision string) (Options, error) {
	if source == "" || revision == "" {
		return Options{}, content.Errorf(content.ErrInvalid, "a Flux artifact needs a source and a revision")
	}
	info, err := os.Stat(dir)
	if err != nil {
		return Options{}, notFound(dir, err)
	}
	if !info.IsDir() {
		return Options{}, content.At(dir, content.Errorf(content.ErrInvalid, "is no directory"))
	}
	tree := fluxTree{ctx: ctx, dir: dir}
	if tree.plain, err = tree.write(io.Discard); err != nil {
		return Options{}, content.At(dir, err)
	}
	config, err := tree.config()
	if err != nil {
		return Options{}, err
	}
	file := inMemory(File{MediaType: MediaTypeFluxConfig}, config)
	return Options{
		Annotations: map[string]string{
			ocispec.AnnotationSource:   source,
			ocispec.AnnotationRevision: revision,
		},
		Config: &file,
		Files:  []File{{Open: tree.open, MediaType: MediaTypeFluxContent}},
	}, nil
}

// fluxTree is a directory as one tar.
type fluxTree struct {
	ctx   context.Context
	dir   string
	plain content.Digest // of the tar
}

// config is what Flux's client writes: an image's config with no platform.
func (t fluxTree) config() ([]byte, error) {
	type rootfs struct {
		Type    string           `json:"type"`
		DiffIDs []content.Digest `json:"diff_ids"`
	}
	return rawjson.Marshal(struct {
		Architecture string   `json:"architecture"`
		OS           string   `json:"os"`
		Config       struct{} `json:"config"`
		RootFS       rootfs   `json:"rootfs"`
	}{RootFS: rootfs{"layers", []content.Digest{t.plain}}})
}

// open gives the tar, compressed.
func (t fluxTree) open() (io.ReadCloser, error) {
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.CloseWithError(t.compress(w)) // never fails
	}()
	return pipe{r, done}, nil
}

func (t fluxTree) compress(w io.Writer) error {
	gz, err := compress.NewGzipWriter(w, compress.GzipOptions{})
	if err != nil {
		return err
	}
	plain, err := t.write(gz)
	if err := errors.Join(err, gz.Close()); err != nil {
		return content.At(t.dir, err)
	}
	if plain != t.plain {
		return content.At(t.dir, content.Errorf(content.ErrConflict, "changed while it was read"))
	}
	return nil
}

// pipe waits for its writer to end.
type pipe struct {
	*io.PipeReader
	done <-chan struct{}
}

func (p pipe) Close() error {
	err := p.PipeReader.Close()
	<-p.done
	return err
}

// write writes the tar and gives its digest.
func (t fluxTree) write(w io.Writer) (plain content.Digest, err error) {
	root, err := os.OpenRoot(t.dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	hash := digest.SHA256.Digester()
	p := fluxPacker{packer{ctx: t.ctx, root: root, tar: tarx.NewWriter(io.MultiWriter(w, hash.Hash()), time.Unix(0, 0))}}
	if err := fs.WalkDir(root.FS(), ".", p.visit); err != nil {
		return "", err
	}
	err = p.tar.Close()
	return hash.Digest(), err
}

// fluxPacker packs members that do not depend on the machine.
type fluxPacker struct{ packer }

func (p fluxPacker) visit(name string, entry fs.DirEntry, err error) error {
	switch {
	case err != nil:
		return err
	case p.ctx.Err() != nil:
		return context.Cause(p.ctx)
	case name == ".":
		return nil
	case !fluxTakes(name) && entry.IsDir():
		return fs.SkipDir
	case !fluxTakes(name):
		return nil
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	h := &tar.Header{Name: name, Mode: 0o644, ModTime: time.Unix(0, 0)}
	if info.IsDir() || info.Mode()&0o111 != 0 {
		h.Mode = 0o755
	}
	switch info.Mode().Type() {
	case 0:
		h.Typeflag, h.Size = tar.TypeReg, info.Size()
		if err := p.tar.RawHeader(h); err != nil {
			return err
		}
		return p.body(name)
	case fs.ModeDir:
		h.Typeflag = tar.TypeDir
	case fs.ModeSymlink:
		h.Typeflag, h.Mode = tar.TypeSymlink, 0o777
		if h.Linkname, err = p.root.Readlink(name); err != nil {
			return err
		}
		if err := checkLink(name, h.Linkname); err != nil {
			return err
		}
	default:
		return content.At(name, content.Errorf(content.ErrRefused, "is neither a file, a directory nor a link, and can't be stored"))
	}
	return p.tar.RawHeader(h)
}

// fluxTakes says whether flux push artifact takes a member unless told otherwise.
func fluxTakes(name string) bool {
	switch path.Base(name) {
	case ".git", ".gitignore", ".gitmodules", ".gitattributes":
		return false
	}
	for _, end := range []string{".jpg", ".jpeg", ".gif", ".png", ".wmv", ".flv", ".tar.gz", ".zip"} {
		if strings.HasSuffix(name, end) {
			return false
		}
	}
	return true
}
