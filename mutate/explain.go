package mutate

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// A LayerReason is one way in which two layers differ, with an example.
type LayerReason struct {
	// Reason is one of: "compression" (of another format), "gzip header", "compressor"
	// (another program or level made other bytes of the same tar), "added", "removed"
	// (members of the tar), "order", "name" (another spelling of the same path), "type",
	// "mode", "owner", "owner name", "time", "content", "target", "device", "xattrs",
	// "pax" (other PAX records), "format" (ustar, PAX, GNU), "encoding" (the same
	// members, written otherwise: padding, empty blocks at the end).
	Reason string `json:"reason"`
	// Count is how many members it holds for; 0 for what is about the layer.
	Count int `json:"count,omitempty"`
	// Example is the first such member, From and To what it has.
	Example string `json:"example,omitempty"`
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
}

// explainLayer says why two layers that stand for each other have other digests. Both
// are read to the end, and so proven.
func (c *comparer) explainLayer(ctx context.Context, a, b *comparedManifest, p pairing) ([]LayerReason, error) {
	from, to := a.layerAt(p.from), b.layerAt(p.to)
	if !content.IsLayer(from.MediaType) || !content.IsLayer(to.MediaType) {
		return nil, nil
	}
	room := tarRoom{left: c.o.Limits.Tree, limit: c.o.Limits.Tree}
	var members [2][]tarMember
	for i, side := range []struct {
		store content.Fetcher
		layer imagefs.Layer
	}{{a.store, from}, {b.store, to}} {
		var err error
		members[i], err = readTarMembers(ctx, side.store, side.layer, c.o.Limits, &room)
		if unreadable(err, a, b) != "" {
			return nil, nil // there is nothing to say of what can't be read
		}
		if err != nil {
			return nil, content.AtDigest(side.layer.Digest, err)
		}
	}
	sameTar := from.DiffID == to.DiffID && from.DiffID != ""
	reasons, err := explainCompression(ctx, a.store, from.Descriptor, b.store, to.Descriptor, sameTar)
	if err != nil || sameTar {
		return reasons, err
	}
	return append(reasons, explainMembers(members[0], members[1])...), nil
}

// layerAt is a layer with its diffID if the config has as many of them as there are
// layers.
func (m *comparedManifest) layerAt(i int) imagefs.Layer {
	l := imagefs.Layer{Descriptor: m.m.Layers[i]}
	if len(m.facts.DiffIDs) == len(m.m.Layers) {
		l.DiffID = m.facts.DiffIDs[i]
	}
	return l
}

// A tarMember is a member of a layer as its tar has it.
type tarMember struct {
	name, clean string
	kind        byte
	mode        int64
	owner       [2]int
	names       [2]string
	mtime       time.Time
	size        int64
	sum         [sha256.Size]byte
	target      string
	device      [2]int64
	xattrs, pax string
	format      tar.Format
}

// tarRoom is what lists of members may still take in memory.
type tarRoom struct{ left, limit int64 }

func (r *tarRoom) take(m tarMember) error {
	if r.left -= int64(400 + 2*len(m.name) + len(m.target) + len(m.xattrs) + len(m.pax)); r.left < 0 {
		return content.Errorf(content.ErrRefused, "the lists of two layers' members take more than the limit of %d bytes", r.limit)
	}
	return nil
}

// readTarMembers reads a layer to its end.
func readTarMembers(ctx context.Context, f content.Fetcher, l imagefs.Layer, limits content.Limits, room *tarRoom) ([]tarMember, error) {
	rc, err := imagefs.OpenLayer(ctx, f, l, limits)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rc.Close() }() // the verdict came with the last Read
	stream := content.Track(ctx, rc, "explain", content.Short(l.Digest), -1)
	r := tarx.NewReader(stream, tarx.Limits{MaxMembers: limits.Members, RawNames: true})
	var members []tarMember
	for {
		h, err := r.Next()
		if err == io.EOF {
			_, err = io.Copy(io.Discard, stream)
			return members, err
		}
		if err != nil {
			return nil, err
		}
		m := tarMemberOf(h)
		if err := room.take(m); err != nil {
			return nil, err
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, r); err != nil {
			return nil, err
		}
		m.sum = [sha256.Size]byte(sum.Sum(nil))
		members = append(members, m)
	}
}

// ownPAX are the records that only say what has a field of its own.
var ownPAX = []string{"path", "linkpath", "size", "uid", "gid", "uname", "gname", "mtime"}

func tarMemberOf(h *tar.Header) tarMember {
	m := tarMember{
		name: h.Name, clean: path.Clean("/" + h.Name), kind: h.Typeflag, mode: h.Mode, owner: [2]int{h.Uid, h.Gid}, names: [2]string{h.Uname, h.Gname},
		mtime: h.ModTime, size: h.Size, target: h.Linkname, device: [2]int64{h.Devmajor, h.Devminor}, format: h.Format,
	}
	var xattrs, pax strings.Builder
	for _, key := range slices.Sorted(maps.Keys(h.PAXRecords)) {
		switch {
		case strings.HasPrefix(key, "SCHILY.xattr."):
			fmt.Fprintf(&xattrs, "%s=%q ", strings.TrimPrefix(key, "SCHILY.xattr."), h.PAXRecords[key])
		case !slices.Contains(ownPAX, key):
			fmt.Fprintf(&pax, "%s=%q ", key, h.PAXRecords[key])
		}
	}
	m.xattrs, m.pax = xattrs.String(), pax.String()
	return m
}

// tarFacts are what two members are compared by, in the order in which they are told.
var tarFacts = []struct {
	reason string
	text   func(tarMember) string
}{
	{"name", func(m tarMember) string { return m.name }},
	{"type", func(m tarMember) string { return string(m.kind) }},
	{"mode", func(m tarMember) string { return fmt.Sprintf("%04o", m.mode) }},
	{"owner", func(m tarMember) string { return fmt.Sprintf("%d:%d", m.owner[0], m.owner[1]) }},
	{"owner name", func(m tarMember) string { return m.names[0] + ":" + m.names[1] }},
	{"time", func(m tarMember) string { return m.mtime.UTC().Format(time.RFC3339Nano) }},
	{"content", func(m tarMember) string { return fmt.Sprintf("%d bytes, sha256:%x", m.size, m.sum[:6]) }},
	{"target", func(m tarMember) string { return m.target }},
	{"device", func(m tarMember) string { return fmt.Sprintf("%d,%d", m.device[0], m.device[1]) }},
	{"xattrs", func(m tarMember) string { return strings.TrimSpace(m.xattrs) }},
	{"pax", func(m tarMember) string { return strings.TrimSpace(m.pax) }},
	{"format", func(m tarMember) string { return m.format.String() }},
}

// reasonList gathers reasons, each once.
type reasonList struct {
	list []LayerReason
	at   map[string]int
}

// tell counts one more member that a reason holds for.
func (r *reasonList) tell(reason, example, from, to string) {
	i, ok := r.at[reason]
	if !ok {
		i = len(r.list)
		r.at[reason] = i
		r.list = append(r.list, LayerReason{Reason: reason, Example: example, From: from, To: to})
	}
	r.list[i].Count++
}

// explainMembers compares the members of two tars. A path that comes more than once is
// matched by its place among its like.
func explainMembers(from, to []tarMember) []LayerReason {
	r := reasonList{at: map[string]int{}}
	places := map[string][]int{} // of the second's members, by path
	for i, m := range to {
		places[m.clean] = append(places[m.clean], i)
	}
	latest := -1
	taken := make([]bool, len(to))
	var matched [][2]int
	for i, m := range from {
		left := places[m.clean]
		if len(left) == 0 {
			r.tell("removed", m.name, "", "")
			continue
		}
		places[m.clean], taken[left[0]] = left[1:], true
		matched = append(matched, [2]int{i, left[0]})
	}
	for i, m := range to {
		if !taken[i] {
			r.tell("added", m.name, "", "")
		}
	}
	for _, pair := range matched {
		if pair[1] < latest {
			r.tell("order", from[pair[0]].name, "", "")
		}
		latest = max(latest, pair[1])
	}
	for _, fact := range tarFacts {
		for _, pair := range matched {
			a, b := from[pair[0]], to[pair[1]]
			if x, y := fact.text(a), fact.text(b); x != y {
				r.tell(fact.reason, a.name, x, y)
			}
		}
	}
	if len(r.list) == 0 {
		r.list = append(r.list, LayerReason{Reason: "encoding"})
	}
	return r.list
}
