package ingest

import (
	"context"
	"encoding/json"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// Attestations says what becomes of the attestations that BuildKit puts into an
// index beside the images.
type Attestations uint8

// What may become of them.
const (
	// KeepAttestations leaves them where they are.
	KeepAttestations Attestations = iota
	// LiftAttestations makes referrers of them too, once the images have their
	// names: see artifact.Lift. The index keeps its digest, and so has them still.
	LiftAttestations
	// DropAttestations leaves them out. The index without them is another one, which
	// what refers to the old one does not follow.
	DropAttestations
)

var attestations = [...]string{"keep", "referrers", "drop"}

// ParseAttestations reads keep, referrers or drop. Another word is ErrInvalid.
func ParseAttestations(s string) (Attestations, error) {
	for i, word := range attestations {
		if s == word {
			return Attestations(i), nil
		}
	}
	return 0, content.Errorf(content.ErrInvalid, "%q is nothing to do with attestations: want keep, referrers or drop", s)
}

// String gives the word that ParseAttestations reads.
func (a Attestations) String() string {
	if int(a) < len(attestations) {
		return attestations[a]
	}
	return "unknown"
}

// lift makes referrers of the attestations of what one archive brought.
func (im *importer) lift(ctx context.Context, dst *layout.Layout, result *Result) error {
	done := map[content.Digest]bool{}
	for _, r := range im.roots {
		d := r.entry().Descriptor
		if r.gone || r.listed != nil || !content.IsIndex(d.MediaType) || done[d.Digest] {
			continue
		}
		done[d.Digest] = true
		report, err := artifact.Lift(ctx, dst, d, artifact.LiftOptions{Origin: layout.OriginBuildKit})
		if err != nil {
			return content.At(im.source, err)
		}
		result.Lifted += len(report.Lifted)
		for _, kept := range report.Skipped {
			im.warn(content.AtDigest(kept.From, content.Errorf(content.ErrUnsupported, "is not made a referrer: %s", kept.Reason)))
		}
	}
	return nil
}

// dropAttestations changes the picked entries of indexes into ones of the same
// indexes without attestations. What refers to an old one is picked no more.
func (im *importer) dropAttestations(ctx context.Context, list *entries, picked []bool) error {
	old := map[content.Digest]int{}
	for i, e := range list.all() {
		if !picked[i] || !content.IsIndex(e.MediaType) || e.Kind() == layout.KindFallback {
			continue
		}
		raw, n, err := im.without(ctx, e.Descriptor, 0)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		im.dropped += n
		old[e.Digest] = 0
		d := e.Descriptor
		d.Digest, d.Size = im.make(raw).stored, int64(len(raw))
		list.set(i, e.WithContent(d))
	}
	if len(old) == 0 {
		return nil
	}
	for i, e := range list.all() {
		subject := im.subjectOf(ctx, e)
		if _, replaced := old[subject]; replaced && picked[i] {
			picked[i] = false
			old[subject]++
		}
	}
	for d, n := range old {
		if n > 0 {
			im.warn(content.AtDigest(d, content.Errorf(content.ErrUnsupported, "%d referrers are left out: they belong to the index with its attestations", n)))
		}
	}
	return nil
}

// without gives the bytes of an index without the attestations in it and in indexes
// inside of it, and how many those are.
func (im *importer) without(ctx context.Context, d content.Descriptor, depth int) ([]byte, int, error) {
	if depth > im.o.Limits.Depth {
		return nil, 0, content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "indexes nest deeper than %d", im.o.Limits.Depth))
	}
	m, data, err := content.FetchManifest(ctx, im, d, im.o.Limits)
	if err != nil {
		return nil, 0, err
	}
	o, err := rawjson.Parse(data)
	if err != nil {
		return nil, 0, content.AtDigest(d.Digest, content.Errorf(content.ErrCorrupt, "not an index: %w", err))
	}
	var children, kept []json.RawMessage
	if err := json.Unmarshal(o.Get("manifests"), &children); err != nil || len(children) != len(m.Manifests) {
		return nil, 0, content.AtDigest(d.Digest, content.Errorf(content.ErrCorrupt, "not an index: its manifests can't be read"))
	}
	n := 0
	for i, child := range m.Manifests {
		if content.IsAttestation(child) {
			n++
			continue
		}
		raw := children[i]
		if _, err := im.lookup(child); content.IsIndex(child.MediaType) && err == nil {
			inner, dropped, err := im.without(ctx, child, depth+1)
			if err != nil {
				return nil, 0, err
			}
			if n += dropped; dropped > 0 {
				e, err := layout.ParseEntry(raw)
				if err != nil {
					return nil, 0, err
				}
				child.Digest, child.Size = im.make(inner).stored, int64(len(inner))
				raw = e.WithContent(child).Raw
			}
		}
		kept = append(kept, raw)
	}
	if n == 0 {
		return data, 0, nil
	}
	if kept == nil {
		kept = []json.RawMessage{}
	}
	list, err := rawjson.Marshal(kept)
	if err != nil {
		return nil, 0, err
	}
	o.Set("manifests", list)
	return o.Bytes(), n, nil
}
