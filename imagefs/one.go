package imagefs

import (
	"context"
	"path"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// A Member is what one layer says about a path.
type Member struct {
	// File is as the layer has it: its Path is the member's clean name, that of the
	// mark itself for a whiteout. A hard link has the type "hardlink" and a Target.
	File
	// Hides is the path that a whiteout hides in lower layers, or the directory
	// whose content an opaque one hides; "" for files.
	Hides  string
	Opaque bool
}

// Type is as File's, or "whiteout" or "opaque".
func (m Member) Type() string {
	switch {
	case m.Opaque:
		return "opaque"
	case m.Hides != "":
		return "whiteout"
	}
	return m.File.Type()
}

// Scan lists the members of a single layer in the order of its tar, with its
// whiteouts; a path may come twice. Errors are those of [Build].
func Scan(ctx context.Context, f content.Fetcher, l Layer, limits content.Limits) ([]Member, error) {
	limits = limits.WithDefaults()
	list, _, err := scan(ctx, f, l, limits, newRoom(limits), nil)
	if err != nil {
		return nil, content.AtDigest(l.Digest, err)
	}
	members := make([]Member, len(list))
	for i := range list {
		m := &list[i]
		members[i].File = File{Path: path.Clean(m.name), Body: -1, inode: &m.inode}
		members[i].Hides, members[i].Opaque, _ = tarx.Whiteout(m.name)
	}
	return members, nil
}

// SelectMembers keeps the members that a person means by name: all of them for "";
// one path and what is below it; or what fits a pattern of [Match]. A whiteout
// counts under what it hides. No link is followed. None is ErrNotFound.
func SelectMembers(members []Member, name string) ([]Member, error) {
	clean := strings.TrimPrefix(path.Clean("/"+name), "/")
	if clean == "" {
		return members, nil
	}
	kept, err := keepMembers(members, func(p string) (bool, error) {
		return p == clean || strings.HasPrefix(p, clean+"/"), nil
	})
	if len(kept) == 0 && isPattern(name) {
		kept, err = keepMembers(members, func(p string) (bool, error) { return Match(name, p) })
	}
	if err == nil && len(kept) == 0 {
		err = content.At(name, content.Errorf(content.ErrNotFound, "no such file in the layer"))
	}
	return kept, err
}

func keepMembers(members []Member, keep func(path string) (bool, error)) ([]Member, error) {
	var kept []Member
	for _, m := range members {
		ok, err := keep(m.Path)
		if err == nil && !ok && m.Hides != "" {
			ok, err = keep(m.Hides)
		}
		if err != nil {
			return nil, err
		}
		if ok {
			kept = append(kept, m)
		}
	}
	return kept, nil
}
