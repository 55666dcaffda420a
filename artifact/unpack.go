package artifact

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// unpack writes the tree in the tar r, plain or compressed, to the empty directory
// root. Its members must be below title. Owners and times are not kept.
func unpack(ctx context.Context, root *os.Root, r io.Reader, item Item, limits content.Limits) error {
	br := bufio.NewReader(content.Track(ctx, r, "unpack", item.Title, item.Size))
	format, err := compress.Sniff(br)
	if err != nil {
		return err
	}
	plain, err := compress.NewReader(br, format, compress.Limits{MaxBytes: limits.Layer, MaxRatio: limits.Ratio})
	if err != nil {
		return err
	}
	defer func() { _ = plain.Close() }() // frees buffers alone
	want := content.Digest(item.Annotations[annotationPlain])
	stream, check := io.Reader(plain), func() error { return nil }
	if want != "" {
		if !content.Verifiable(want) {
			return content.Errorf(content.ErrCorrupt, "%s is %q, which can't be verified", annotationPlain, string(want))
		}
		hash := want.Algorithm().Digester()
		stream = io.TeeReader(plain, hash.Hash())
		check = func() error {
			if got := hash.Digest(); got != want {
				return content.Errorf(content.ErrDigest, "digest of the tar is %s, want %s", got, want)
			}
			return nil
		}
	}
	u := unpacker{root: root, prefix: path.Clean(item.Title), dirs: map[string]bool{".": true}}
	if err := u.all(tarx.NewReader(stream, tarx.Limits{MaxMembers: limits.Members})); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, stream); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, br); err != nil { // the verdict on the blob
		return err
	}
	return check()
}

type unpacker struct {
	root   *os.Root
	prefix string          // title of the tree
	dirs   map[string]bool // known to be directories and no links
}

func (u *unpacker) all(r *tarx.Reader) error {
	for {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := u.member(r, h); err != nil {
			if errors.Is(err, fs.ErrExist) {
				err = content.Errorf(content.ErrRefused, "member %q is there twice", h.Name)
			}
			return err
		}
	}
}

func (u *unpacker) member(r io.Reader, h *tar.Header) error {
	name, err := u.name(h.Name)
	if err != nil {
		return err
	}
	mode := h.FileInfo().Mode().Perm()
	if h.Typeflag == tar.TypeDir {
		return u.dir(name, mode)
	}
	if name == "." {
		return content.Errorf(content.ErrRefused, "member %q is no directory", h.Name)
	}
	if err := u.dir(path.Dir(name), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return u.file(name, mode, r)
	case tar.TypeSymlink:
		if err := checkLink(name, h.Linkname); err != nil {
			return err
		}
		return u.root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		return u.hardlink(name, h.Linkname)
	}
	return content.Errorf(content.ErrRefused, "member %q is neither a file, a directory nor a link", h.Name)
}

// name is where a member belongs below the tree's root.
func (u *unpacker) name(member string) (string, error) {
	clean, err := tarx.CleanName(member)
	if err != nil {
		return "", err
	}
	if strings.ContainsRune(clean, '\\') {
		return "", content.Errorf(content.ErrRefused, "member %q has a backslash, which separates directories on some systems", member)
	}
	return below(clean, u.prefix)
}

// dir makes a directory and those above it. Nothing is written through a link: each
// must be a real directory.
func (u *unpacker) dir(name string, mode fs.FileMode) error {
	if u.dirs[name] {
		return nil
	}
	if err := u.dir(path.Dir(name), 0o755); err != nil {
		return err
	}
	if err := u.root.Mkdir(name, mode|0o700); err != nil {
		return err
	}
	u.dirs[name] = true
	return nil
}

func (u *unpacker) file(name string, mode fs.FileMode, r io.Reader) error {
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o200)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// hardlink gives a file that was unpacked before a second name.
func (u *unpacker) hardlink(name, to string) error {
	target, err := u.name(to)
	if err != nil {
		return err
	}
	if !u.dirs[path.Dir(target)] {
		return content.Errorf(content.ErrRefused, "member %q links to %q, which is no file of the archive", name, to)
	}
	info, err := u.root.Lstat(target)
	if err != nil || !info.Mode().IsRegular() {
		return content.Errorf(content.ErrRefused, "member %q links to %q, which is no file of the archive", name, to)
	}
	return u.root.Link(target, name)
}
