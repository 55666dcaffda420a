package ingest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/layout"
)

// planOCI takes the entries of index.json that are picked, and wants everything
// they reach.
func (im *importer) planOCI(ctx context.Context, index *member) ([]root, error) {
	if index.fault != nil {
		return nil, content.At(indexName, index.fault)
	}
	if err := im.checkCompress(); err != nil {
		return nil, err
	}
	if err := im.checkMarker(ctx); err != nil {
		return nil, content.At(layoutName, err)
	}
	list, err := im.entries(ctx, index)
	if err != nil {
		return nil, content.At(indexName, err)
	}
	return im.planEntries(ctx, list)
}

// planEntries is planOCI with the entries.
func (im *importer) planEntries(ctx context.Context, list *entries) ([]root, error) {
	saved := nameSaved(list)
	names := make([]string, len(list.raws))
	for i, e := range list.all() {
		names[i] = e.Name()
	}
	picked := im.names.pick(names)
	if im.o.Attestations == DropAttestations {
		if err := im.dropAttestations(ctx, list, picked); err != nil {
			return nil, err
		}
	}
	if err := im.reachPicked(ctx, list, picked); err != nil {
		return nil, err
	}
	im.warnTwice(list, names, picked)
	roots := make([]root, 0, len(names))
	for i, e := range list.all() {
		if picked[i] {
			r, err := im.root(ctx, e)
			if err != nil {
				return nil, err
			}
			roots = append(roots, r)
		} else if name := im.standsAlone(ctx, e); name != "" {
			im.left = append(im.left, name)
		}
	}
	if !saved {
		return roots, nil
	}
	bundles, err := im.bundles(ctx)
	return append(roots, bundles...), err
}

// checkCompress refuses to recompress what manifests name by digest.
func (im *importer) checkCompress() error {
	if im.o.Compress.keepsLayers() {
		return nil
	}
	return content.Errorf(content.ErrInvalid,
		"the archive's manifests name its layers by digest, so that compression %s is not for import: mutate can do it afterwards", im.o.Compress)
}

// checkMarker holds that the archive's oci-layout, if there is one, is of the
// version that we know (image-spec image-layout.md, "oci-layout file").
func (im *importer) checkMarker(ctx context.Context) error {
	m, ok := im.members[layoutName]
	if !ok {
		im.warn(content.Errorf(content.ErrCorrupt, "the archive has no %s", layoutName))
		return nil
	}
	if m.fault != nil {
		return m.fault
	}
	d := content.Descriptor{Digest: m.stored, Size: m.length}
	rc, err := im.open(ctx, m, d)
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }() // only read
	data, err := io.ReadAll(rc)       // of bounded size, as takeTable saw to it
	if err != nil {
		return err
	}
	var marker ocispec.ImageLayout
	if err := cmp.Or(rawjson.Check(data, im.o.Limits.Depth), json.Unmarshal(data, &marker)); err != nil {
		return content.Errorf(content.ErrCorrupt, "not valid JSON: %w", err)
	}
	if marker.Version != ocispec.ImageLayoutVersion {
		return content.Errorf(content.ErrUnsupported, "layout version is %q, want %s", marker.Version, ocispec.ImageLayoutVersion)
	}
	return nil
}

// entries reads index.json. Entries that an export took their names get them back.
func (im *importer) entries(ctx context.Context, index *member) (*entries, error) {
	rc, err := im.open(ctx, index, content.Descriptor{Digest: index.stored, Size: index.length})
	if err != nil {
		return nil, err
	}
	defer func() { _ = rc.Close() }()
	list := &entries{}
	err = eachEntry(rc, im.o.Limits, func(e layout.Entry) { list.add(e.Unshelved()) })
	return list, err
}

// reach wants everything below an entry. A child of an index that is not in the
// archive is noted; anything else that is not there fails.
func (im *importer) reach(ctx context.Context, e layout.Entry, seen map[content.Digest]bool) error {
	o := content.WalkOptions{Limits: im.limitsOf(e), Seen: seen}
	return content.Walk(ctx, im, []content.Descriptor{e.Descriptor}, o, func(n content.Node) error {
		if n.Absent {
			im.missing(n)
			return nil
		}
		m, err := im.lookup(n.Descriptor)
		switch {
		case err == nil:
			im.keep(m)
			return nil
		case !errors.Is(err, content.ErrNotFound):
			return err
		case n.Role != "" && (content.Edge{Role: n.Role, To: n.Descriptor}).MayBeAbsent():
			if n.Role == content.RoleManifest {
				im.missing(n)
			}
			return nil
		}
		return content.AtDigest(n.Digest, content.Errorf(content.ErrMissing, "%s is not in the archive", what(n)))
	})
}

func what(n content.Node) string {
	if n.Role == "" {
		return "an entry of " + indexName
	}
	return "a " + string(n.Role) + " of " + n.Parent.String()
}

func (im *importer) missing(n content.Node) {
	a := Absent{Digest: n.Digest}
	if n.Platform != nil {
		a.Platform = content.FormatPlatform(*n.Platform)
	}
	im.absent = append(im.absent, a)
}
