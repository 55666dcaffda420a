package mutate

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// An indexMaker makes one index.
type indexMaker struct {
	dst     *layout.Layout
	o       IndexOptions
	batch   *layout.Batch
	members []indexMember
	made    content.Descriptor  // the index
	subject *content.Descriptor // that it has, also one made from another index
	report  IndexReport

	seen      map[*layout.Reader]map[content.Digest]bool // what was copied of each layout
	referrers map[content.Digest][]content.Descriptor    // to be listed, by subject
	cosign    []layout.Entry                             // tags to be brought in
}

func newIndexMaker(dst *layout.Layout, o IndexOptions) *indexMaker {
	return &indexMaker{
		dst: dst, o: o, batch: dst.Batch(), report: IndexReport{Images: []IndexedImage{}},
		seen: map[*layout.Reader]map[content.Digest]bool{}, referrers: map[content.Digest][]content.Descriptor{},
	}
}

// An indexTarget is where a name goes.
type indexTarget struct {
	name   string
	entry  layout.Entry // that the new one is made from; empty for none
	keep   bool         // the name as the entry has it
	policy layout.Policy
}

// make checks the members, brings them in and names the index that encode gives.
func (x *indexMaker) make(ctx context.Context, encode func() (data []byte, mediaType string, err error), to indexTarget) error {
	var err error
	if x.members, err = joinMembers(x.members); err != nil {
		return err
	}
	if x.o.Nested && len(x.o.Platforms) > 0 {
		return content.Errorf(content.ErrInvalid, "an index that stays as it is keeps all its platforms")
	}
	if x.o.Subject != nil {
		there, err := x.dst.Exists(ctx, *x.o.Subject)
		if err == nil && !there {
			err = content.AtDigest(x.o.Subject.Digest, content.Errorf(content.ErrNotFound, "the subject is not in the layout"))
		}
		if err != nil {
			return err
		}
	}
	if err := x.hold(ctx); err != nil {
		return err
	}
	data, mediaType, err := encode()
	if err != nil {
		return err
	}
	if limit := x.dst.Limits().Manifest; int64(len(data)) > limit {
		return content.Errorf(content.ErrRefused, "the index would have %d bytes, more than the limit of %d", len(data), limit)
	}
	if err := x.bringAll(ctx); err != nil {
		return err
	}
	desc, err := x.batch.PushBytes(ctx, mediaType, data)
	if err != nil {
		return err
	}
	x.made = desc
	made, err := content.ParseManifest(mediaType, data)
	if err != nil {
		return err
	}
	desc.ArtifactType, x.subject = made.ArtifactType, made.Subject
	if err := x.batch.Publish(ctx); err != nil {
		return err
	}
	if err := x.dst.Update(ctx, func(tx *layout.Tx) error { return x.commit(ctx, tx, desc, to) }); err != nil {
		return content.At(x.dst.Path(), err)
	}
	return x.tell(ctx, to)
}

// commit changes names and lists of referrers. If the name stays with what has it,
// nothing changes.
func (x *indexMaker) commit(ctx context.Context, tx *layout.Tx, desc content.Descriptor, to indexTarget) error {
	if err := x.name(tx, desc, to); err != nil || x.report.Skipped {
		return err
	}
	for _, subject := range slices.Sorted(maps.Keys(x.referrers)) {
		if err := tx.AddReferrer(ctx, x.batch, content.Descriptor{Digest: subject}, x.referrers[subject]...); err != nil {
			return err
		}
	}
	for _, e := range x.cosign {
		if _, err := tx.Bring(e, x.o.Policy); err != nil {
			return err
		}
	}
	if x.subject == nil {
		return nil
	}
	return tx.AddReferrer(ctx, x.batch, *x.subject, desc)
}

// name gives the new index its name.
func (x *indexMaker) name(tx *layout.Tx, desc content.Descriptor, to indexTarget) (err error) {
	entry := layout.NewEntry(desc)
	if to.entry.Digest != "" {
		entry = to.entry.WithContent(desc)
	}
	if !to.keep {
		x.report.Change, err = tx.Tag(entry, to.name, to.policy)
		return err
	}
	now, err := tx.Resolve(to.name)
	if err == nil && now.Digest != to.entry.Digest {
		err = content.Errorf(content.ErrConflict, "%s has moved to %s meanwhile", to.name, now.Digest)
	}
	if err == nil {
		x.report.Change, err = tx.Bring(entry, layout.Overwrite)
	}
	return err
}

// tell completes the report.
func (x *indexMaker) tell(ctx context.Context, to indexTarget) error {
	for _, m := range x.members {
		if content.IsAttestation(m.Descriptor) {
			x.report.Attestations++
			continue
		}
		x.report.Images = append(x.report.Images, IndexedImage{m.platform, m.Digest})
		x.report.Attestations += len(m.attestations)
	}
	old := to.entry.Digest
	if old == "" && x.report.Moved() {
		old = x.report.Old
	}
	if old == "" || old == x.report.New {
		return nil
	}
	found, err := x.dst.FindReferrers(ctx, layout.ReferrerQuery{Subject: content.Descriptor{Digest: old}})
	for _, r := range found {
		if r.Origin.Bound() {
			x.report.Left++
		}
	}
	return err
}

// fresh encodes a new index.
func (x *indexMaker) fresh() ([]byte, string, error) {
	o := &rawjson.Object{}
	o.Set("schemaVersion", json.RawMessage("2"))
	o.SetString("mediaType", ocispec.MediaTypeImageIndex)
	if x.o.ArtifactType != "" {
		o.SetString("artifactType", x.o.ArtifactType)
	}
	o.Set("manifests", membersArray(x.members))
	if s := x.o.Subject; s != nil {
		text, err := rawjson.Marshal(content.Descriptor{MediaType: s.MediaType, Digest: s.Digest, Size: s.Size})
		if err != nil {
			return nil, "", err
		}
		o.Set("subject", text)
	}
	if len(x.o.Annotations) > 0 {
		text, err := rawjson.Marshal(x.o.Annotations)
		if err != nil {
			return nil, "", err
		}
		o.Set("annotations", text)
	}
	return o.Bytes(), ocispec.MediaTypeImageIndex, nil
}

// membersArray is the list of children, each with its attestations behind it.
func membersArray(members []indexMember) json.RawMessage {
	var list []json.RawMessage
	for _, m := range members {
		list = append(list, m.raw)
		for _, a := range m.attestations {
			list = append(list, a.raw)
		}
	}
	return rawjson.Array(list)
}
