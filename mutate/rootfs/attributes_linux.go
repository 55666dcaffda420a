package rootfs

import (
	"archive/tar"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/content"
)

// owners says whom files belong to here and in the image.
type owners struct {
	rootless   bool
	uids, gids []IDMap
}

func ownersOf(o UnpackOptions) owners {
	w := owners{rootless: o.Rootless, uids: o.UIDMap, gids: o.GIDMap}
	if w.rootless && w.uids == nil {
		w.uids = []IDMap{{Host: uint32(os.Geteuid()), Size: 1}}
	}
	if w.rootless && w.gids == nil {
		w.gids = []IDMap{{Host: uint32(os.Getegid()), Size: 1}}
	}
	return w
}

func toHost(id int, maps []IDMap) (int, error) {
	if id < 0 || id > maxID {
		return 0, content.Errorf(content.ErrCorrupt, "there is no user or group %d", id)
	}
	if maps == nil {
		return id, nil
	}
	for _, m := range maps {
		if n := uint32(id); n >= m.Container && n-m.Container < m.Size {
			return int(m.Host + (n - m.Container)), nil
		}
	}
	return 0, content.Errorf(content.ErrInvalid, "no mapping has the image's user or group %d", id)
}

func toContainer(id uint32, maps []IDMap) (int, error) {
	if maps == nil {
		return int(id), nil
	}
	for _, m := range maps {
		if id >= m.Host && id-m.Host < m.Size {
			return int(m.Container + (id - m.Host)), nil
		}
	}
	return 0, content.Errorf(content.ErrInvalid, "no mapping leads to user or group %d", id)
}

// host maps an owner; ok is false where nothing is to be done.
func (o owners) host(uid, gid int) (hostUID, hostGID int, ok bool, err error) {
	if hostUID, err = toHost(uid, pick(!o.rootless, o.uids)); err != nil {
		return 0, 0, false, err
	}
	hostGID, err = toHost(gid, pick(!o.rootless, o.gids))
	return hostUID, hostGID, !o.rootless, err
}

func pick(use bool, maps []IDMap) []IDMap {
	if use {
		return maps
	}
	return nil
}

// chown gives an open file to an owner in the image.
func (o owners) chown(fd, uid, gid int) error {
	uid, gid, ok, err := o.host(uid, gid)
	if err != nil || !ok {
		return err
	}
	return noRoot(unix.Fchown(fd, uid, gid))
}

// chownAt is chown of a file by its name, and of a link itself.
func (o owners) chownAt(fd int, base string, uid, gid int) error {
	uid, gid, ok, err := o.host(uid, gid)
	if err != nil || !ok {
		return err
	}
	return noRoot(unix.Fchownat(fd, base, uid, gid, unix.AT_SYMLINK_NOFOLLOW))
}

func noRoot(err error) error {
	if err == unix.EPERM {
		return content.Errorf(content.ErrUnsupported, "giving files to their owners needs root, or --rootless: %w", err)
	}
	return err
}

// ownerXattr holds who owns a file in the image where files all belong to the
// caller: a protobuf message of two uint32 (rootlesscontainers.Resource).
const ownerXattr = "user.rootlesscontainers"

// encodeOwner writes the value of ownerXattr; a number of 0 is written as none.
func encodeOwner(uid, gid int) []byte {
	var b []byte
	for field, id := range []int{uid, gid} {
		if id == 0 {
			id = 1<<32 - 1
		}
		b = append(b, byte(field+1)<<3)
		b = binary.AppendUvarint(b, uint64(id))
	}
	return b
}

// decodeOwner reads the value of ownerXattr.
func decodeOwner(b []byte) (uid, gid int, err error) {
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		id, m := binary.Uvarint(b[max(n, 0):])
		if n <= 0 || m <= 0 || key != 1<<3 && key != 2<<3 || id > 1<<32-1 {
			return 0, 0, content.Errorf(content.ErrCorrupt, "extended attribute %s holds no owner", ownerXattr)
		}
		if id == 1<<32-1 {
			id = 0
		}
		if key == 1<<3 {
			uid = int(id)
		} else {
			gid = int(id)
		}
		b = b[n+m:]
	}
	return uid, gid, nil
}

// An xattrFile is a file whose extended attributes are read and written.
type xattrFile struct {
	fd   int
	path string // if set, in place of fd; a link at its end is not followed
}

func openFile(fd int) xattrFile { return xattrFile{fd: fd} }

// namedFile is the file at a name in a directory; the kernel knows no call for that
// but by way of /proc.
func namedFile(dir int, base string) xattrFile {
	return xattrFile{path: fmt.Sprintf("/proc/self/fd/%d/%s", dir, base)}
}

// list names the extended attributes that count: not those that belong to the
// machine, as SELinux's labels do. A filesystem without any gives none.
func (f xattrFile) list() ([]string, error) {
	buf := make([]byte, 256)
	for {
		var n int
		var err error
		if f.path != "" {
			n, err = unix.Llistxattr(f.path, buf)
		} else {
			n, err = unix.Flistxattr(f.fd, buf)
		}
		switch {
		case err == unix.ENOTSUP:
			return nil, nil
		case err == unix.ERANGE:
			buf = make([]byte, 64<<10) // more there can't be
			continue
		case err != nil:
			return nil, err
		case n == 0:
			return nil, nil
		}
		names := strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00")
		names = slices.DeleteFunc(names, isOfMachine)
		slices.Sort(names)
		return names, nil
	}
}

func isOfMachine(name string) bool { return name == "security.selinux" || name == "system.nfs4_acl" }

func (f xattrFile) get(name string) ([]byte, error) {
	buf := make([]byte, 256)
	for {
		var n int
		var err error
		if f.path != "" {
			n, err = unix.Lgetxattr(f.path, name, buf)
		} else {
			n, err = unix.Fgetxattr(f.fd, name, buf)
		}
		if err == unix.ERANGE && len(buf) < 64<<10 {
			buf = make([]byte, 64<<10) // more there can't be
			continue
		}
		return buf[:max(n, 0)], err
	}
}

func (f xattrFile) set(name string, value []byte) error {
	if f.path != "" {
		return unix.Lsetxattr(f.path, name, value, 0)
	}
	return unix.Fsetxattr(f.fd, name, value, 0)
}

func (f xattrFile) remove(name string) error {
	if f.path != "" {
		return unix.Lremovexattr(f.path, name)
	}
	return unix.Fremovexattr(f.fd, name)
}

// paxXattr is in front of the names of extended attributes in a tar.
const paxXattr = "SCHILY.xattr."

// setXattrs gives a file the extended attributes of its member and no others. What
// the filesystem or a caller without root can't have is left out with a warning.
func (e *extractor) setXattrs(f xattrFile, h *tar.Header) error {
	want := map[string]string{}
	for key, value := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, paxXattr); ok && !isOfMachine(name) {
			want[name] = value
		}
	}
	if e.rootless {
		delete(want, ownerXattr)
		if h.Uid != 0 || h.Gid != 0 {
			want[ownerXattr] = string(encodeOwner(h.Uid, h.Gid))
		}
	}
	if f.path != "" && len(want) == 0 {
		return nil // such a file is new, and inherits none
	}
	old, err := f.list()
	if err != nil {
		return err
	}
	for _, name := range old {
		if _, ok := want[name]; !ok {
			if err := f.remove(name); err != nil && !errors.Is(err, unix.ENODATA) && !(e.rootless && errors.Is(err, unix.EPERM)) {
				return content.At("extended attribute "+name, err)
			}
		}
	}
	for name, value := range want {
		err := f.set(name, []byte(value))
		switch {
		case err == unix.ENOTSUP, err == unix.EPERM:
			e.warn.add(fmt.Sprintf("extended attribute %q can't be set here: %v", name, err))
		case err != nil:
			return content.At("extended attribute "+name, err)
		}
	}
	return nil
}

const maxWarnings = 20

// warnings counts what could not be kept, to say each thing once.
type warnings struct {
	texts []string
	count map[string]int
}

func (w *warnings) add(text string) {
	if w.count == nil {
		w.count = map[string]int{}
	}
	if w.count[text] == 0 {
		if len(w.texts) == maxWarnings {
			return // a layer can make up any number of them
		}
		w.texts = append(w.texts, text)
	}
	w.count[text]++
}

// tell passes the warnings on.
func (w *warnings) tell(to func(error)) {
	if to == nil {
		return
	}
	for _, text := range w.texts {
		to(fmt.Errorf("%s (%d files)", text, w.count[text]))
	}
}
