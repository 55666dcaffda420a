package rootfs

import (
	"strconv"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// An IDMap says that Size users or groups, from Container on in the image, are
// those from Host on in the directory. Its JSON is that of the OCI runtime-spec.
type IDMap struct {
	Container uint32 `json:"containerID"`
	Host      uint32 `json:"hostID"`
	Size      uint32 `json:"size"`
}

// ParseIDMap reads CONTAINER:HOST[:SIZE], where SIZE is 1 if it is left out.
// Anything else, and a range that goes beyond the largest number, is ErrInvalid.
func ParseIDMap(text string) (IDMap, error) {
	m := IDMap{Size: 1}
	fields := strings.Split(text, ":")
	if len(fields) != 2 && len(fields) != 3 {
		return m, content.Errorf(content.ErrInvalid, "%q is no mapping: want CONTAINER:HOST[:SIZE]", text)
	}
	for i, to := range []*uint32{&m.Container, &m.Host, &m.Size}[:len(fields)] {
		n, err := strconv.ParseUint(fields[i], 10, 32)
		if err != nil {
			return m, content.Errorf(content.ErrInvalid, "%q is no mapping: %q is no number of a user or group", text, fields[i])
		}
		*to = uint32(n)
	}
	if m.Size == 0 || max(m.Container, m.Host) > maxID-m.Size+1 {
		return m, content.Errorf(content.ErrInvalid, "%q is no mapping: there are no such numbers", text)
	}
	return m, nil
}

// maxID is the largest number of a user or group; the one above means none.
const maxID = 1<<32 - 2

// UnpackOptions say how an image is unpacked. The zero value needs root, and gives
// every file the owner that the image says.
type UnpackOptions struct {
	// Rootless makes all files belong to the caller. Other owners are kept in the
	// extended attribute user.rootlesscontainers of regular files and directories,
	// where Repack finds them; devices become empty files.
	Rootless bool
	// UIDMap and GIDMap map users and groups; none is no mapping. With Rootless none
	// maps 0 to the caller, which is said in a bundle's config.json and otherwise
	// of no effect. An owner outside of the maps is ErrInvalid.
	UIDMap, GIDMap []IDMap
	// KeepDirlinks puts what a layer has in a directory behind a symbolic link to a
	// directory that a lower layer has in its place, and keeps the link.
	KeepDirlinks bool
	// Bundle makes the directory a bundle.
	Bundle bool
	// NoSync does not wait until the state beside the directory is on the disk. The
	// files themselves are never waited for.
	NoSync bool
	// Limits bound what is read; zero fields are defaults.
	Limits content.Limits
	// Warn is told what could not be kept, such as an extended attribute that the
	// filesystem does not take. nil drops it.
	Warn func(error)
}

// Unpacked says what [Unpack] wrote. Its JSON is what `unpack` prints; the fields
// are stable.
type Unpacked struct {
	Digest content.Digest `json:"digest"` // of the image
	Path   string         `json:"path"`   // of the files: the directory, or rootfs in a bundle
	Layers int            `json:"layers"`
	Files  int            `json:"files"` // of every type, the root too
	Bytes  int64          `json:"bytes"` // in regular files, those with several links once
}

// RepackOptions say how changes become a layer. The zero value takes all but what
// lies in volumes.
type RepackOptions struct {
	// Masks are paths in the image; changes to them and below them are left out.
	Masks []string
	// NoMaskVolumes takes changes in the volumes of the image's config too.
	NoMaskVolumes bool
	// History is the created_by of the layer's entry in the history; "" is
	// "ocilayout repack", where the image has a history.
	History string
	// Created is when the layer was made; zero is now.
	Created time.Time
	// MaxTime, unless zero, is the latest time that a file in the layer has.
	MaxTime time.Time
	// Policy says what becomes of a name that other content has.
	Policy layout.Policy
	// Warn is told what can't be in a layer, such as a socket. nil drops it.
	Warn func(error)
}

// Repacked says what [Repack] did. Its JSON is what `repack` prints; the fields
// are stable.
type Repacked struct {
	layout.Change
	Base    content.Digest `json:"base"`            // the image that was unpacked
	Layer   content.Digest `json:"layer,omitempty"` // the new one; none if nothing changed
	Size    int64          `json:"size"`            // of it
	Written int            `json:"written"`         // files, directories and links in it
	Removed int            `json:"removed"`         // whiteouts in it
}
