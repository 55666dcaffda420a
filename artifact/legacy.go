package artifact

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// A legacyForm is a manifest that is attached to another by convention.
type legacyForm struct {
	subject content.Descriptor
	desc    content.Descriptor
	origin  layout.Origin
	kind    string // cosign's: "sig", "att" or "sbom"; "" is an attestation of BuildKit
	name    string // the entry's name, of cosign's
}

// findLegacy finds the legacy forms of everything that root leads to: first what is
// in its indexes, then cosign's tags in the order of index.json.
func findLegacy(ctx context.Context, l *layout.Reader, root content.Descriptor) ([]legacyForm, error) {
	s := legacyScan{f: l, limits: l.Limits(), subjects: map[content.Digest]content.Descriptor{}}
	if err := s.visit(ctx, root, 0); err != nil {
		return nil, err
	}
	err := l.View(ctx, func(x *layout.Index) error {
		wanted := func(e layout.Summary) bool {
			d, _, ok := cosignTag(e.Name)
			_, ours := s.subjects[d]
			return ok && ours
		}
		for e, err := range x.EntriesIf(wanted) {
			if err != nil {
				return err
			}
			d, kind, _ := cosignTag(e.Name())
			s.forms = append(s.forms, legacyForm{s.subjects[d], e.Descriptor, "cosign", kind, e.Name()})
		}
		return nil
	})
	return s.forms, err
}

type legacyScan struct {
	f        content.Fetcher
	limits   content.Limits
	subjects map[content.Digest]content.Descriptor // that something may be attached to
	forms    []legacyForm
}

func (s *legacyScan) visit(ctx context.Context, d content.Descriptor, depth int) error {
	if _, seen := s.subjects[d.Digest]; seen || !content.HasEdges(d.MediaType) {
		return nil
	}
	if depth > s.limits.Depth || len(s.subjects) >= s.limits.Nodes {
		return content.AtDigest(d.Digest, content.Errorf(content.ErrRefused, "indexes nest deeper than %d, or have too many children", s.limits.Depth))
	}
	s.subjects[d.Digest] = d
	if !content.IsIndex(d.MediaType) {
		return nil
	}
	m, _, err := content.FetchManifest(ctx, s.f, d, s.limits)
	if errors.Is(err, content.ErrNotFound) && depth > 0 {
		return nil // a sparse index
	}
	if err != nil {
		return err
	}
	images := map[content.Digest]content.Descriptor{}
	for _, child := range m.Manifests {
		if content.IsAttestation(child) {
			continue
		}
		images[child.Digest] = child
		if err := s.visit(ctx, child, depth+1); err != nil {
			return err
		}
	}
	for _, child := range m.Manifests {
		subject, sibling := images[content.Digest(child.Annotations["vnd.docker.reference.digest"])]
		if child.Annotations[content.AnnotationReferenceType] == "attestation-manifest" && sibling {
			s.forms = append(s.forms, legacyForm{subject: subject, desc: child, origin: "buildkit"})
		}
	}
	return nil
}

// cosignTag reads the name of an entry that cosign made: the digest that it is
// about, and "sig", "att" or "sbom".
func cosignTag(name string) (subject content.Digest, kind string, ok bool) {
	tag := name[strings.LastIndexAny(name, ":/")+1:]
	tag, kind, ok = strings.Cut(tag, ".")
	alg, hex, dash := strings.Cut(tag, "-")
	subject = content.Digest(alg + ":" + hex)
	known := kind == "sig" || kind == "att" || kind == "sbom"
	return subject, kind, ok && dash && known && content.CheckDigest(subject) == nil
}

// A liftPlan is a referrer to be made.
type liftPlan struct {
	manifest                []byte
	mediaType, artifactType string
	annotations             map[string]string
	blobs                   []content.Descriptor // that it refers to
	emptyConfig             bool
}

// plan reads a legacy form and plans what is made of it; reasons say what is not
// lifted, and why. Only what stops everything is an error.
func (f legacyForm) plan(ctx context.Context, from content.Fetcher, limits content.Limits) (plans []liftPlan, reasons []string, err error) {
	m, data, err := content.FetchManifest(ctx, from, f.desc, limits)
	if err == nil && f.kind == "sig" {
		var p liftPlan
		if p, err = f.signatures(ctx, from, m, data); err == nil {
			return []liftPlan{p}, nil, nil
		}
	}
	if err != nil {
		reason, err := skipped(err)
		return nil, []string{reason}, err
	}
	raw, err := rawLayers(data)
	if err != nil || len(raw) != len(m.Layers) {
		return nil, []string{"its layers can't be read"}, nil
	}
	for i, layer := range m.Layers {
		p, err := f.single(ctx, from, layer, raw[i])
		if err != nil {
			reason, err := skipped(err)
			if err != nil {
				return nil, nil, err
			}
			reasons = append(reasons, reason)
			continue
		}
		plans = append(plans, p)
	}
	return plans, reasons, nil
}

// skipped is the reason in an error that is about content; others stop everything.
func skipped(err error) (string, error) {
	for _, kind := range []error{content.ErrCorrupt, content.ErrNotFound, content.ErrRefused, content.ErrUnsupported, content.ErrInvalid} {
		if errors.Is(err, kind) {
			return err.Error(), nil
		}
	}
	return "", err
}

func rawLayers(data []byte) ([]json.RawMessage, error) {
	o, err := rawjson.Parse(data)
	if err != nil {
		return nil, err
	}
	var raw []json.RawMessage
	return raw, json.Unmarshal(o.Get("layers"), &raw)
}

// single plans an artifact of one layer.
func (f legacyForm) single(ctx context.Context, from content.Fetcher, layer content.Descriptor, raw json.RawMessage) (p liftPlan, err error) {
	p = liftPlan{mediaType: ocispec.MediaTypeImageManifest, artifactType: layer.MediaType, blobs: []content.Descriptor{layer}, emptyConfig: true}
	if err := checkMediaType(layer.MediaType); err != nil {
		return p, err
	}
	if f.kind != "sbom" {
		predicate, err := f.predicate(ctx, from, layer)
		if err != nil {
			return p, content.AtDigest(layer.Digest, err)
		}
		p.annotations = map[string]string{AnnotationPredicate: predicate}
	}
	o := &rawjson.Object{}
	o.Set("schemaVersion", json.RawMessage("2"))
	o.SetString("mediaType", p.mediaType)
	o.SetString("artifactType", p.artifactType)
	set := func(key string, value any) {
		encoded, marshalErr := rawjson.Marshal(value)
		err = errors.Join(err, marshalErr)
		o.Set(key, encoded)
	}
	set("config", ocispec.DescriptorEmptyJSON)
	set("layers", []json.RawMessage{raw})
	set("subject", plainDescriptor(f.subject))
	if p.annotations != nil {
		set("annotations", p.annotations)
	}
	p.manifest = o.Bytes()
	return p, err
}

// plainDescriptor is what a manifest says of its subject.
func plainDescriptor(d content.Descriptor) content.Descriptor {
	return content.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

// predicate reads an attestation and tells what it attests. One of cosign must be
// about the image; BuildKit's need not name it, since the index says what they are
// about.
func (f legacyForm) predicate(ctx context.Context, from content.Fetcher, layer content.Descriptor) (string, error) {
	if layer.MediaType != MediaTypeInToto && layer.MediaType != MediaTypeDSSE {
		return "", content.Errorf(content.ErrUnsupported, "is no attestation, but of type %q", layer.MediaType)
	}
	data, err := content.FetchAll(ctx, from, layer, maxStatement)
	if err != nil {
		return "", err
	}
	mediaType, s, err := parseAttestation(data)
	if err != nil {
		return "", err
	}
	if mediaType != layer.MediaType {
		return "", content.Errorf(content.ErrCorrupt, "is of type %s, its descriptor says %s", mediaType, layer.MediaType)
	}
	if f.origin == "cosign" {
		return s.PredicateType, s.about(f.subject.Digest)
	}
	return s.PredicateType, nil
}

// The media types of cosign's signatures.
const (
	mediaTypeSimpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"
	// mediaTypeCosignSignature is the artifactType that cosign looks for in its
	// OCI 1.1 mode.
	mediaTypeCosignSignature = "application/vnd.dev.cosign.artifact.sig.v1+json"
)

// signatures plans one artifact of all signatures under a tag: the manifest as it
// is, with a type and a subject.
func (f legacyForm) signatures(ctx context.Context, from content.Fetcher, m content.Manifest, data []byte) (p liftPlan, err error) {
	o, err := rawjson.Parse(data)
	if err != nil {
		return p, content.Errorf(content.ErrCorrupt, "%w", err)
	}
	switch {
	case m.Config == nil || len(m.Layers) == 0:
		return p, content.Errorf(content.ErrCorrupt, "has no signatures")
	case m.Subject != nil:
		return p, content.Errorf(content.ErrUnsupported, "has a subject already")
	}
	for _, layer := range m.Layers {
		if err := f.checkSignature(ctx, from, layer); err != nil {
			return p, content.AtDigest(layer.Digest, err)
		}
	}
	subject, err := rawjson.Marshal(plainDescriptor(f.subject))
	if err != nil {
		return p, err
	}
	o.SetString("mediaType", f.desc.MediaType)
	o.SetString("artifactType", mediaTypeCosignSignature)
	o.Set("subject", subject)
	return liftPlan{
		manifest: o.Bytes(), mediaType: f.desc.MediaType, artifactType: mediaTypeCosignSignature,
		annotations: m.Annotations, blobs: append([]content.Descriptor{*m.Config}, m.Layers...),
	}, nil
}

// checkSignature holds that what was signed is the name of the subject.
func (f legacyForm) checkSignature(ctx context.Context, from content.Fetcher, layer content.Descriptor) error {
	if layer.MediaType != mediaTypeSimpleSigning {
		return content.Errorf(content.ErrUnsupported, "is no signature, but of type %q", layer.MediaType)
	}
	data, err := content.FetchAll(ctx, from, layer, content.Limits{}.WithDefaults().Manifest)
	if err != nil {
		return err
	}
	var payload struct {
		Critical struct {
			Image struct {
				Digest content.Digest `json:"docker-manifest-digest"`
			} `json:"image"`
		} `json:"critical"`
	}
	if err := json.Unmarshal(data, &payload); err != nil {
		return content.Errorf(content.ErrCorrupt, "not what cosign signs: %w", err)
	}
	if payload.Critical.Image.Digest != f.subject.Digest {
		return content.Errorf(content.ErrInvalid, "signs %s, not %s", payload.Critical.Image.Digest, f.subject.Digest)
	}
	return nil
}
