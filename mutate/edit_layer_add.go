package mutate

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// LayerAdd puts a layer on top: of a tar, plain or compressed, of a directory, or one
// that is in the layout. The image gets a diffID and, if it keeps history, an entry
// without a time, so that the result depends on the content alone; all other
// descriptors stay.
type LayerAdd struct {
	// Tar is a file. One compressed with gzip or zstd is stored as it is, unless
	// MediaType or another field wants other bytes; a plain one, and one of xz or bzip2,
	// is compressed with gzip.
	Tar string
	// Dir is a directory, whose files go in by the order of their names: files,
	// directories, symbolic links as they are, pipes and devices, with the permissions and
	// the time, to the second, that they have on disk. Each name is a file of its own,
	// whether or not it is a hard link; extended attributes are not read. The attributes
	// of the directory itself are those of Dest, unless the image has it or it is the root.
	Dir string
	// Digest and DiffID alone, with MediaType, are a layer in the layout that is not read;
	// with Tar or Dir they are what must come out of it, before Dest, Owner and Mode.
	Digest content.Digest
	DiffID content.Digest
	// MediaType is the layer's; "" is one of the image's family.
	MediaType string
	// Dest is where in the image the files go; "" is the root. The directories on the way
	// are listed as the image has them, for which its layers are read; so is Dest, which
	// else gets the attributes of the root of tar or directory, or mode 0755.
	Dest string
	// Owner, if not nil, is the owner of all files; else that of tar or disk.
	Owner *Owner
	// Mode, if not nil, is the permissions of all files but links; directories can be
	// searched besides by whom they can be read.
	Mode *int64
	// Platform, if not nil, limits the edit to images for it.
	Platform *content.Platform
}

// Owner is the numbers of a user and a group.
type Owner struct{ UID, GID int }

// Image implements Change.
func (c LayerAdd) Image(ctx context.Context, im *Image) error {
	if c.Platform != nil && !content.MatchPlatform(*c.Platform, im.Platform) {
		return nil
	}
	if im.Config == nil {
		return content.Errorf(content.ErrUnsupported, "is no image that takes a layer")
	}
	l, err := c.layer(ctx, im)
	if err != nil {
		return err
	}
	if err := c.place(ctx, im, l); err != nil {
		return err
	}
	im.AddLayer(l, im.entryBy("layer-add"))
	return nil
}

func (c LayerAdd) platforms() []content.Platform {
	if c.Platform == nil {
		return nil
	}
	return []content.Platform{*c.Platform}
}

// layer makes the layer, as it is before Dest, Owner and Mode.
func (c LayerAdd) layer(ctx context.Context, im *Image) (*Layer, error) {
	mediaType := c.MediaType
	if mediaType == "" {
		mediaType = im.layerType("gzip")
	}
	form := Form{Compression: content.LayerCompression(mediaType)}
	if form.Compression == "" {
		return nil, content.Errorf(content.ErrInvalid, "%q is no media type of a layer", mediaType)
	}
	var l *Layer
	switch {
	case c.Tar != "":
		if c.MediaType == "" {
			form = Form{} // that of the file, if it can be
		}
		l = NewLayer("tar "+c.Tar+" "+string(c.Digest), mediaType, form, c.openTar)
		l.file = c.Tar
	case c.Dir != "":
		l = NewLayer("dir "+c.Dir, mediaType, form, c.openDir)
	default:
		size, err := im.Job.Batch.Size(ctx, c.Digest)
		if err != nil {
			return nil, err
		}
		known := content.Descriptor{MediaType: mediaType, Digest: c.Digest, Size: size}
		if err := im.Job.hold(ctx, known); err != nil {
			return nil, err
		}
		return KnownLayer(known, c.DiffID)
	}
	l.DiffID = c.DiffID
	return l, nil
}

// openTar opens the file, which must have the digest that is asked for.
func (c LayerAdd) openTar(context.Context) (io.ReadCloser, error) {
	f, err := os.Open(c.Tar)
	if err != nil || c.Digest == "" {
		return f, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close() // the first error says more
		return nil, err
	}
	return content.Verify(f, content.Descriptor{Digest: c.Digest, Size: info.Size()}), nil
}

// place moves the members of the layer below Dest and gives them owner and mode.
func (c LayerAdd) place(ctx context.Context, im *Image, l *Layer) error {
	dest := "."
	if c.Dest != "" {
		var err error
		if dest, err = cleanPath(c.Dest); err != nil {
			return err
		}
	}
	if dest == "." && c.Owner == nil && c.Mode == nil && c.Dir == "" {
		return nil
	}
	s := &placing{dest: dest, owner: c.Owner, mode: c.Mode, rootStays: c.Dir != "" && dest == "."}
	if dest != "." {
		dirs, err := im.lowerDirs(ctx, dest+"/x")
		if err != nil {
			return err
		}
		last, err := im.lowerDir(ctx, dest)
		if err != nil {
			return err
		}
		if s.dirs = dirs; last == nil {
			s.dirs = dirs[:len(dirs)-1]
		}
		l.lists = map[string]lowerFile{}
		for _, h := range dirs {
			l.lists[path.Clean(h.Name)] = lowerFile{header: h}
		}
	}
	l.Do(s)
	return nil
}

// placing is the step of a LayerAdd.
type placing struct {
	dest  string
	dirs  []*tar.Header // on the way to dest, and dest if the image has it
	owner *Owner
	mode  *int64
	// rootStays leaves out what a directory says of itself: the image's root is its own.
	rootStays bool
}

func (s *placing) Key() string {
	key := "place " + s.dest
	if s.rootStays {
		key += " below"
	}
	for _, h := range s.dirs {
		key += fmt.Sprintf(" %q %o %d %d %d %q", h.Name, h.Mode, h.Uid, h.Gid, h.ModTime.UnixNano(), h.PAXRecords)
	}
	if s.owner != nil {
		key += fmt.Sprintf(" owner %d:%d", s.owner.UID, s.owner.GID)
	}
	if s.mode != nil {
		key += fmt.Sprintf(" mode %o", *s.mode)
	}
	return key
}

func (s *placing) Start() Filter { return &placed{placing: s} }

// placed is one pass of it.
type placed struct {
	*placing
	begun bool
}

// begin lists the directories on the way before the first member, and dest itself unless
// that member is it.
func (s *placed) begin(m *Member) {
	s.begun = true
	for _, h := range s.dirs {
		c := *h
		m.Before(&c)
	}
	if s.dest != "." && !s.listsDest() && m.Name != "." {
		h := newDir(s.dest)
		s.attributes(h)
		m.Before(h)
	}
}

func (s *placed) Member(m *Member) error {
	if !s.begun {
		s.begin(m)
	}
	if s.rootStays && m.Name == "." {
		m.Drop()
		return nil
	}
	if s.dest != "." {
		if m.Name == "." && s.listsDest() {
			m.Drop() // the image has it
			return nil
		}
		m.rename(path.Join(s.dest, m.Name))
		if m.Link != "" {
			m.Link = path.Join(s.dest, m.Link)
			m.Edit().Linkname = m.Link
		}
	}
	if s.owner != nil || s.mode != nil {
		s.attributes(m.Edit())
	}
	return nil
}

// attributes sets owner and mode.
func (s *placing) attributes(h *tar.Header) {
	if s.owner != nil {
		h.Uid, h.Gid, h.Uname, h.Gname = s.owner.UID, s.owner.GID, "", ""
	}
	if s.mode != nil && h.Typeflag != tar.TypeSymlink && h.Typeflag != tar.TypeLink {
		h.Mode = *s.mode
		if h.Typeflag == tar.TypeDir {
			h.Mode |= h.Mode & 0o444 >> 2
		}
	}
}

func (s *placing) listsDest() bool {
	return len(s.dirs) > 0 && path.Clean(s.dirs[len(s.dirs)-1].Name) == s.dest
}

// rename gives the member another path.
func (m *Member) rename(name string) {
	m.Name = name
	h := m.Edit()
	if h.Name = name; h.Typeflag == tar.TypeDir {
		h.Name += "/"
	}
}

// openDir writes the directory as a tar, in a goroutine that ends with Close.
func (c LayerAdd) openDir(ctx context.Context) (io.ReadCloser, error) {
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return nil, err
	}
	pr, pw := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w := tarx.NewWriter(pw, noTime)
		err := writeDir(ctx, w, root, ".")
		if err == nil {
			err = w.Close()
		}
		_ = pw.CloseWithError(err) // nil is io.EOF; never fails
	}()
	return &dirReader{pr, root, done}, nil
}

// dirReader reads the tar of a directory.
type dirReader struct {
	*io.PipeReader
	root *os.Root
	done chan struct{}
}

func (r *dirReader) Close() error {
	_ = r.PipeReader.Close() // never fails, and ends the writer
	<-r.done
	return r.root.Close()
}

// ParseLayerAdd reads a list, with commas, of tar=FILE or dir=DIR, dest=/PATH,
// owner=UID:GID, mode=OCTAL, platform=P, media-type=T, digest=D and diff-id=D. A file
// or directory with a comma in its name can't be said.
func ParseLayerAdd(s string) (LayerAdd, error) {
	var c LayerAdd
	for part := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(part, "=")
		if !ok || value == "" {
			return c, content.Errorf(content.ErrInvalid, "%q is no part of a layer: want tar=FILE, dir=DIR, dest=/PATH and so on", part)
		}
		if err := c.part(key, value); err != nil {
			return c, err
		}
	}
	return c, c.check()
}

func (c *LayerAdd) part(key, value string) (err error) {
	switch key {
	case "tar":
		c.Tar = value
	case "dir":
		c.Dir = value
	case "dest":
		c.Dest = value
		_, err = cleanPath(value)
	case "owner":
		c.Owner, err = parseOwner(value)
	case "mode":
		mode, bad := strconv.ParseInt(value, 8, 64)
		if c.Mode = &mode; bad != nil || mode < 0 || mode > 0o7777 {
			err = content.Errorf(content.ErrInvalid, "%q is no mode: want octal digits such as 644", value)
		}
	case "platform":
		p, bad := parsePlatform(value)
		c.Platform, err = &p, bad
	case "media-type":
		c.MediaType = value
	case "digest":
		c.Digest = content.Digest(value)
		err = content.CheckDigest(c.Digest)
	case "diff-id":
		c.DiffID = content.Digest(value)
		err = content.CheckDigest(c.DiffID)
	default:
		err = content.Errorf(content.ErrInvalid, "%q is no part of a layer: want tar, dir, dest, owner, mode, platform, media-type, digest or diff-id", key)
	}
	return err
}

func parseOwner(s string) (*Owner, error) {
	u, g, ok := strings.Cut(s, ":")
	uid, err := strconv.ParseUint(u, 10, 31)
	gid, err2 := strconv.ParseUint(g, 10, 31)
	if !ok || err != nil || err2 != nil {
		return nil, content.Errorf(content.ErrInvalid, "%q is no owner: want numbers, UID:GID", s)
	}
	return &Owner{int(uid), int(gid)}, nil
}

func (c LayerAdd) check() error {
	switch {
	case c.Tar != "" && c.Dir != "":
		return content.Errorf(content.ErrInvalid, "a layer is of a tar or of a directory, not both")
	case c.Dir != "" && c.Digest != "":
		return content.Errorf(content.ErrInvalid, "a directory has no digest; it can have a diff-id")
	case c.Tar == "" && c.Dir == "" && (c.Digest == "" || c.DiffID == "" || c.MediaType == ""):
		return content.Errorf(content.ErrInvalid, "a layer needs tar=FILE, dir=DIR, or digest, diff-id and media-type of one in the layout")
	case c.MediaType != "" && !content.IsLayer(c.MediaType):
		return content.Errorf(content.ErrInvalid, "%q is no media type of a layer", c.MediaType)
	}
	return nil
}

func layerAddFlags() []Flag {
	return []Flag{{Name: "layer-add", Usage: "put a layer on top, as `SPEC` says: tar=FILE (- is standard input) or dir=DIR, with dest=/PATH, owner=UID:GID, mode=M, platform=P, media-type=T; or digest=D,diff-id=D,media-type=T of one in the layout",
		Parse: selected(func(value string, _ FlagEnv) (Change, error) {
			return ParseLayerAdd(value)
		})}}
}
