package catalog

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/ocilayout/ocilayout/content"
)

// A table is one kind of facts. Long and short are the forms of a digest.
type table byte

const (
	manifests table = iota // long -> record
	subjects               // short of subject, long of referrer
	parents                // short of child, long of index
	attested               // short of image, long of attestation, long of index: BuildKit's
	roots                  // long, Form, About -> media type, size
	claims                 // Form, hash of About, long -> About
	holes                  // node: what is led to and could not be read
	tableCount
)

var tableNames = [tableCount][]byte{[]byte("m"), []byte("s"), []byte("p"), []byte("a"), []byte("r"), []byte("c"), []byte("h")}

// ErrDamaged says that the file holds what this package does not write.
var ErrDamaged = errors.New("the catalog is damaged")

// tables is where facts are kept. Keys and values are good until the next call.
type tables interface {
	get(t table, key []byte) ([]byte, error)
	// scan calls fn with each row whose key begins with prefix, in order if the
	// tables have one.
	scan(t table, prefix []byte, fn func(key, value []byte) error) error
}

// Form says in what way an entry of index.json leads to a manifest.
type Form byte

// The forms, with what About is in each.
const (
	Plain     Form = iota // ""
	Fallback              // the tag: the manifest is the list of referrers under it
	Annotated             // the digest that the entry says it belongs to
	Listed                // the digest whose referrers the manifest lists
	Cosign                // the tag, without cosign's suffix
	Named                 // the entry's name
)

// A Root is one way in which index.json leads to a manifest.
type Root struct {
	Ref
	Form  Form
	About string
}

func (r Root) key() []byte {
	return append(append(appendDigest(nil, r.Digest), byte(r.Form)), r.About...)
}

func (r Root) value() []byte {
	return binary.AppendUvarint([]byte{typeNumber(r.MediaType)}, uint64(r.Size))
}

// node is the manifest to read for r.
func (r Root) node() node {
	return node{Ref: r.Ref, list: r.Form == Fallback || r.Form == Listed}
}

// readRoot reads a row of roots.
func readRoot(key, value []byte) (Root, error) {
	d, rest, err := cutDigest(key)
	if err != nil || len(rest) == 0 || len(value) < 2 {
		return Root{}, ErrDamaged
	}
	dec := decoder{b: value}
	mediaType, err := typeOf(dec.byte())
	r := Root{Ref: Ref{Digest: d, MediaType: mediaType, Size: dec.size()}, Form: Form(rest[0]), About: string(rest[1:])}
	if dec.bad || err != nil {
		return Root{}, ErrDamaged
	}
	return r, nil
}

// claimPrefix is how the rows of claims about one thing begin; it is as long as a
// short digest.
func claimPrefix(form Form, about string) []byte {
	sum := sha256.Sum256([]byte(about))
	return append([]byte{byte(form)}, sum[:shortSize-1]...)
}

func (r Root) claimKey() []byte { return appendDigest(claimPrefix(r.Form, r.About), r.Digest) }

// A node is a manifest to read. A list may be larger than other manifests.
type node struct {
	Ref
	list bool
}

func (n node) key() []byte {
	b := append(appendDigest(nil, n.Digest), typeNumber(n.MediaType), 0)
	if n.list {
		b[len(b)-1] = 1
	}
	return binary.AppendUvarint(b, uint64(n.Size))
}

func readNode(key []byte) (node, error) {
	d, rest, err := cutDigest(key)
	if err != nil || len(rest) < 3 {
		return node{}, ErrDamaged
	}
	dec := decoder{b: rest[2:]}
	mediaType, err := typeOf(rest[0])
	n := node{Ref: Ref{Digest: d, MediaType: mediaType, Size: dec.size()}, list: rest[1] == 1}
	if dec.bad || err != nil {
		return node{}, ErrDamaged
	}
	return n, nil
}

// rows calls emit with every row that a manifest gives.
func (r record) rows(long, encoded []byte, emit func(t table, key, value []byte) error) error {
	if err := emit(manifests, long, encoded); err != nil {
		return err
	}
	if r.subject != "" {
		if err := emit(subjects, append([]byte(r.subject), long...), nil); err != nil {
			return err
		}
	}
	for _, c := range r.children {
		if c.MediaType == "" {
			continue
		}
		child := appendDigest(nil, c.Digest)
		if err := emit(parents, append([]byte(shorten(child)), long...), nil); err != nil {
			return err
		}
		if c.about == "" {
			continue
		}
		if err := emit(attested, append(append([]byte(c.about), child...), long...), nil); err != nil {
			return err
		}
	}
	return nil
}

// Facts answers questions from what has been read. It is not safe for concurrent use.
type Facts struct{ t tables }

// Manifest says how the layout points at a manifest that was read; ok is false for
// one that was not, since it is absent, broken or not led to.
func (f Facts) Manifest(d content.Digest) (ref Ref, ok bool, err error) {
	b, err := f.t.get(manifests, appendDigest(nil, d))
	if err != nil || b == nil {
		return Ref{}, false, err
	}
	dec := decoder{b: b}
	mediaType, err := typeOf(dec.byte())
	ref = Ref{Digest: d, MediaType: mediaType, Size: dec.size()}
	if err != nil || dec.bad {
		return Ref{}, false, ErrDamaged
	}
	return ref, true, nil
}

// tails lists the manifests whose digests end the keys that begin with prefix.
func (f Facts) tails(t table, prefix []byte) ([]Ref, error) {
	var digests []content.Digest
	err := f.t.scan(t, prefix, func(key, _ []byte) error {
		d, _, err := cutDigest(key[len(prefix):])
		digests = append(digests, d)
		return err
	})
	if err != nil {
		return nil, err
	}
	refs := make([]Ref, 0, len(digests))
	for _, d := range digests {
		ref, ok, err := f.Manifest(d)
		if err != nil {
			return nil, err
		}
		if !ok {
			ref = Ref{Digest: d}
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// Referrers lists the manifests whose own subject is d.
func (f Facts) Referrers(d content.Digest) ([]Ref, error) { return f.tails(subjects, []byte(short(d))) }

// Parents lists the indexes that list d.
func (f Facts) Parents(d content.Digest) ([]Ref, error) { return f.tails(parents, []byte(short(d))) }

// Claims lists what entries of index.json say about something. What could not be
// read has a Digest alone.
func (f Facts) Claims(form Form, about string) ([]Ref, error) {
	return f.tails(claims, claimPrefix(form, about))
}

// Children lists what an index lists; none if it is not one that was read.
func (f Facts) Children(d content.Digest) ([]Child, error) {
	b, err := f.t.get(manifests, appendDigest(nil, d))
	if err != nil || b == nil {
		return nil, err
	}
	r, err := decodeRecord(b)
	return r.children, err
}

// An Attestation is a child of an index that BuildKit made for another child.
type Attestation struct {
	Ref
	Index Ref
}

// Attestations lists what BuildKit made for d.
func (f Facts) Attestations(d content.Digest) ([]Attestation, error) {
	prefix := []byte(short(d))
	var found []Attestation
	err := f.t.scan(attested, prefix, func(key, _ []byte) error {
		var a Attestation
		rest := key[len(prefix):]
		var err error
		if a.Digest, rest, err = cutDigest(rest); err == nil {
			a.Index.Digest, _, err = cutDigest(rest)
		}
		found = append(found, a)
		return err
	})
	if err != nil {
		return nil, err
	}
	kept := found[:0]
	for _, a := range found {
		var ok [2]bool
		if a.Ref, ok[0], err = f.Manifest(a.Digest); err != nil {
			return nil, err
		}
		if a.Index, ok[1], err = f.Manifest(a.Index.Digest); err != nil {
			return nil, err
		}
		if ok[0] && ok[1] {
			kept = append(kept, a)
		}
	}
	return kept, nil
}

// Users lists the manifests that have d as config, layer or blob. It goes through
// all manifests.
func (f Facts) Users(d content.Digest) ([]Ref, error) {
	want := short(d)
	var found []Ref
	err := f.t.scan(manifests, nil, func(key, value []byte) error {
		r, err := decodeRecord(value)
		if err != nil {
			return err
		}
		for _, e := range r.edges {
			if e == want {
				user, _, err := cutDigest(key)
				if err != nil {
					return err
				}
				mediaType, err := typeOf(r.mediaType)
				found = append(found, Ref{Digest: user, MediaType: mediaType, Size: r.size})
				return err
			}
		}
		return nil
	})
	return found, err
}
