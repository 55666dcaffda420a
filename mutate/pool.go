package mutate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
)

const (
	// layersAtOnce bounds memory: a layer takes a decompressor, some chunks, and a
	// compressor's blocks.
	layersAtOnce = 2
	// maxWorkers bounds the blocks of one compressor, 2.2 MB each.
	maxWorkers = 8
)

// A layerJob is one layer to be made. Layers of several images that come from the same
// bytes by the same steps are one job.
type layerJob struct {
	layers []*Layer // all alike
	alg    digest.Algorithm
	same   bool // the same bytes, under a digest of another algorithm
	form   string
	level  int
	report LayerReport
	result *layerResult // nil if the layer stays
	read   bool
	notes  []string // warnings
	// crowded says that other layers keep the cores busy meanwhile.
	crowded bool
}

// collect lists the layers below c that must be read, each once.
func (c *Child) collect(jobs map[string]*layerJob, order *[]*layerJob) error {
	if c.Index != nil {
		for _, child := range c.Index.Children {
			if err := child.collect(jobs, order); err != nil {
				return err
			}
		}
	}
	if c.Image == nil {
		return nil
	}
	for _, l := range c.Image.Layers {
		j, err := l.job(c.Image.Algorithm)
		if err != nil {
			return content.AtDigest(c.Descriptor.Digest, err)
		}
		if j == nil {
			continue
		}
		key := l.key(j)
		if jobs[key] == nil {
			jobs[key] = j
			*order = append(*order, j)
		} else {
			jobs[key].layers = append(jobs[key].layers, l)
		}
	}
	return nil
}

// job says what is to be done for a layer; nil is nothing.
func (l *Layer) job(asked digest.Algorithm) (*layerJob, error) {
	has := content.LayerCompression(l.Descriptor.MediaType)
	j := &layerJob{layers: []*Layer{l}, alg: algorithmFor(asked, l.Descriptor.Digest), form: has}
	if l.form != nil {
		j.form, j.level = l.form.Compression, l.form.Level
	}
	switch {
	case l.open == nil && len(l.steps) == 0 && j.form == has && j.level == 0:
		if l.Descriptor.Digest.Algorithm() == j.alg {
			return nil, nil
		}
		j.same = true
	case l.open == nil && has == "":
		return nil, content.AtDigest(l.Descriptor.Digest, content.Errorf(content.ErrUnsupported, "%s is no layer that can be edited", l.Descriptor.MediaType))
	}
	return j, nil
}

// key is equal for layers that become the same.
func (l *Layer) key(j *layerJob) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q %q %q %q %d", l.openKey, l.Descriptor.Digest, l.DiffID, j.alg, j.form, j.level)
	for _, s := range l.steps {
		fmt.Fprintf(&b, " %q", s.Key())
	}
	return b.String()
}

// layers makes every layer that edits have asked for.
func (j *Job) layers(ctx context.Context, root *Child) error {
	var order []*layerJob
	if err := root.collect(map[string]*layerJob{}, &order); err != nil {
		return err
	}
	// The largest goes first, so that none is alone at the end.
	largest := slices.Clone(order)
	slices.SortStableFunc(largest, func(a, b *layerJob) int {
		return int(min(1, max(-1, b.layers[0].Descriptor.Size-a.layers[0].Descriptor.Size)))
	})
	var total int64
	for _, job := range order {
		total += job.layers[0].Descriptor.Size
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(min(layersAtOnce, runtime.GOMAXPROCS(0)))
	for _, job := range largest {
		most := largest[0].layers[0].Descriptor.Size
		job.crowded = total-most >= most/2
		g.Go(func() error { return job.layers[0].at(job.run(ctx, j)) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, job := range order {
		job.finish(j)
	}
	j.disappoint()
	return nil
}

// finish hands the result to the layers and to the report.
func (j *layerJob) finish(job *Job) {
	for _, note := range j.notes {
		job.Warn("%s", note)
	}
	if j.read {
		job.Report.LayersRead++
	}
	if j.result == nil {
		return
	}
	for _, l := range j.layers {
		l.result = j.result
	}
	job.Report.Layers = append(job.Report.Layers, j.report)
}

// run makes the layer. A second pass is needed only where a hard link leads to a
// member that was dropped.
func (j *layerJob) run(ctx context.Context, job *Job) error {
	wanted := map[string]bool{}
	for {
		missed, err := j.once(ctx, job, wanted)
		if err != nil || len(missed) == 0 {
			return err
		}
		for name := range missed {
			wanted[name] = true
		}
	}
}

// open reads the layer's blob, or an added layer's tar.
func (j *layerJob) open(ctx context.Context, job *Job) (io.ReadCloser, error) {
	l := j.layers[0]
	if l.open != nil {
		return l.open(ctx)
	}
	rc, err := fetcher{job}.Fetch(ctx, l.Descriptor)
	if errors.Is(err, content.ErrNotFound) {
		err = content.Errorf(content.ErrMissing, "layer is not in the layout")
	}
	return rc, err
}

// once reads the layer through its steps. It returns the dropped members whose bodies
// it should have kept; then nothing is made yet.
func (j *layerJob) once(ctx context.Context, job *Job, wanted map[string]bool) (map[string]bool, error) {
	l := j.layers[0]
	rc, err := j.open(ctx, job)
	if errors.Is(err, content.ErrMissing) && content.IsForeign(l.Descriptor.MediaType) {
		j.notes = append(j.notes, fmt.Sprintf("%s: foreign layer is not in the layout and stays as it is", l.Descriptor.Digest))
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = rc.Close() }() // the verdict came with the last Read
	j.read = true
	w, err := job.Batch.Create(ctx, j.alg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Abort() }() // nothing after Commit
	raw := content.Track(ctx, rc, "edit", content.Short(l.Descriptor.Digest), l.Descriptor.Size)
	if j.same {
		if _, err := io.Copy(w, raw); err != nil {
			return nil, err
		}
		return nil, j.commit(w, l.DiffID, j.form)
	}
	in, from, err := openPlain(raw, w, j.keeps, l.DiffID, job.Limits)
	if err != nil {
		return nil, err
	}
	defer in.close()
	var enc io.WriteCloser = discard{}
	if !j.keeps(from) {
		if enc, err = j.encoder(w); err != nil {
			return nil, err
		}
	}
	missed, changed, diffID, err := j.pass(in, enc, job.Limits, wanted)
	if cerr := enc.Close(); err == nil {
		err = cerr
	}
	if err != nil || len(missed) > 0 {
		return missed, in.blame(err)
	}
	if !changed && l.open == nil && j.form == from && j.level == 0 {
		return nil, j.unchanged(ctx, job, l)
	}
	return nil, j.commit(w, diffID, j.form)
}

// unchanged is the end of a pass that changed nothing: the layer stays, under a digest
// of another algorithm if that was asked for.
func (j *layerJob) unchanged(ctx context.Context, job *Job, l *Layer) error {
	if l.Descriptor.Digest.Algorithm() == j.alg {
		return nil
	}
	j.same = true
	_, err := j.once(ctx, job, nil)
	return err
}

// keeps says whether an added layer that came compressed as from is stored as it is. It
// settles the form of one for which none was asked.
func (j *layerJob) keeps(from string) bool {
	l := j.layers[0]
	if j.form == "" {
		if j.form = from; from != "gzip" && from != "zstd" {
			j.form = "gzip"
		}
	}
	return l.open != nil && len(l.steps) == 0 && j.form == from && j.level == 0
}

// pass runs the steps from in to out. A layer that is there and has none is not looked
// into; one that is added is, for it may be no tar.
func (j *layerJob) pass(in *plain, out io.Writer, lim content.Limits, wanted map[string]bool) (missed map[string]bool, changed bool, diffID content.Digest, err error) {
	l := j.layers[0]
	if len(l.steps) == 0 && l.open == nil {
		_, err := in.ahead.WriteTo(out)
		return nil, false, in.diffID(), err
	}
	diff := digest.SHA256.Hash()
	p := newPass(in.ahead, hashed{out, diff}, l.steps, lim, wanted)
	if err := p.run(); err != nil {
		return nil, false, "", err
	}
	j.report.Members, j.report.Dropped = p.kept, p.dropped
	if p.garbage && p.changed {
		j.notes = append(j.notes, fmt.Sprintf("%s: bytes after the end of the layer's tar are left out", j.layers[0].Descriptor.Digest))
	}
	return p.links.missed, p.changed, digest.NewDigest(digest.SHA256, diff), nil
}

// commit stages what was written and notes what it is. A layer that lost all its members
// is not stored.
func (j *layerJob) commit(w interface {
	Commit() (content.Digest, int64, error)
}, diffID content.Digest, form string) error {
	j.report.Old = j.layers[0].Descriptor.Digest
	if j.report.Members == 0 && j.report.Dropped > 0 {
		j.result = &layerResult{emptied: true}
		return nil
	}
	d, size, err := w.Commit()
	if err != nil {
		return err
	}
	j.result = &layerResult{digest: d, size: size, diffID: diffID, form: form, same: j.same}
	j.report.New, j.report.Size, j.report.DiffID = d, size, diffID
	return nil
}

// hashed writes to both.
type hashed struct {
	w io.Writer
	h hash.Hash
}

func (h hashed) Write(p []byte) (int, error) {
	h.h.Write(p)
	return h.w.Write(p)
}

// A plain is a layer's uncompressed tar, read ahead, whose end proves the blob and the
// diffID.
type plain struct {
	ahead *ahead
	raw   io.Reader
	dec   io.ReadCloser
	hash  hash.Hash
	alg   digest.Algorithm
	want  content.Digest
	once  sync.Once
}

// openPlain reads raw, in whatever compression it is, and says in which. If keeps says
// so, raw is written to w too.
func openPlain(raw io.Reader, w io.Writer, keeps func(from string) bool, want content.Digest, lim content.Limits) (*plain, string, error) {
	buffered := bufio.NewReaderSize(raw, 64<<10)
	format, err := compress.Sniff(buffered)
	if err != nil {
		return nil, "", err
	}
	var br io.Reader = buffered
	if keeps(format.String()) {
		br = io.TeeReader(br, w)
	}
	dec, err := compress.NewReader(br, format, compress.Limits{MaxBytes: lim.Layer, MaxRatio: lim.Ratio})
	if err != nil {
		return nil, "", err
	}
	p := &plain{raw: br, dec: dec, want: want, alg: digest.SHA256}
	if want != "" && content.Verifiable(want) {
		p.alg = want.Algorithm()
	}
	p.hash = p.alg.Hash()
	p.ahead = newAhead(readerFunc(p.read))
	return p, format.String(), nil
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// read is called by the goroutine that reads ahead.
func (p *plain) read(b []byte) (int, error) {
	n, err := p.dec.Read(b)
	p.hash.Write(b[:n])
	if err != io.EOF {
		return n, err
	}
	if _, err := io.Copy(io.Discard, p.raw); err != nil {
		return n, err
	}
	if got := p.diffID(); p.want != "" && got != p.want {
		return n, content.Errorf(content.ErrDigest, "layer decompresses to %s, the config says %s", got, p.want)
	}
	return n, io.EOF
}

// diffID is the digest of what was read.
func (p *plain) diffID() content.Digest {
	return content.Digest(p.alg.String() + ":" + p.alg.Encode(p.hash.Sum(nil)))
}

// blame says why a pass failed: if the blob is not what its digest says, that is the
// better answer.
func (p *plain) blame(err error) error {
	if !errors.Is(err, content.ErrCorrupt) {
		return err
	}
	p.close()
	if _, bad := io.Copy(io.Discard, p.raw); bad != nil {
		return bad
	}
	return err
}

func (p *plain) close() {
	p.once.Do(func() {
		p.ahead.Close()
		_ = p.dec.Close() // frees buffers only
	})
}

// encoder compresses to w, in a way that suits the company it has.
func (j *layerJob) encoder(w io.Writer) (io.WriteCloser, error) {
	if j.crowded && j.form == "zstd" {
		return compress.NewSerialZstdWriter(w, j.level)
	}
	return newEncoder(w, j.form, j.level)
}

// newEncoder compresses to w.
func newEncoder(w io.Writer, form string, level int) (io.WriteCloser, error) {
	switch form {
	case "gzip":
		return compress.NewGzipWriter(w, compress.GzipOptions{Level: level, Workers: min(maxWorkers, runtime.GOMAXPROCS(0))})
	case "zstd":
		return compress.NewZstdWriter(w, level)
	}
	return nopCloser{bufio.NewWriterSize(w, 256<<10)}, nil
}

// discard is the encoder of what is stored as it came.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }

// nopCloser is what "none" compresses with.
type nopCloser struct{ *bufio.Writer }

func (n nopCloser) Close() error { return n.Flush() }
