package layout

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// A Batch stages blobs and publishes them together, which costs a few syncs
// however many they are. It is safe for concurrent use. Until Publish nobody sees
// a staged blob but the Batch itself; from then until Close, gc leaves it alone
// even if no name points to it. So the order is: push, Publish, Update, Close.
type Batch struct {
	l  *Layout
	id int // among the batches of l

	mu     sync.Mutex
	staged map[content.Digest]*stagedBlob
	held   map[content.Digest]string // published or relied on: the link that keeps it; "" without links
	syncs  *errgroup.Group           // fsyncs of large blobs, under way
	point  *durable.SyncPoint

	partials []string // names of the lease that PushResumable has staged under
}

// stagedBlob is a proven blob that has no name yet.
type stagedBlob struct {
	path   string
	size   int64
	synced bool // or a sync is under way
}

// Blobs of this size are synced while the next ones are written; smaller ones are
// synced together.
const syncAlone = 1 << 20

// From this many blobs on, one sync of the filesystem is cheaper than theirs.
const syncTogether = 32

// Batch begins an empty batch. The caller closes it.
func (l *Layout) Batch() *Batch {
	b := &Batch{l: l, staged: map[content.Digest]*stagedBlob{}, held: map[content.Digest]string{}}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun++
	b.id = l.begun
	l.batches = append(l.batches, b)
	return b
}

// forget takes a closed batch from those that Update looks after.
func (l *Layout) forget(b *Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches = slices.DeleteFunc(l.batches, func(other *Batch) bool { return other == b })
}

// Push stages want's bytes from r, proven: fewer, more or other bytes are an error
// and stage nothing. A blob that is there already is not trusted for that: it is
// hashed, kept if it is right, and replaced if not. See content.Pusher.
func (b *Batch) Push(ctx context.Context, want content.Descriptor, r io.Reader) error {
	return b.pushProven(ctx, want, content.Verify(io.NopCloser(r), want))
}

// pushProven is Push of what proves itself: its last Read is io.EOF only if all was right.
func (b *Batch) pushProven(ctx context.Context, want content.Descriptor, r io.Reader) error {
	if err := checkWritable(want); err != nil {
		return err
	}
	if ok, err := b.has(ctx, want); err != nil || ok {
		return err
	}
	w, err := b.create(ctx)
	if err != nil {
		return err
	}
	return b.fill(w, want, r)
}

// fill writes want's bytes from r, which proves them, to w, and takes w into the batch.
func (b *Batch) fill(w *BlobWriter, want content.Descriptor, r io.Reader) error {
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	_, err := io.CopyBuffer(onlyWriter{w.file}, r, *buf)
	if err != nil {
		return errors.Join(err, w.Abort())
	}
	return b.add(w, want.Digest, want.Size)
}

func checkWritable(want content.Descriptor) error {
	if err := content.CheckDigest(want.Digest); err != nil {
		return err
	}
	if !content.Verifiable(want.Digest) {
		return content.AtDigest(want.Digest, content.Errorf(content.ErrUnsupported, "a digest of algorithm %s can't be verified, so it is not stored", want.Digest.Algorithm()))
	}
	return nil
}

// has says whether want is staged, held, or in the layout with the right bytes;
// then it is held from now on.
func (b *Batch) has(ctx context.Context, want content.Descriptor) (bool, error) {
	b.mu.Lock()
	staged, isStaged := b.staged[want.Digest]
	_, isHeld := b.held[want.Digest]
	b.mu.Unlock()
	if isHeld || isStaged && staged.size == want.Size {
		return true, nil
	}
	if size, err := b.l.Size(ctx, want.Digest); err != nil || size != want.Size {
		if errors.Is(err, content.ErrNotFound) || errors.Is(err, content.ErrRefused) {
			err = nil // a file of another kind in its place is replaced as well
		}
		return false, err
	}
	if err := b.hold(ctx, want.Digest); err != nil {
		return false, err
	}
	if right, err := b.proven(ctx, want); err != nil || !right {
		b.release(want.Digest)
		return false, err
	}
	return true, nil
}

// proven reads the blob that is there and says whether it is right.
func (b *Batch) proven(ctx context.Context, want content.Descriptor) (bool, error) {
	f, err := b.l.ReaderAt(ctx, want.Digest)
	if err == nil {
		err = errors.Join(prove(ctx, f, want), f.Close())
	}
	if errors.Is(err, content.ErrCorrupt) || errors.Is(err, content.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// hold links a published blob into the lease, so that gc leaves it alone.
func (b *Batch) hold(ctx context.Context, d content.Digest) error {
	dir, err := b.l.lease.begin(ctx)
	if err != nil {
		return err
	}
	link := filepath.Join(dir, b.holdName(d))
	final := b.l.blobFile(d)
	if info, err := os.Lstat(final); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		link = "" // not ours to link; it leads to what we do not own
	} else if err := b.l.disk.LinkInto(final, link); errors.Is(err, durable.ErrNoLinks) {
		link = ""
		if err := b.l.lease.withoutLinks(ctx); err != nil {
			return err
		}
	} else if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held[d] = link
	return nil
}

// holdName is the name of a blob's link in the lease. Each batch has its own, since
// it removes it when it ends. gc knows blobs by their inodes, whatever the name.
func (b *Batch) holdName(d content.Digest) string {
	return strconv.Itoa(b.id) + "-" + d.Algorithm().String() + "-" + d.Encoded()
}

func (b *Batch) release(d content.Digest) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if link := b.held[d]; link != "" {
		_ = os.Remove(link) // the end of the lease removes it otherwise
	}
	delete(b.held, d)
}

func (l *Layout) blobFile(d content.Digest) string {
	return filepath.Join(l.path, filepath.FromSlash(blobPath(d)))
}

// PushBytes stages data under its sha256 and returns its descriptor.
func (b *Batch) PushBytes(ctx context.Context, mediaType string, data []byte) (content.Descriptor, error) {
	desc := content.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	return desc, b.Push(ctx, desc, bytes.NewReader(data))
}

// PushFile stages want from a file on disk, which is read from its start: it
// shares the bytes with the file where the filesystem can (a reflink), and copies
// them elsewhere. Either way they are proven.
func (b *Batch) PushFile(ctx context.Context, want content.Descriptor, f *os.File) error {
	if err := checkWritable(want); err != nil {
		return err
	}
	if ok, err := b.has(ctx, want); err != nil || ok {
		return err
	}
	w, err := b.create(ctx)
	if err != nil {
		return err
	}
	cloned, err := durable.Clone(w.file.File, f)
	if err != nil {
		return errors.Join(err, w.Abort())
	}
	if !cloned {
		return b.fill(w, want, content.Verify(io.NopCloser(io.NewSectionReader(f, 0, math.MaxInt64)), want))
	}
	if err := prove(ctx, w.file, want); err != nil {
		return errors.Join(err, w.Abort())
	}
	return b.add(w, want.Digest, want.Size)
}

// LinkFile stages want as a hard link to the file at path, which must be a
// regular file of this user and of want's size; it says false where that can't
// be. The bytes are not read: they are as right as those of the file, now and later.
func (b *Batch) LinkFile(ctx context.Context, want content.Descriptor, path string) (bool, error) {
	if err := checkWritable(want); err != nil {
		return false, err
	}
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || !durable.SameOwner(info) || info.Size() != want.Size {
		return false, nil
	}
	dir, err := b.l.lease.begin(ctx)
	if err != nil {
		return false, err
	}
	if err := b.watch(dir); err != nil {
		return false, err
	}
	staged := filepath.Join(dir, b.holdName(want.Digest))
	if err := b.l.disk.LinkInto(path, staged); errors.Is(err, durable.ErrNoLinks) {
		return false, nil
	} else if err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.staged[want.Digest] = &stagedBlob{path: staged, size: want.Size}
	return true, nil
}

// A BlobWriter takes a blob whose digest nobody knows yet. Commit or Abort ends it.
type BlobWriter struct {
	b    *Batch
	file *durable.File
	hash digest.Digester
	size int64
}

// Create begins a blob that will be named by alg: sha256 or sha512.
func (b *Batch) Create(ctx context.Context, alg digest.Algorithm) (*BlobWriter, error) {
	if alg != digest.SHA256 && alg != digest.SHA512 {
		return nil, content.Errorf(content.ErrUnsupported, "digest algorithm %q", alg)
	}
	w, err := b.create(ctx)
	if err != nil {
		return nil, err
	}
	w.hash = alg.Digester()
	return w, nil
}

func (b *Batch) create(ctx context.Context) (*BlobWriter, error) {
	dir, err := b.l.lease.begin(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.watch(dir); err != nil {
		return nil, err
	}
	f, err := b.l.disk.Stage(dir)
	if err != nil {
		return nil, err
	}
	return &BlobWriter{b: b, file: f}, nil
}

// watch opens the batch's SyncPoint, before its first write.
func (b *Batch) watch(dir string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.point != nil {
		return nil
	}
	var err error
	b.point, err = b.l.disk.SyncPoint(dir)
	return err
}

// Write writes to the blob and its hash.
func (w *BlobWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.hash.Hash().Write(p[:n])
	w.size += int64(n)
	return n, err
}

// Commit stages the blob under the digest of what was written.
func (w *BlobWriter) Commit() (content.Digest, int64, error) {
	d := w.hash.Digest()
	return d, w.size, w.b.add(w, d, w.size)
}

// Abort drops the blob. After Commit, or a second time, it does nothing.
func (w *BlobWriter) Abort() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Discard()
	w.file = nil
	return err
}

// add takes a finished blob into the batch. It does not wait for the disk.
func (b *Batch) add(w *BlobWriter, d content.Digest, size int64) error {
	file := w.file
	w.file = nil
	blob := &stagedBlob{path: file.Name(), size: size}
	b.mu.Lock()
	_, twice := b.staged[d]
	if !twice {
		b.staged[d] = blob
	}
	if b.syncs == nil {
		b.syncs = &errgroup.Group{}
		b.syncs.SetLimit(2 * runtime.GOMAXPROCS(0))
	}
	syncs := b.syncs
	b.mu.Unlock()
	if twice {
		return file.Discard()
	}
	if size < syncAlone {
		return file.Close()
	}
	blob.synced = true
	syncs.Go(func() error { return errors.Join(file.Fsync(), file.Close()) })
	return nil
}

// Drop forgets a staged blob: Publish leaves it out.
func (b *Batch) Drop(d content.Digest) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	blob := b.staged[d]
	if blob == nil {
		return nil
	}
	delete(b.staged, d)
	return os.Remove(blob.path)
}

// Fetch opens a staged blob, or one of the layout, verified.
func (b *Batch) Fetch(ctx context.Context, target content.Descriptor) (io.ReadCloser, error) {
	b.mu.Lock()
	blob := b.staged[target.Digest]
	b.mu.Unlock()
	if blob == nil {
		return b.l.Fetch(ctx, target)
	}
	f, _, err := durable.OpenRegularNoFollow(blob.path)
	if err != nil {
		return nil, err
	}
	return content.Verify(f, target), nil
}

// Exists says whether target is staged or in the layout, with its size. What is
// there is held from now on, since the caller may rely on it.
func (b *Batch) Exists(ctx context.Context, target content.Descriptor) (bool, error) {
	b.mu.Lock()
	blob := b.staged[target.Digest]
	_, held := b.held[target.Digest]
	b.mu.Unlock()
	if blob != nil {
		return blob.size == target.Size, nil
	}
	there, err := b.l.Reader.Exists(ctx, target)
	if err != nil || !there || held {
		return there, err
	}
	if err := b.hold(ctx, target.Digest); err != nil {
		return false, err
	}
	// Only what is there now is surely held.
	if there, err = b.l.Reader.Exists(ctx, target); !there || err != nil {
		b.release(target.Digest)
	}
	return there, err
}

// Size is the size of a staged blob, or of one of the layout. Nothing is proven by it.
func (b *Batch) Size(ctx context.Context, d content.Digest) (int64, error) {
	b.mu.Lock()
	blob := b.staged[d]
	b.mu.Unlock()
	if blob != nil {
		return blob.size, nil
	}
	return b.l.Size(ctx, d)
}

// Publish gives all staged blobs their names in the layout. They are durable when
// it returns. A wrong file under one of the names is replaced. If it fails, some
// may have their names and be unreferenced; it may be called again.
func (b *Batch) Publish(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.syncs != nil {
		if err := b.syncs.Wait(); err != nil {
			return err
		}
		b.syncs = nil
	}
	if err := b.syncStaged(); err != nil {
		return err
	}
	var dirs []string
	for d, blob := range b.staged {
		dir := filepath.Dir(b.l.blobFile(d))
		if !slices.Contains(dirs, dir) {
			if err := b.l.blobDir(dir); err != nil {
				return err
			}
			dirs = append(dirs, dir)
		}
		if err := b.publish(ctx, d, blob); err != nil {
			return err
		}
	}
	for _, dir := range dirs {
		if err := b.l.disk.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// syncStaged syncs the bytes of what was not synced alone.
func (b *Batch) syncStaged() error {
	var open []*stagedBlob
	for _, blob := range b.staged {
		if !blob.synced {
			open = append(open, blob)
		}
	}
	if len(open) >= syncTogether && b.point != nil {
		done, err := b.point.Flush()
		if err != nil || done {
			return err
		}
	}
	for _, blob := range open {
		if err := b.l.disk.SyncFile(blob.path); err != nil {
			return err
		}
		blob.synced = true
	}
	return nil
}

// blobDir makes the directory of an algorithm. Nothing is written through a link.
func (l *Layout) blobDir(dir string) error {
	for _, d := range []string{filepath.Dir(dir), dir} {
		if info, err := os.Lstat(d); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return content.At(d, content.Errorf(content.ErrRefused, "is a symbolic link: nothing is written through it"))
		}
	}
	return l.disk.MkdirAll(dir)
}

// publish gives one blob its name. The staged name stays as the link that holds it.
func (b *Batch) publish(ctx context.Context, d content.Digest, blob *stagedBlob) error {
	final, link := b.l.blobFile(d), blob.path
	err := b.l.disk.LinkInto(blob.path, final)
	if errors.Is(err, fs.ErrExist) { // which is said also where there are no links
		err = b.l.replaceBlob(blob.path, final)
	}
	if errors.Is(err, durable.ErrNoLinks) {
		link = ""
		if err := b.l.lease.withoutLinks(ctx); err != nil {
			return err
		}
		err = b.l.disk.Publish(blob.path, final)
	}
	if err != nil {
		return err
	}
	delete(b.staged, d)
	b.held[d] = link
	return nil
}

// replaceBlob puts a staged blob in the place of a file, and keeps its staged name.
func (l *Layout) replaceBlob(staged, final string) error {
	second := staged + ".new"
	if err := l.disk.LinkInto(staged, second); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := l.disk.Publish(second, final); err != nil {
		return err
	}
	// A rename between two names of one file does nothing.
	if err := os.Remove(second); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// restore puts back every held blob that somebody removed since it was published,
// such as regctl's gc, and says how many.
func (b *Batch) restore() (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var dirs []string
	restored := 0
	for d, link := range b.held {
		if link == "" {
			continue
		}
		final := b.l.blobFile(d)
		if _, err := os.Lstat(final); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := b.l.disk.LinkInto(link, final); err != nil && !errors.Is(err, fs.ErrExist) {
			return restored, err
		}
		restored++
		if dir := filepath.Dir(final); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		if err := b.l.disk.SyncDir(dir); err != nil {
			return restored, err
		}
	}
	return restored, nil
}

// Close ends the batch: what is staged and not published is dropped, but for what
// PushResumable can go on with, and what it held is held no longer.
func (b *Batch) Close() error {
	b.l.forget(b)
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	if b.syncs != nil {
		_ = b.syncs.Wait() // of files that go now
		b.syncs = nil
	}
	for _, blob := range b.staged {
		if !leavePartial(blob.path) {
			errs = append(errs, os.Remove(blob.path))
		}
	}
	for _, link := range b.held {
		if link != "" {
			errs = append(errs, os.Remove(link))
		}
	}
	clear(b.staged)
	clear(b.held)
	for _, name := range b.partials {
		b.l.lease.leave(name)
	}
	b.partials = nil
	if b.point != nil {
		errs = append(errs, b.point.Close())
		b.point = nil
	}
	return errors.Join(errs...)
}
