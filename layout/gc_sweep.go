package layout

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// blobFiles is the directory of the blobs of one algorithm, and the names in it.
// Nothing is removed but through the handle, and so out of no other directory.
type blobFiles struct {
	alg   digest.Algorithm
	root  *os.Root
	names []string
}

func (b blobFiles) digest(name string) content.Digest {
	return content.Digest(string(b.alg) + ":" + name)
}

// openBlobFiles opens the directories of blobs whose digests can be verified. A link
// in place of one is ErrRefused: what is behind it may be of other layouts, too.
func openBlobFiles(layout string) (dirs []blobFiles, err error) {
	root, err := os.OpenRoot(layout)
	if err != nil {
		return nil, err
	}
	defer func() {
		_ = root.Close() // only a handle
		if err != nil {
			for _, dir := range dirs {
				_ = dir.root.Close()
			}
			dirs = nil
		}
	}()
	for _, alg := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
		sub, err := openPlainDir(root, path.Join("blobs", string(alg)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return dirs, err
		}
		dirs = append(dirs, blobFiles{alg: alg, root: sub})
		last := &dirs[len(dirs)-1]
		if last.names, err = namesIn(sub); err != nil {
			return dirs, err
		}
	}
	return dirs, nil
}

// openPlainDir opens a directory below root; a link on the way is ErrRefused.
func openPlainDir(root *os.Root, name string) (*os.Root, error) {
	for at := name; at != "."; at = path.Dir(at) {
		info, err := root.Lstat(at)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			return nil, content.At(at, content.Errorf(content.ErrRefused, "is not a directory: nothing is removed through it"))
		}
	}
	return root.OpenRoot(name)
}

// namesIn lists what is in a directory; one that was removed since it was opened, as
// a writer removes its own when it ends, has nothing in it. An error names the
// directory, and not the "." by which it was opened.
func namesIn(root *os.Root) ([]string, error) {
	f, err := root.Open(".")
	if err == nil {
		var names []string
		names, err = f.Readdirnames(-1)
		if err = errors.Join(err, f.Close()); err == nil {
			return names, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		at.Path = root.Name()
	}
	return nil, err
}

// unreached is a blob that no entry reaches, as it was when it was judged.
type unreached struct {
	dir    blobFiles
	name   string
	digest content.Digest
	info   os.FileInfo
	rank   int // manifests before what they refer to
}

// sweep judges what is not marked, and removes it.
func (c *collector) sweep(ctx context.Context) error {
	c.now = time.Now()
	leased, err := c.leases()
	if err != nil {
		return err
	}
	var gone, held, young []unreached
	for _, dir := range c.dirs {
		for _, name := range dir.names {
			u := unreached{dir: dir, name: name, digest: dir.digest(name)}
			if content.CheckDigest(u.digest) != nil || c.mark.has(u.digest) {
				continue
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if u.info, err = dir.root.Lstat(name); err != nil || !u.info.Mode().IsRegular() {
				continue // it went, or is a link
			}
			switch {
			case leased[identify(u.info)]:
				held = append(held, u)
			case c.young(u.info):
				young = append(young, u)
			default:
				gone = append(gone, u)
			}
		}
	}
	if gone, err = c.keepWith(ctx, held, gone, &c.report.KeptByLease); err != nil {
		return err
	}
	if gone, err = c.keepWith(ctx, young, gone, &c.report.KeptByGrace); err != nil {
		return err
	}
	if err := c.remove(ctx, gone); err != nil || !c.o.Leftovers {
		return err
	}
	return c.leftovers(ctx)
}

// young says whether a file is within the grace. The change of an inode counts, since
// tar and copies give files old times, and links do not change theirs. Who wrote a file
// may have given it any time, so that one which is far from coming is none; but the
// change of an inode is told by the clock alone, which was put back since: nobody
// knows how long ago that was, and the file is young.
func (c *collector) young(info os.FileInfo) bool {
	s := durable.StampOf(info)
	written, changed := c.now.Sub(time.Unix(0, s.MtimeNs)), c.now.Sub(time.Unix(0, s.CtimeNs))
	return written.Abs() < c.o.Grace || changed < c.o.Grace && c.o.Grace > 0
}

// keepWith keeps blobs, and what those of them reach that are manifests, and returns
// the others. Nobody vouches for these manifests: what is wrong with one is no error.
func (c *collector) keepWith(ctx context.Context, kept, others []unreached, count *Amount) ([]unreached, error) {
	if len(kept) == 0 {
		return others, nil
	}
	nodes := make([]markNode, 0, len(kept))
	for _, u := range kept {
		count.add(u.info.Size())
		nodes = append(nodes, markNode{digest: u.digest, need: weak, sniff: true})
	}
	if err := c.mark.run(ctx, nodes); err != nil && !errors.Is(err, content.ErrRefused) {
		return nil, err
	}
	return slices.DeleteFunc(others, func(u unreached) bool {
		if c.mark.has(u.digest) {
			count.add(u.info.Size())
			return true
		}
		return false
	}), nil
}

// remove removes blobs. What changed since it was judged is somebody's, and stays with
// what it reaches, which goes later: a writer has just begun to rely on it.
func (c *collector) remove(ctx context.Context, gone []unreached) error {
	if len(gone) == 0 {
		return nil
	}
	if err := c.rank(ctx, gone); err != nil {
		return err
	}
	if err := c.settleNames(); err != nil {
		return err
	}
	for len(gone) > 0 {
		u := gone[0]
		gone = gone[1:]
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !c.o.DryRun {
			now, err := u.dir.root.Lstat(u.name)
			if err != nil {
				continue
			}
			if durable.StampOf(now) != durable.StampOf(u.info) {
				if gone, err = c.keepWith(ctx, []unreached{u}, gone, &c.report.KeptByLease); err != nil {
					return err
				}
				continue
			}
			if err := u.dir.root.Remove(u.name); err != nil {
				return err
			}
		}
		c.report.Removed.add(u.info.Size())
		c.report.Digests = append(c.report.Digests, u.digest)
	}
	return nil
}

// rank puts blobs in the order in which they go: indexes, manifests, the rest. So no
// manifest is ever there without what it refers to.
func (c *collector) rank(ctx context.Context, gone []unreached) error {
	for i := range gone {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		gone[i].rank = 2
		m, err := c.mark.sniff(ctx, gone[i].digest)
		if err != nil || m == nil {
			continue // not one that anybody could use
		}
		gone[i].rank = 1
		if m.Manifests != nil {
			gone[i].rank = 0
		}
	}
	slices.SortFunc(gone, func(a, b unreached) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.digest, b.digest))
	})
	return nil
}

// settleNames makes index.json durable as it is. Another tool may have taken names
// away without that; a power cut would bring them back, without their blobs.
func (c *collector) settleNames() error {
	index := filepath.Join(c.l.path, "index.json")
	if info, err := os.Lstat(index); c.o.DryRun || err != nil || !info.Mode().IsRegular() {
		return err
	}
	if err := c.l.disk.SyncFile(index); err != nil {
		return err
	}
	return c.l.disk.SyncDir(c.l.path)
}
