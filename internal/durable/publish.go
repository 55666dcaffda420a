package durable

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/ocilayout/ocilayout/content"
)

// ErrNoLinks says that a hard link cannot be made between two places, since
// their filesystem has none, allows none here, or is not one but two. The caller
// renames or copies instead. It matches content.ErrUnsupported.
var ErrNoLinks = content.Errorf(content.ErrUnsupported, "no hard link is possible")

// Publish renames staged to final, in one atomic step, replacing a file or a link
// that is there. The bytes must have been synced before, and [FS.SyncDir] makes
// the new name durable. The staged file must be closed (Windows) and lie on the
// filesystem of final.
func (d FS) Publish(staged, final string) error {
	return d.sys().rename(staged, final)
}

// LinkInto gives staged, a regular file, the second name final and keeps the
// first. The error matches os.ErrExist if something has the name final, and
// ErrNoLinks if hard links cannot be used here. [FS.SyncDir] makes the name
// durable.
func (d FS) LinkInto(staged, final string) error {
	err := d.sys().link(staged, final)
	if err != nil && linkImpossible(err) {
		return content.At(final, fmt.Errorf("%w: %w", ErrNoLinks, err))
	}
	return err
}

// Replace makes the staged file durable under the name final: it fsyncs and
// closes it, renames it over what is there, and fsyncs the directory. Readers see
// the old file or the new one. After an error the staged file is the caller's to
// discard; if it was an fsync after the rename that failed, final is the new
// file already, but may be the old one again after a power cut.
func (d FS) Replace(staged *File, final string) error {
	if err := staged.Fsync(); err != nil {
		return err
	}
	if err := d.nameStaged(staged, final); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(final))
}

func (d FS) nameStaged(staged *File, final string) error {
	if staged.unnamed {
		err := d.nameUnnamed(staged, final)
		if err == nil {
			err = staged.Fsync() // btrfs does nothing to sync a file without a name
		}
		return errors.Join(err, staged.Close())
	}
	if err := staged.Close(); err != nil {
		return err
	}
	return d.Publish(staged.Name(), final)
}

// WriteFile replaces the file path by one that holds data, atomically and
// durably, as Replace does. It stages as StageFor does; if it fails, nothing of that
// stays.
func (d FS) WriteFile(path string, data []byte) (err error) {
	f, err := d.StageFor(path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Discard() // the first error tells more
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return d.Replace(f, path)
}
