package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ocilayout/ocilayout/content"
)

// StageAs is Stage with a name that says what the file will be, for Resume to find it
// by. A name that is taken is fs.ErrExist.
func (d FS) StageAs(dir, name string) (*File, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return &File{File: f, fs: d}, nil
}

// Resume opens a file that a writer who died had staged, to go on with it. What no
// writer of this user can have left is ErrRefused, since a write to it may reach what
// is not staged: a link, a file that has other names, one of another owner, and
// anything that is not a regular file. One that others may write to is made this
// user's alone. Its bytes are whoever's.
func (d FS) Resume(path string) (*File, error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if err := checkRegular(path, fi); err != nil {
		return nil, err
	}
	f, err := openStaged(path)
	if err != nil {
		return nil, err
	}
	if err := ownAlone(f); err != nil {
		return nil, errors.Join(content.At(path, err), f.Close())
	}
	return &File{File: f, fs: d}, nil
}

// ownAlone holds what Resume promises, of the open file.
func ownAlone(f *os.File) error {
	fi, err := regular(f)
	if err != nil {
		return err
	}
	links, err := linksOf(f)
	if err != nil {
		return err
	}
	if !SameOwner(fi) || links != 1 {
		return content.Errorf(content.ErrRefused, "is of another owner, or has other names")
	}
	const forOthers = 0o022 | fs.ModeSetuid | fs.ModeSetgid
	if mode := fi.Mode(); haveModes && mode&forOthers != 0 {
		return f.Chmod(mode.Perm() &^ 0o022)
	}
	return nil
}
