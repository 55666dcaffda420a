package artifact

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// The annotations by which oras knows a directory that was packed.
const (
	// annotationPlain is the digest of the tar before compression.
	annotationPlain = "io.deis.oras.content.digest"
	// annotationUnpack is "true" where the tar is to be unpacked.
	annotationUnpack = "io.deis.oras.content.unpack"
)

// pack writes the tree at dir as a tar+gzip whose members are below title, and
// returns the digest of the tar. The bytes depend on names, contents, permissions
// and links alone: members are sorted, without times, and belong to owner 0. What
// no reader would unpack, links that lead outside and what is neither file,
// directory nor link, is ErrRefused.
func pack(ctx context.Context, w io.Writer, dir, title string) (plain content.Digest, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	gz, err := compress.NewGzipWriter(w, compress.GzipOptions{})
	if err != nil {
		return "", err
	}
	hash := digest.SHA256.Digester()
	p := packer{ctx: ctx, root: root, title: title, tar: tarx.NewWriter(io.MultiWriter(gz, hash.Hash()), time.Unix(0, 0))}
	err = fs.WalkDir(root.FS(), ".", p.visit)
	if err == nil {
		err = p.tar.Close()
	}
	if err := errors.Join(err, gz.Close()); err != nil {
		return "", err
	}
	return hash.Digest(), nil
}

type packer struct {
	ctx   context.Context
	root  *os.Root
	title string
	tar   *tarx.Writer
}

func (p *packer) visit(name string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	h := &tar.Header{Name: path.Join(p.title, name), Mode: int64(info.Mode().Perm()), ModTime: time.Unix(0, 0)}
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

func (p *packer) body(name string) error {
	f, err := p.root.Open(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(p.tar, f)
	return errors.Join(err, f.Close())
}
