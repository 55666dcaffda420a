package durable

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ocilayout/ocilayout/content"
)

// StageFor makes an empty file that is to become the file final, by [FS.Replace] and
// nothing else. Where the filesystem can (Linux, and all but a few there) it has no
// name until then, so that a process which dies leaves nothing; elsewhere it is one
// of [FS.Stage] in the directory of final.
func (d FS) StageFor(final string) (*File, error) {
	f, err := openUnnamed(final)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return d.Stage(filepath.Dir(final))
	}
	return &File{File: f, fs: d, unnamed: true}, nil
}

// nameUnnamed gives a file without a name the name final: at once if nothing has it.
// A name can't be taken over in one step, so otherwise the file gets another one that
// is then renamed. A process that is killed between these two calls leaves that one,
// and whoever writes final next removes it.
func (d FS) nameUnnamed(staged *File, final string) error {
	removeDead(betweenName(final))
	err := d.sys().linkOpen(staged.File, final)
	switch {
	case errors.Is(err, fs.ErrExist):
		return d.replaceUnnamed(staged, final)
	case err != nil && linkImpossible(err):
		return d.copyNamed(staged, final)
	}
	return err
}

func (d FS) replaceUnnamed(staged *File, final string) error {
	// The lock says that we live, see removeDead. Where there are no locks nobody can
	// take it to say that we don't.
	between := betweenName(final)
	if err := lockFile(staged.File, false); err != nil && !lockImpossible(err) {
		return content.At(final, err)
	}
	err := d.sys().linkOpen(staged.File, between)
	if errors.Is(err, fs.ErrExist) { // another process is here too
		between = stagedName(filepath.Dir(final))
		err = d.sys().linkOpen(staged.File, between)
	}
	if err != nil {
		return err
	}
	if err := d.sys().rename(between, final); err != nil {
		return errors.Join(err, remove(between))
	}
	return nil
}

// betweenName is the name that a file has for a moment before it replaces final.
func betweenName(final string) string {
	h := fnv.New128a()
	_, _ = h.Write([]byte(filepath.Base(final))) // a hash takes everything
	return filepath.Join(filepath.Dir(final), fmt.Sprintf("%s%x", stagedPrefix, h.Sum(nil)))
}

// removeDead removes a file that was left under a betweenName, unless whoever made it
// is alive, and so has it locked. It is only a service: what it can't remove stays.
func removeDead(path string) {
	f, info, err := OpenRegularNoFollow(path)
	if err != nil {
		return
	}
	defer f.Close()
	if lockFile(f, false) != nil {
		return
	}
	if now, err := os.Lstat(path); err == nil && os.SameFile(now, info) {
		_ = remove(path)
	}
}

// copyNamed makes final of a copy of a file that can't be given a name.
func (d FS) copyNamed(staged *File, final string) (err error) {
	if _, err := staged.Seek(0, io.SeekStart); err != nil {
		return err
	}
	named, err := d.Stage(filepath.Dir(final))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, named.Discard()) }()
	if _, err := io.Copy(named.File, staged.File); err != nil {
		return err
	}
	if err := named.Fsync(); err != nil {
		return err
	}
	return d.nameStaged(named, final)
}
