package layout

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"

	"github.com/ocilayout/ocilayout/content"
)

// leftovers removes what other tools staged and left: skopeo and what is built on its
// library oci-put-blob*, oras and containerd what is in ingest, regctl *.tmp.
func (c *collector) leftovers(ctx context.Context) error {
	root, err := os.OpenRoot(c.l.path)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // only a handle
	names, err := namesIn(root)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.leftover(root, name, isLeftover(name)); err != nil {
			return err
		}
	}
	for _, dir := range c.dirs {
		for _, name := range dir.names {
			if err := c.leftover(dir.root, name, isLeftover(name)); err != nil {
				return err
			}
		}
	}
	ingest, err := openPlainDir(root, "ingest")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, content.ErrRefused) {
		return nil // none, or none that a tool made
	}
	if err != nil {
		return err
	}
	defer func() { _ = ingest.Close() }() // only a handle
	if err := c.ingest(ctx, ingest, 0); err != nil || c.o.DryRun {
		return err
	}
	_ = root.Remove("ingest") // if nothing is left in it
	return nil
}

func isLeftover(name string) bool {
	put, _ := path.Match("oci-put-blob*", name)
	tmp, _ := path.Match("*.tmp", name)
	return put || tmp
}

// leftover removes one file that is old enough.
func (c *collector) leftover(dir *os.Root, name string, is bool) error {
	if !is {
		return nil
	}
	info, err := dir.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || c.young(info) {
		return ifThere(err)
	}
	c.report.Leftovers.add(info.Size())
	if c.o.DryRun {
		return nil
	}
	return ifThere(dir.Remove(name))
}

// ingest empties a directory in which tools take content in. No tool nests them deep.
func (c *collector) ingest(ctx context.Context, dir *os.Root, depth int) error {
	names, err := namesIn(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		info, err := dir.Lstat(name)
		if err != nil {
			continue // its tool has just removed it
		}
		if !info.IsDir() || depth > 4 {
			if err := c.leftover(dir, name, true); err != nil {
				return err
			}
			continue
		}
		sub, err := openPlainDir(dir, name)
		if err != nil {
			continue
		}
		err = errors.Join(c.ingest(ctx, sub, depth+1), sub.Close())
		if err != nil {
			return err
		}
		if !c.o.DryRun && !c.young(info) {
			_ = dir.Remove(name) // if nothing is left in it
		}
	}
	return nil
}
