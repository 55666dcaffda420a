package imagefs

import (
	"archive/tar"
	"io/fs"
	"maps"
	"strings"
	"time"
)

// A File is one path of the merged filesystem.
type File struct {
	// Path is relative and clean; "." is the root.
	Path string
	// Link is the path of an earlier file that this one is a hard link to, or "".
	Link string
	// Body is the number of the file's bytes in [Tree.Bodies]; -1 where there are
	// none: all that is not a regular file, empty files and hard links.
	Body int

	inode *inode
}

// Size is the number of bytes that the file has of its own.
func (f File) Size() int64 {
	if f.Body < 0 {
		return 0
	}
	return f.inode.size
}

// Length is how many bytes are read from the file, which a hard link has too; 0 of
// what is no regular file.
func (f File) Length() int64 { return f.inode.size }

// Type is "file", "dir", "symlink", "char", "block" or "fifo"; in the list of a
// single layer "hardlink" too.
func (f File) Type() string {
	switch f.inode.kind {
	case tar.TypeDir:
		return "dir"
	case tar.TypeSymlink:
		return "symlink"
	case tar.TypeChar:
		return "char"
	case tar.TypeBlock:
		return "block"
	case tar.TypeFifo:
		return "fifo"
	case tar.TypeLink:
		return "hardlink"
	}
	return "file"
}

// Mode is the file's type and permissions, as io/fs has them.
func (f File) Mode() fs.FileMode { return f.inode.fileMode() }

func (n *inode) fileMode() fs.FileMode {
	h := tar.Header{Typeflag: n.kind, Mode: int64(n.mode)}
	return h.FileInfo().Mode()
}

// Permissions are the twelve bits that chmod takes.
func (f File) Permissions() uint32 { return f.inode.mode }

// Owner gives the numbers of user and group; names are not known.
func (f File) Owner() (uid, gid int) { return f.inode.uid, f.inode.gid }

// ModTime is when the file was changed last. A directory that no layer lists has
// the time 0 of Unix.
func (f File) ModTime() time.Time { return f.inode.mtime }

// Target is where a symbolic link leads to, and a hard link in the list of a
// single layer; "" for other types.
func (f File) Target() string { return f.inode.linkname }

// Device gives the numbers of a device.
func (f File) Device() (major, minor int64) { return f.inode.major, f.inode.minor }

// Layer is the number of the layer that the file's bytes and attributes come from,
// 0 for the lowest. A directory is where it was listed last.
func (f File) Layer() int { return int(f.inode.layer) }

// Member is the place of the file's header in the tar of its layer, 0 for the first;
// -1 of a directory that no layer lists. Two files with equal Member, of layers with
// equal digests, are the same in everything but their paths.
func (f File) Member() int { return int(f.inode.member) }

// Listed is false for a directory that no layer lists and files lie in.
func (f File) Listed() bool { return f.inode.member >= 0 }

// Xattrs are the extended attributes.
func (f File) Xattrs() map[string][]byte {
	const prefix = "SCHILY.xattr."
	var attrs map[string][]byte
	for key, value := range f.inode.pax {
		if name, ok := strings.CutPrefix(key, prefix); ok {
			if attrs == nil {
				attrs = map[string][]byte{}
			}
			attrs[name] = []byte(value)
		}
	}
	return attrs
}

// Header is the file as a tar member. Extended attributes are among its PAX
// records; user and group have their numbers only.
func (f File) Header() *tar.Header {
	i := f.inode
	h := &tar.Header{
		Typeflag: i.kind, Name: f.Path, Mode: int64(i.mode), Uid: i.uid, Gid: i.gid, ModTime: i.mtime,
		Size: f.Size(), Linkname: i.linkname, Devmajor: i.major, Devminor: i.minor, PAXRecords: maps.Clone(i.pax),
	}
	switch {
	case f.Link != "":
		h.Typeflag, h.Linkname, h.PAXRecords = tar.TypeLink, f.Link, nil
	case i.isDir():
		h.Name += "/"
	}
	return h
}
