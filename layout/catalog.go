package layout

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
	"github.com/ocilayout/ocilayout/layout/internal/catalog"
)

// crawled is a layout as the catalog reads it.
type crawled struct {
	r    *Reader
	flat [2]bool // of sha256 and sha512
}

func (r *Reader) crawled() crawled {
	return crawled{r, [2]bool{r.flat(digest.FromString("")), r.flat(digest.SHA512.FromString(""))}}
}

// Roots reads index.json once. A torn one is ErrCorrupt.
func (c crawled) Roots(ctx context.Context, yield func(catalog.Root) error) error {
	f, err := c.r.src.index()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	n := 0
	_, err = parseIndex(f, c.r.o.Limits, func(s *summary, raw []byte) error {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return eachRoot(s, raw, yield)
	}, nil)
	return content.At(filepath.Join(c.r.path, "index.json"), err)
}

// eachRoot calls yield with the roots that an entry gives.
func eachRoot(s *summary, raw []byte, yield func(catalog.Root) error) error {
	mediaType := string(s.mediaType)
	if !content.HasEdges(mediaType) {
		return nil
	}
	size, err := strconv.ParseInt(string(s.size), 10, 64)
	d := content.Digest(s.digest)
	if s.sizeOdd || err != nil || size < 0 || content.CheckDigest(d) != nil {
		e, err := ParseEntry(raw)
		if err != nil {
			return err
		}
		size = e.Size
	}
	name := s.refName
	if len(s.imageName) > 0 {
		name = s.imageName
	}
	root := catalog.Root{Ref: catalog.Ref{Digest: d, MediaType: mediaType, Size: size}}
	plain := true
	fallback := fallbackOf(mediaType, string(name))
	if fallback != "" {
		name = nil // said by that alone
	}
	for _, f := range []struct {
		form  catalog.Form
		about string
	}{
		{catalog.Fallback, fallback},
		{catalog.Annotated, string(s.subject)},
		{catalog.Listed, string(s.listed)},
		{catalog.Cosign, cosignBase(string(name))},
		{catalog.Named, string(name)},
	} {
		if f.about == "" {
			continue
		}
		plain = false
		root.Form, root.About = f.form, f.about
		if err := yield(root); err != nil {
			return err
		}
	}
	if plain {
		return yield(root)
	}
	return nil
}

// fallbackOf is the name of an entry that is a list of referrers; "" for others.
func fallbackOf(mediaType, name string) string {
	if content.IsIndex(mediaType) && isFallbackTag(name) {
		return name
	}
	return ""
}

// rootsOf lists the roots that an entry gives.
func rootsOf(e Entry) []catalog.Root {
	var roots []catalog.Root
	s := summarize(e)
	_ = eachRoot(&s, e.Raw, func(r catalog.Root) error { // an Entry is what ParseEntry takes
		roots = append(roots, r)
		return nil
	})
	return roots
}

// Manifest reads one manifest, proven.
func (c crawled) Manifest(ctx context.Context, ref catalog.Ref, list bool) (content.Manifest, error) {
	limits := c.r.o.Limits
	if list {
		limits.Manifest = limits.Index // one subject may have very many referrers
	}
	flat := c.flat[0]
	if ref.Digest.Algorithm() == digest.SHA512 {
		flat = c.flat[1]
	}
	return c.r.readManifest(ctx, ref.Descriptor(), limits, flat)
}

// state is how index.json and the directories of blobs are now.
func (r *Reader) state() (catalog.State, error) {
	var s catalog.State
	info, err := os.Stat(filepath.Join(r.path, "index.json"))
	if err != nil {
		return s, err
	}
	s.Index = durable.StampOf(info)
	for i, alg := range []string{"sha256", "sha512"} {
		if info, err := os.Stat(filepath.Join(r.path, "blobs", alg)); err == nil {
			s.Blobs[i] = durable.StampOf(info)
		}
	}
	s.At = time.Now()
	return s, nil
}

func (r *Reader) catalog() catalog.Catalog {
	return catalog.Catalog{Dir: filepath.Join(r.path, stateDir), NoSync: r.o.NoSync, Limits: r.o.Limits}
}

// fewManifests is how many manifests are rather read each time than remembered.
const fewManifests = 64

// An asker asks the catalog, or, where there can be none, reads every manifest once.
// It is not safe for concurrent use, and must be closed.
type asker struct {
	r     *Reader
	snap  *catalog.Snapshot
	since time.Time
	own   *catalog.Facts // without a catalog
}

// longAsk is how long a snapshot is kept. It keeps writers out of the catalog.
const longAsk = 50 * time.Millisecond

func (r *Reader) asker() *asker { return &asker{r: r} }

func (a *asker) close() {
	if a.snap != nil {
		a.snap.Close()
		a.snap = nil
	}
}

// facts gives what there is to know, as of now or a moment ago.
func (a *asker) facts(ctx context.Context) (catalog.Facts, error) {
	if a.own != nil {
		return *a.own, nil
	}
	if a.snap != nil && time.Since(a.since) < longAsk {
		return a.snap.Facts, nil
	}
	a.close()
	for attempt := 0; attempt < 4; attempt++ {
		err := a.open(ctx)
		switch {
		case err == nil && a.own != nil:
			return *a.own, nil
		case err == nil:
			return a.snap.Facts, nil
		case errors.Is(err, content.ErrCorrupt): // torn, or damaged for good
			if err := pause(ctx, attempt); err != nil {
				return catalog.Facts{}, err
			}
		case !errors.Is(err, catalog.ErrStale):
			attempt = 4
		}
		if ctx.Err() != nil {
			return catalog.Facts{}, context.Cause(ctx)
		}
	}
	return a.compute(ctx, 0)
}

// pause waits until a file that another tool writes may be whole.
func pause(ctx context.Context, attempt int) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Duration(attempt+1) * 10 * time.Millisecond):
		return nil
	}
}

// open opens the catalog, refreshed where that is needed. ErrStale says that others
// were in between.
func (a *asker) open(ctx context.Context) error {
	if a.r.archive {
		return catalog.ErrUnusable
	}
	state, err := a.r.state()
	if err != nil {
		return err
	}
	c := a.r.catalog()
	if !c.Exists() {
		if _, err := a.compute(ctx, fewManifests); !errors.Is(err, catalog.ErrLarge) {
			return err
		}
		h := leaseHolder{root: a.r.path}
		if _, err := h.ownDir(); err != nil {
			return errors.Join(catalog.ErrUnusable, err)
		}
	}
	a.since = time.Now()
	a.snap, err = c.Open(state, false)
	if !errors.Is(err, catalog.ErrStale) {
		return err
	}
	if err := c.Refresh(ctx, state, a.r.crawled()); err != nil {
		return err
	}
	a.since = time.Now()
	a.snap, err = c.Open(state, true)
	return err
}

// compute reads every manifest; more than max, unless that is 0, is ErrLarge.
func (a *asker) compute(ctx context.Context, max int) (catalog.Facts, error) {
	for attempt := 0; ; attempt++ {
		facts, err := catalog.Compute(ctx, a.r.crawled(), max, a.r.o.Limits)
		if err == nil {
			a.own = &facts
			return facts, nil
		}
		if attempt == 3 || a.r.archive || !errors.Is(err, content.ErrCorrupt) {
			return catalog.Facts{}, err
		}
		if err := pause(ctx, attempt); err != nil {
			return catalog.Facts{}, err
		}
	}
}

// news is what a change of index.json means for the catalog.
type news struct {
	before, after durable.Stamp
	known         bool // after is that of the very file that was written
	at            time.Time
	added, gone   []catalog.Root
}

// fewNews is how many changes a writer brings into the catalog. More are left to
// whoever asks next.
const fewNews = 1000

// newsOf gathers, before index.json is replaced, what the changes mean; nil if
// there is no catalog to tell.
func (l *Layout) newsOf(tx *Tx, read indexFile) *news {
	disk, ok := read.(diskIndex)
	if !ok || !l.catalog().Exists() || len(tx.removed)+len(tx.replaced)+len(tx.added) > fewNews {
		return nil
	}
	n := &news{before: durable.StampOf(disk.info)}
	for _, e := range tx.fresh() {
		n.added = append(n.added, rootsOf(e)...)
	}
	for _, i := range slices.Concat(keys(tx.removed), keys(tx.replaced)) {
		old, err := tx.base.entry(i)
		if err != nil {
			return nil
		}
		for _, root := range rootsOf(old) {
			still, err := tx.gives(root)
			if err != nil {
				return nil
			}
			if !still {
				n.gone = append(n.gone, root)
			}
		}
	}
	return n
}

func keys[V any](m map[int]V) []int {
	list := make([]int, 0, len(m))
	for i := range m {
		list = append(list, i)
	}
	slices.Sort(list)
	return list
}

// gives says whether any entry gives a root, with the changes so far.
func (tx *Tx) gives(root catalog.Root) (bool, error) {
	same, err := tx.ByDigest(root.Digest)
	for _, e := range same {
		for _, r := range rootsOf(e) {
			if r.Form == root.Form && r.About == root.About {
				return true, nil
			}
		}
	}
	return false, err
}

// look notes how index.json is after the staged file, which was as before says, was
// put in its place.
func (n *news) look(before os.FileInfo, path string) {
	if n == nil {
		return
	}
	n.at = time.Now()
	now, err := os.Lstat(path)
	if err != nil {
		return
	}
	n.known = os.SameFile(before, now) && before.Size() == now.Size() && before.ModTime().Equal(now.ModTime())
	n.after = durable.StampOf(now)
}

// settle does what follows a change: the catalog is told, and lists that were
// replaced go. The change is made already, so what fails here is left to others.
func (l *Layout) settle(ctx context.Context, tx *Tx, n *news) {
	told := false
	if n != nil && n.known {
		before := catalog.State{Index: n.before}
		after := catalog.State{Index: n.after, At: n.at}
		told = l.catalog().Apply(ctx, before, after, n.added, n.gone, l.crawled()) == nil
	}
	l.dropReplaced(ctx, tx, n, told)
}
