package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

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
	if !im.o.Compress.keepsLayers() {
		return nil, content.Errorf(content.ErrInvalid,
			"the archive's manifests name its layers by digest, so that compression %s is not for import: mutate can do it afterwards", im.o.Compress)
	}
	if _, ok := im.members[layoutName]; !ok {
		im.o.Warn(content.Errorf(content.ErrCorrupt, "the archive has no %s", layoutName))
	}
	entries, err := im.entries(ctx, index)
	if err != nil {
		return nil, content.At(indexName, err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	picked, err := im.pick(names)
	if err != nil {
		return nil, err
	}
	if err := im.reachPicked(ctx, entries, picked); err != nil {
		return nil, err
	}
	var roots []root
	for i, e := range entries {
		if picked[i] {
			roots = append(roots, root{name: e.Name(), entry: e, asIs: true})
		} else if e.Name() != "" {
			im.left = append(im.left, e.Name())
		}
	}
	return im.rename(roots)
}

// entries reads index.json one entry at a time.
func (im *importer) entries(ctx context.Context, index *member) ([]layout.Entry, error) {
	rc, err := im.open(ctx, index, content.Descriptor{Digest: index.stored, Size: index.length})
	if err != nil {
		return nil, err
	}
	defer func() { _ = rc.Close() }()
	if index.data != nil {
		if err := rawjson.Check(index.data, im.o.Limits.Depth); err != nil {
			return nil, content.Errorf(content.ErrCorrupt, "not an image index: %w", err)
		}
	}
	var entries []layout.Entry
	err = eachEntry(rc, func(raw json.RawMessage) error {
		e, err := layout.ParseEntry(raw)
		if err != nil {
			return err
		}
		if e.MediaType == "" {
			return content.AtDigest(e.Digest, content.Errorf(content.ErrCorrupt, "the entry has no mediaType"))
		}
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

// eachEntry calls f with the elements of the manifests of an index, which it
// reads as a stream. The bytes passed to f are f's to keep.
func eachEntry(r io.Reader, f func(json.RawMessage) error) error {
	d := json.NewDecoder(r)
	err := func() error {
		if err := expect(d, json.Delim('{')); err != nil {
			return err
		}
		lists := 0
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return err
			}
			if name, _ := key.(string); !strings.EqualFold(name, "manifests") {
				if err := d.Decode(new(json.RawMessage)); err != nil {
					return err
				}
				continue
			}
			if lists++; lists > 1 {
				return content.Errorf(content.ErrCorrupt, "has two lists of manifests")
			}
			if err := eachElement(d, f); err != nil {
				return err
			}
		}
		if err := expect(d, json.Delim('}')); err != nil {
			return err
		}
		if lists == 0 {
			return content.Errorf(content.ErrCorrupt, "has no manifests")
		}
		if _, err := d.Token(); err != io.EOF {
			return content.Errorf(content.ErrCorrupt, "has data after its end")
		}
		return nil
	}()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || err == io.EOF || err == io.ErrUnexpectedEOF {
		return content.Errorf(content.ErrCorrupt, "not an image index: %w", err)
	}
	return err
}

func eachElement(d *json.Decoder, f func(json.RawMessage) error) error {
	if err := expect(d, json.Delim('[')); err != nil {
		return err
	}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			return err
		}
		if err := f(compact.Bytes()); err != nil {
			return err
		}
	}
	return expect(d, json.Delim(']'))
}

// expect reads one delimiter.
func expect(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	if token != want {
		return content.Errorf(content.ErrCorrupt, "not an image index: %v where %v should be", token, want)
	}
	return nil
}

// reach wants everything below an entry. A child of an index that is not in the
// archive is noted; anything else that is not there fails.
func (im *importer) reach(ctx context.Context, e layout.Entry, seen map[content.Digest]bool) error {
	o := content.WalkOptions{Limits: im.o.Limits, Seen: seen}
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
