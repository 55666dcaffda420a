package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/ui"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/registry"
	"github.com/ocilayout/ocilayout/registry/sync"
)

// maxSyncConfig is more bytes than a configuration may have.
const maxSyncConfig = 4<<20 + 1

// errSyncFailed is returned with a report that lists what failed.
var errSyncFailed = &verdict{"something failed", exitFailed}

// syncFlags are the flags of sync, as they are given.
type syncFlags struct {
	to       registryFlags
	list     ordered
	lockFile string
	locked   bool
	watch    bool
	verify   bool // what is there
	o        sync.Options
	lock     sync.Lock // what --lock-file says so far
}

// forManyHosts are the flags of registries but those with credentials, which would go to
// every host that the file names.
func (f *syncFlags) forManyHosts() []cli.Flag {
	return slices.DeleteFunc(f.to.flags(), func(flag cli.Flag) bool {
		return slices.Contains([]string{"username", "password-stdin", "cert-file", "key-file"}, flag.Names()[0])
	})
}

// prepare reads the configuration and the lock.
func (f *syncFlags) prepare(e *env, path string) (*sync.Config, *registry.Session, error) {
	switch {
	case f.locked && f.lockFile == "":
		return nil, nil, &usageError{"--locked reads --lock-file, which is not given", "sync"}
	case f.watch && f.o.Check:
		return nil, nil, &usageError{"--watch and --check exclude each other", "sync"}
	case f.o.Parallel < 0:
		return nil, nil, &usageError{"--parallel is less than nothing", "sync"}
	}
	ro, err := f.to.options(e)
	if err != nil {
		return nil, nil, err
	}
	c, err := readSyncConfig(e, path)
	if err != nil {
		return nil, nil, err
	}
	if f.verify {
		c.VerifyExisting()
	}
	for _, w := range c.Warnings {
		e.warnf("%v", w)
	}
	f.o.Only, f.o.Layout, f.o.Env, f.o.Warn = f.list.of("only"), e.layoutOptions(), sync.System(), ro.Warn
	if f.lockFile != "" {
		if _, err := os.Stat(filepath.Dir(f.lockFile)); err != nil { // before anything is done
			return nil, nil, err
		}
		f.lock, err = sync.ReadLock(f.lockFile)
		if errors.Is(err, content.ErrNotFound) && !f.locked {
			err = nil
		}
	}
	if f.locked {
		f.o.Lock = &f.lock
	}
	return c, c.Session(ro), err
}

func readSyncConfig(e *env, path string) (*sync.Config, error) {
	in, err := e.input(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(in, maxSyncConfig))
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, err
	}
	if path == "-" {
		path = "standard input"
	}
	return sync.ParseConfig(path, data, sync.System())
}

// outcome tells what failed, writes the lock, and is the result of one run.
func (f *syncFlags) outcome(e *env, done sync.Report, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	for _, r := range done.Images {
		if r.Err != nil {
			e.ui.Notef(ui.Error, "%s: %v", r.Target, r.Err)
		}
	}
	if f.lockFile != "" && !f.locked && !done.Check {
		f.lock = done.Lock(f.lock)
		if err := f.lock.Write(f.lockFile); err != nil {
			return synced{done}, err
		}
	}
	switch {
	case done.Totals.Failed > 0:
		return synced{done}, errSyncFailed
	case done.Check && done.Changes():
		return synced{done}, errDifferent
	}
	return synced{done}, nil
}

// watching writes a result after each run.
func (f *syncFlags) watching(ctx context.Context, e *env, c *sync.Config, s *registry.Session) error {
	failed := false
	err := sync.Watch(ctx, c, s, f.o, func(done sync.Report) error {
		result, err := f.outcome(e, done, nil)
		if failed = errors.Is(err, errSyncFailed); failed {
			err = nil
		}
		return errors.Join(err, syncCommand().write(e, result))
	})
	if err == nil && failed { // it ends without an error only after a failure
		err = errSyncFailed
	}
	return err
}

// synced shows a sync.Report to people.
type synced struct{ sync.Report }

// Tables has a line for each name that changes, and one with the sums.
func (s synced) Tables() []render.Table {
	var rows [][]string
	for _, r := range s.Images {
		switch {
		case r.Action == sync.ActionCopy:
			rows = append(rows, []string{changeText(layout.Change{Name: r.Target, Old: r.Old, New: r.New})})
		case r.Action == sync.ActionSkip && r.Err == nil && r.Old == "":
			rows = append(rows, []string{r.Target + ": left out: " + r.Reason})
		}
	}
	for _, p := range s.Pruned {
		rows = append(rows, []string{p.Target + ": " + p.Digest.String() + " -> gone: " + p.Reason})
	}
	return []render.Table{{Rows: append(rows, []string{s.sums()})}}
}

func (s synced) sums() string {
	t := s.Totals
	text := fmt.Sprintf("%d copied, %d unchanged", t.Copied, t.Unchanged)
	if s.Check {
		text = fmt.Sprintf("%d to be copied, %d unchanged", t.Copied, t.Unchanged)
	}
	for _, part := range []struct {
		n    int
		what string
	}{{t.Refreshed, "looked at again"}, {t.Skipped, "left out"}, {t.Pruned, "pruned"}, {t.Failed, "failed"}, {t.Referrers, "referrers came along"}} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	if s.Check {
		return text
	}
	return text + fmt.Sprintf("; %d blobs, %s", t.Blobs, render.Size(t.Bytes))
}
