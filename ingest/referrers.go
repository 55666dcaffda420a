package ingest

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// root decides what becomes of an entry that was picked.
func (im *importer) root(ctx context.Context, e layout.Entry) (root, error) {
	r := root{name: e.Name(), raw: e.Raw, asIs: true, cosignTag: e.IsCosignTag()}
	claimed := content.Digest(e.Annotations[content.AnnotationSubject])
	switch {
	case e.Kind() == layout.KindFallback:
		m, _, err := content.FetchManifest(ctx, im, e.Descriptor, im.limitsOf(e))
		if err != nil {
			return root{}, err
		}
		r.listed = []content.Digest{}
		for _, d := range m.Manifests {
			r.listed = append(r.listed, d.Digest)
		}
	case r.name == "" && claimed != "" && content.HasEdges(e.MediaType):
		m, _, err := content.FetchManifest(ctx, im, e.Descriptor, im.o.Limits)
		if err != nil {
			return root{}, err
		}
		if m.Subject != nil && m.Subject.Digest == claimed && content.CheckDigest(claimed) == nil {
			r.subject, r.extra = claimed, saysMore(e, m)
		}
	}
	return r, nil
}

// limitsOf are the limits for reading an entry's manifest: a list of referrers may
// be as long as an index.json.
func (im *importer) limitsOf(e layout.Entry) content.Limits {
	limits := im.o.Limits
	if e.Kind() == layout.KindFallback {
		limits.Manifest = max(limits.Manifest, limits.Index)
	}
	return limits
}

// saysMore says whether a referrer's entry has what its manifest has not.
func saysMore(e layout.Entry, m content.Manifest) bool {
	for key, value := range e.Annotations {
		if have, ok := m.Annotations[key]; key != content.AnnotationSubject && (!ok || have != value) {
			return true
		}
	}
	o, err := rawjson.Parse(e.Raw)
	if err != nil {
		return true
	}
	for _, f := range o.Fields() {
		switch f.Key {
		case "mediaType", "digest", "size", "annotations", "artifactType", "platform":
		default:
			return true
		}
	}
	return false
}

// list puts a referrer on the list of its subject's, and makes a list of the archive
// part of the layout's.
func (im *importer) list(ctx context.Context, tx *layout.Tx, r root) error {
	switch {
	case r.listed != nil:
		return tx.MergeList(ctx, im.batch, r.entry())
	case r.subject != "":
		return tx.AddReferrer(ctx, nil, content.Descriptor{Digest: r.subject}, r.entry().Descriptor)
	}
	return nil
}

// countReferrers counts what came along with what it belongs to.
func countReferrers(roots []root) int {
	found := map[content.Digest]bool{}
	for _, r := range roots {
		if r.gone {
			continue
		}
		if r.subject != "" || r.cosignTag {
			found[r.entry().Digest] = true
		}
		for _, d := range r.listed {
			found[d] = true
		}
	}
	return len(found)
}

// warnTwice tells of names that several entries have for different content.
func (im *importer) warnTwice(list *entries, names []string, picked []bool) {
	first, told := map[string]int{}, map[string]bool{}
	for i, name := range names {
		if name == "" || !picked[i] {
			continue
		}
		if full, _, isFull := layout.NormalizeName(name); isFull {
			name = full
		}
		k, had := first[name]
		if !had {
			first[name] = i
			continue
		}
		a, b := list.at(k), list.at(i)
		switch {
		case a.Kind() == layout.KindFallback:
			first[name] = i
		case a.Digest != b.Digest && !told[name] && b.Kind() != layout.KindFallback:
			told[name] = true
			im.warn(content.Errorf(content.ErrAmbiguous, "%s is %s and %s in the archive; both are kept as they are", name, content.Short(a.Digest), content.Short(b.Digest)))
		}
	}
}
