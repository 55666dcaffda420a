package verify

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// Repaired is a blob that Repair replaced or brought in.
type Repaired struct {
	Digest content.Digest `json:"digest"`
	Size   int64          `json:"size"`
	From   string         `json:"from"` // path of the source
}

// Repair is Check of a layout in a directory that then brings in, from the first
// source that has the right bytes, every blob that is wrong or missing, and checks
// again until there is nothing that a source could mend. The report is that of the
// last check, so that its problems are what is still wrong, with what was repaired.
//
// Blobs are replaced whole, and durable when Repair returns; a symbolic link in place
// of a blob is replaced itself, and nothing is written through it. index.json and names
// are not touched. What is sparse stays so, but for what only a manifest that had to be
// repaired leads to: nobody knows whether it was there. With Options.AllowMissing all
// that is missing stays so. If Repair fails, what it published stays; it may be called
// again.
func Repair(ctx context.Context, l *layout.Layout, roots []content.Descriptor, sources []Source, o Options) (Report, error) {
	m := mender{l: l, sources: sources, o: o, tried: map[content.Digest]bool{}, parents: map[string]bool{}}
	for {
		c := newChecker(l.Reader, o)
		report, err := c.check(ctx, roots)
		if err != nil {
			return report, err
		}
		n, err := m.mend(ctx, c, report.Problems)
		if err != nil {
			return report, err
		}
		if n == 0 {
			report.Repaired = m.repaired
			return report, nil
		}
	}
}

// A mender repairs one layout.
type mender struct {
	l        *layout.Layout
	sources  []Source
	o        Options
	tried    map[content.Digest]bool
	repaired []Repaired
	parents  map[string]bool // the paths of what was repaired
}

// broken lists the blobs that problems say are wrong or missing, each once, but for
// those that were tried before. A blob is doubtful if only a descriptor contradicts it.
func (m *mender) broken(problems []Problem) (list []content.Digest, doubtful map[content.Digest]bool) {
	doubtful = map[content.Digest]bool{}
	for _, p := range problems {
		if p.Digest == "" || m.tried[p.Digest] || !m.canMend(p) {
			continue
		}
		doubt, twice := doubtful[p.Digest]
		if !twice {
			list = append(list, p.Digest)
		}
		doubtful[p.Digest] = p.ID == BlobSize && (doubt || !twice)
	}
	return list, doubtful
}

// canMend says whether right bytes could end a problem.
func (m *mender) canMend(p Problem) bool {
	switch p.ID {
	case BlobDigest, BlobMissing, BlobType, BlobUnreadable, BlobSize:
		return p.Severity == SeverityError
	case Sparse:
		return m.parents[p.Path] && !m.o.AllowMissing
	}
	return false
}

// mend brings in what the sources have of what c found broken, and says how many blobs
// that is. What nothing refers to is tried again as long as that may change.
func (m *mender) mend(ctx context.Context, c *checker, problems []Problem) (n int, err error) {
	list, doubtful := m.broken(problems)
	batch := m.l.Batch()
	defer func() { err = errors.Join(err, batch.Close()) }()
	var done []Repaired
	for _, d := range list {
		t := c.targets[d]
		m.tried[d] = t != nil && len(t.claims) > 0
		if !content.Verifiable(d) || m.isDirectory(d) || doubtful[d] && m.isRight(ctx, d) {
			continue
		}
		found, err := m.find(ctx, batch, d, t)
		if err != nil {
			return 0, err
		}
		if found.From != "" {
			m.tried[d] = true // on a disk that takes it again, this would not end
			done = append(done, found)
		}
	}
	if err := batch.Publish(ctx); err != nil {
		return 0, content.At(m.l.Path(), err)
	}
	m.repaired = append(m.repaired, done...)
	for _, r := range done {
		m.parents[blobAt(r.Digest).path] = true
	}
	return len(done), nil
}

// isDirectory says whether a directory is where the blob should be: it is not removed.
func (m *mender) isDirectory(d content.Digest) bool {
	info, err := os.Lstat(filepath.Join(m.l.Path(), filepath.FromSlash(blobAt(d).path)))
	return err == nil && info.IsDir()
}

// isRight says whether the blob is what its digest says, and something else is wrong,
// such as the size in a descriptor.
func (m *mender) isRight(ctx context.Context, d content.Digest) bool {
	size, err := m.l.Size(ctx, d)
	return err == nil && readable(ctx, m.l, content.Descriptor{Digest: d, Size: size}) == nil
}

// find stages the bytes of d, which is the target t, from the first source that has
// them. Without one the result has no From.
func (m *mender) find(ctx context.Context, batch *layout.Batch, d content.Digest, t *target) (Repaired, error) {
	for _, s := range m.sources {
		size, err := s.Size(ctx, d)
		if err != nil || !t.mayHave(size) {
			continue
		}
		want := content.Descriptor{Digest: d, Size: size}
		err = batch.PushFrom(ctx, s, want)
		switch {
		case err == nil:
			return Repaired{Digest: d, Size: size, From: s.Path()}, nil
		case ctx.Err() != nil:
			return Repaired{}, context.Cause(ctx)
		case readable(ctx, s, want) == nil: // so it is the layout that fails
			return Repaired{}, err
		}
	}
	return Repaired{}, nil
}

// mayHave says whether the right bytes may be so many: as a descriptor says, or as lie
// there where there is none. So no source can fill a disk before it is found to lie.
func (t *target) mayHave(size int64) bool {
	if t == nil || len(t.claims) == 0 {
		return t != nil && size == t.size
	}
	return slices.ContainsFunc(t.claims, func(cl claim) bool { return cl.size == size })
}

// readable reads a blob to its end and returns its verdict.
func readable(ctx context.Context, f content.Fetcher, d content.Descriptor) error {
	rc, err := f.Fetch(ctx, d)
	if err != nil {
		return err
	}
	err = drain(content.Track(ctx, rc, "verify", content.Short(d.Digest), d.Size))
	return errors.Join(err, rc.Close())
}
