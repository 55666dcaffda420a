package ingest

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// ImportAll reads archives one after the other, stores what their tables of
// contents list in dst, and puts all of their names there in one update, durable
// when ImportAll returns. If it fails, for whatever archive, the layout keeps its old
// names, and at most unreferenced blobs, which gc removes, stay behind. There is a
// Result for each archive, in their order.
//
// Images of old archives of docker save become OCI manifests; their configs keep
// their bytes. Everything else keeps its bytes and digests, entries of index.json
// their unknown fields and annotations too.
//
// What an entry without a name says to belong to (io.containerd.manifest.subject) is
// believed if its manifest says so too: then it goes on the list of referrers under
// the subject's fallback tag, and the entry itself only if it says more. The lists
// that an archive has become one with those of dst.
//
// Where several archives give one name to different content, the Policy decides as
// if the first of them had been there: with Overwrite the last one has the name,
// with Skip the first one. It is told to Warn, and the name is among the NotTaken.
//
// Attestations are lifted after that; if this fails, the Results beside the error
// tell what was imported.
//
// An archive that contradicts itself, is damaged or truncated, or lists what it
// does not hold is ErrCorrupt; one that is hostile or beyond a limit is ErrRefused;
// what is no archive of these forms is ErrUnsupported; a name that is taken, under
// that policy, ErrConflict. That a child of an index is absent is no error: the
// Result tells.
func ImportAll(ctx context.Context, dst *layout.Layout, sources []Source, o Options) ([]Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	announce(ctx, sources)
	m := many{o: o, names: newPicker(o.Names)}
	defer m.close()
	for i, src := range sources {
		im := newImporter(dst.Batch(), src.Name, o, m.names)
		m.all = append(m.all, im)
		var err error
		if im.roots, err = im.read(ctx, src); err != nil {
			return nil, content.At(src.Name, err)
		}
		if err := m.check(i == len(sources)-1); err != nil {
			return nil, err
		}
		if err := im.publish(ctx); err != nil {
			return nil, err
		}
		im.release()
	}
	return m.commit(ctx, dst)
}

// read goes through an archive once and gives what is to have a name. What it
// needs is then wanted and staged.
func (im *importer) read(ctx context.Context, src Source) ([]root, error) {
	if src.Layout != nil {
		return im.planLayout(ctx, src.Layout)
	}
	in, err := open(ctx, src)
	if err != nil {
		return nil, err
	}
	if im.o.Rootfs {
		return im.rootfs(ctx, in)
	}
	if err := im.scan(ctx, in); err != nil {
		return nil, err
	}
	if index, ok := im.members[indexName]; ok {
		return im.planOCI(ctx, index)
	}
	return im.planDocker(ctx)
}

// announce tells how large the archives to come are, where that is known.
func announce(ctx context.Context, sources []Source) {
	if len(sources) < 2 {
		return
	}
	for _, src := range sources {
		if _, size, ok := regular(src.Reader); src.Layout == nil && ok {
			content.ProgressFrom(ctx).Report(content.Event{Op: "import", Name: src.Name, Total: size})
		}
	}
}

// many is the state of an import of many archives.
type many struct {
	o     Options
	names *picker
	all   []*importer // those that have been read
}

// close ends what every archive has staged.
func (m *many) close() {
	for _, im := range m.all {
		_ = im.batch.Close() // it only drops what is not published
	}
}

// check holds that what was read so far can be put into index.json. last says that
// nothing comes after it.
func (m *many) check(last bool) error {
	if err := m.rename(last); err != nil {
		return err
	}
	if err := m.settle(); err != nil || !last {
		return err
	}
	return m.names.check()
}

// rename holds that there is one image if there is one name for it, which it gets
// at last. What refers to it stays as it is.
func (m *many) rename(last bool) error {
	if m.o.Rename == "" {
		return nil
	}
	images := m.find(func(r root) bool { return r.entry().IsImage() })
	if len(images) == 0 {
		images = m.find(func(root) bool { return true })
	}
	distinct := map[content.Digest]bool{}
	var names []string
	for _, at := range images {
		distinct[at.root().entry().Digest] = true
		names = append(names, at.root().name)
	}
	if len(distinct) > 1 {
		return content.Errorf(content.ErrInvalid, "%d images can't all be called %s: pick one of %s",
			len(distinct), m.o.Rename, listNames(names))
	}
	for i, at := range images {
		if !last {
			break
		}
		at.root().name, at.root().gone = m.o.Rename, i > 0
	}
	return nil
}

// place is where a root stands.
type place struct {
	im *importer
	i  int
}

func (p place) root() *root { return &p.im.roots[p.i] }

// find lists the roots that a function wants, in the order of the archives.
func (m *many) find(want func(root) bool) []place {
	var found []place
	for _, im := range m.all {
		for i, r := range im.roots {
			if !r.gone && want(r) {
				found = append(found, place{im, i})
			}
		}
	}
	return found
}

// settle lets one archive have a name that several give to different content.
func (m *many) settle() error {
	if len(m.all) < 2 {
		return nil
	}
	last := m.all[len(m.all)-1]
	holders := map[string][]place{}
	for _, at := range m.find(func(r root) bool { return r.name != "" && r.listed == nil }) {
		r := at.root()
		name := canonical(r.name)
		for _, old := range holders[name] {
			if at.im != last || old.im == last || old.root().gone || old.root().entry().Digest == r.entry().Digest {
				continue
			}
			if err := m.yield(name, old, at); err != nil {
				return err
			}
		}
		holders[name] = append(holders[name], at)
	}
	return nil
}

// yield takes a name from one of two archives that have it for different content.
func (m *many) yield(name string, old, late place) error {
	first, second := old.root().entry().Digest, late.root().entry().Digest
	loser, winner := old, late
	switch m.o.Policy {
	case layout.Fail:
		return content.Errorf(content.ErrConflict, "%s is %s in %s, and %s in %s", name, first, old.im.source, second, late.im.source)
	case layout.Skip:
		loser, winner = late, old
	}
	if !loser.root().gone {
		loser.root().gone = true
		loser.im.left = append(loser.im.left, loser.root().name)
		m.o.Warn(content.At(loser.im.source, content.Errorf(content.ErrConflict, "%s is not taken: %s has another image of that name", name, winner.im.source)))
	}
	return nil
}

// canonical is the long form of a name.
func canonical(name string) string {
	if full, _, isFull := layout.NormalizeName(name); isFull {
		return full
	}
	return name
}

// commit puts the roots of all archives into index.json in one update.
func (m *many) commit(ctx context.Context, dst *layout.Layout) ([]Result, error) {
	var results []Result
	err := dst.Update(ctx, func(tx *layout.Tx) error {
		results = nil
		for _, im := range m.all {
			result, err := im.commit(ctx, tx)
			if err != nil {
				return err
			}
			results = append(results, result)
		}
		return nil
	})
	if err != nil || m.o.Attestations != LiftAttestations {
		return results, err
	}
	for i, im := range m.all {
		if err := im.lift(ctx, dst, &results[i]); err != nil {
			return results, err
		}
	}
	return results, nil
}
