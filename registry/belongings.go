package registry

import (
	"context"
	"encoding/json"
	"errors"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// belongings sends what refers to the manifests that were sent or there, what refers
// to that, and so on; then what cosign made for any of them.
func (p *pusher) belongings(ctx context.Context) error {
	cosign, err := cosignEntries(ctx, p.src)
	if err != nil {
		return err
	}
	for i := 0; i < len(p.seen); i++ { // which grows meanwhile
		subject := p.seen[i]
		if err := p.referrersOf(ctx, subject); err != nil {
			return err
		}
		for _, e := range cosign[subject.Digest] {
			before := p.report.Manifests
			if err := p.image(ctx, e.Descriptor, []string{e.RefName()}); err != nil {
				return err
			}
			if p.report.Manifests > before {
				p.report.Referrers++
			}
		}
	}
	return nil
}

func (p *pusher) referrersOf(ctx context.Context, subject node) error {
	var own []content.Descriptor
	err := p.src.Referrers(ctx, subject.Descriptor, "", func(found []content.Descriptor) error {
		own = append(own, found...)
		return nil
	})
	if err != nil || len(own) == 0 {
		return content.At(p.src.Path(), err)
	}
	listed := map[content.Digest]bool{}
	if subject.present { // else nothing refers to it there
		list, err := p.repo.referrers(ctx, subject.Digest)
		if err != nil {
			return err
		}
		for _, d := range list {
			listed[d.Digest] = true
		}
	}
	for _, d := range own {
		if _, ok := p.planned[d.Digest]; ok {
			continue
		}
		var work plan
		if err := p.plan(ctx, &work, d, listed[d.Digest], false, 0); err != nil {
			return content.At(p.src.Path(), err)
		}
		if listed[d.Digest] {
			continue
		}
		if err := p.send(ctx, work); err != nil {
			return err
		}
		p.report.Manifests++
		p.report.Referrers++
		if p.o.DryRun {
			continue
		}
		if err := p.put(ctx, p.seen[p.planned[d.Digest]], d.Digest.String()); err != nil {
			return err
		}
	}
	return nil
}

// cosignEntries lists what cosign made, by the digest that it is about.
func cosignEntries(ctx context.Context, r *layout.Reader) (map[content.Digest][]layout.Entry, error) {
	found := map[content.Digest][]layout.Entry{}
	err := r.View(ctx, func(x *layout.Index) error {
		for e, err := range x.EntriesIf(func(s layout.Summary) bool { return s.IsCosignTag() }) {
			if err != nil {
				return err
			}
			if subject := e.CosignSubject(); subject != "" {
				found[subject] = append(found[subject], e)
			}
		}
		return nil
	})
	return found, err
}

// list puts a manifest on the list under its subject's fallback tag, as clients must
// where the registry does not do it (distribution-spec, "Pushing Manifests with
// Subject"). What is on it already stays, byte for byte.
func (r *Repository) list(ctx context.Context, subject content.Digest, d content.Descriptor, manifest []byte) error {
	r.lacks.Store(true)
	tag := layout.FallbackTag(subject)
	index, children, err := r.currentList(ctx, tag)
	if err != nil {
		return err
	}
	for _, raw := range children {
		var child content.Descriptor
		if json.Unmarshal(raw, &child) == nil && child.Digest == d.Digest {
			return nil
		}
	}
	m, err := content.ParseManifest(d.MediaType, manifest)
	if err != nil {
		return err
	}
	entry, err := rawjson.Marshal(content.Descriptor{
		MediaType: d.MediaType, Digest: d.Digest, Size: d.Size,
		ArtifactType: m.EffectiveArtifactType(), Annotations: m.Annotations,
	})
	if err != nil {
		return err
	}
	index.Set("manifests", array(append(children, entry)))
	data := index.Bytes()
	desc := content.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: sha256Of(data), Size: int64(len(data))}
	_, err = r.putManifest(ctx, desc, data, tag)
	return err
}

// array writes elements as they are.
func array(elements []json.RawMessage) json.RawMessage {
	out := []byte{'['}
	for i, raw := range elements {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, raw...)
	}
	return append(out, ']')
}

// currentList reads the list under a tag, or begins one.
func (r *Repository) currentList(ctx context.Context, tag string) (*rawjson.Object, []json.RawMessage, error) {
	d, data, err := r.manifest(ctx, tag, r.c.o.Limits.Index)
	if errors.Is(err, content.ErrNotFound) {
		data = []byte(`{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageIndex + `","manifests":[]}`)
	} else if err != nil {
		return nil, nil, err
	} else if d.MediaType != ocispec.MediaTypeImageIndex {
		return nil, nil, r.at(tag, content.Errorf(content.ErrConflict, "it is not a list of referrers but a %s", d.MediaType))
	}
	index, err := rawjson.Parse(data)
	if err != nil {
		return nil, nil, r.at(tag, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	var children []json.RawMessage
	if raw := index.Get("manifests"); raw != nil {
		if err := json.Unmarshal(raw, &children); err != nil {
			return nil, nil, r.at(tag, content.Errorf(content.ErrCorrupt, "manifests: %w", err))
		}
	}
	return index, children, nil
}
