package rootfs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// A state is what Unpack leaves beside a directory for Repack.
type state struct {
	Version  int                `json:"version"`
	Image    content.Descriptor `json:"image"`
	Bundle   bool               `json:"bundle"`
	Rootless bool               `json:"rootless"`
	UIDMap   []IDMap            `json:"uidMap,omitempty"`
	GIDMap   []IDMap            `json:"gidMap,omitempty"`
	// Files is the digest of the list of files.
	Files content.Digest `json:"files"`
}

const (
	stateVersion = 1
	stateFile    = "state.json"
	filesFile    = "files"
	// maxState and maxFiles bound what is read of them: 60 bytes a file are usual.
	maxState = 1 << 20
	maxFiles = 1 << 30
)

// stateDir is the directory beside dir that holds its state.
func stateDir(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if abs == filepath.Dir(abs) {
		return "", content.Errorf(content.ErrInvalid, "%s has no place beside it", dir)
	}
	return abs + ".ocilayout", nil
}

// freshState makes room for the state of dir. An earlier one goes; anything else
// that has its name is ErrAlreadyExists.
func freshState(dir string) error {
	beside, err := stateDir(dir)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(beside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != stateFile && e.Name() != filesFile {
			return content.At(beside, content.Errorf(content.ErrAlreadyExists, "is not what an earlier unpack left"))
		}
	}
	return os.RemoveAll(beside)
}

// writeState writes the state of dir, durably unless noSync.
func writeState(dir string, s state, files []file, noSync bool) error {
	beside, err := stateDir(dir)
	if err != nil {
		return err
	}
	list := encodeList(files)
	s.Version, s.Files = stateVersion, digest.FromBytes(list)
	data, err := rawjson.Marshal(s)
	if err != nil {
		return err
	}
	d := durable.FS{NoSync: noSync}
	if err := d.MkdirAll(beside); err != nil {
		return err
	}
	if err := d.WriteFile(filepath.Join(beside, filesFile), list); err != nil {
		return err
	}
	return d.WriteFile(filepath.Join(beside, stateFile), append(data, '\n'))
}

// readState reads the state of dir. ErrNotFound says that there is none.
func readState(dir string) (state, error) {
	beside, err := stateDir(dir)
	if err != nil {
		return state{}, err
	}
	path := filepath.Join(beside, stateFile)
	data, err := readFile(path, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, content.Errorf(content.ErrNotFound, "%s was not unpacked by ocilayout or umoci: there is neither %s nor %s", dir, path, filepath.Join(dir, umociMeta))
	}
	if err != nil {
		return state{}, err
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return s, content.At(path, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	if s.Version != stateVersion {
		return s, content.At(path, content.Errorf(content.ErrUnsupported, "is of version %d, and %d is known here", s.Version, stateVersion))
	}
	if err := content.CheckDigest(s.Image.Digest); err != nil {
		return s, content.At(path, content.Errorf(content.ErrCorrupt, "%w", err))
	}
	return s, nil
}

// readList reads the list of files that belongs to the state of dir.
func readList(dir string, s state) ([]file, error) {
	beside, err := stateDir(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(beside, filesFile)
	data, err := readFile(path, maxFiles)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	if got := "sha256:" + hex.EncodeToString(sum[:]); got != s.Files.String() {
		return nil, content.At(path, content.Errorf(content.ErrDigest, "is %s, %s says %s", got, stateFile, s.Files))
	}
	files, err := decodeList(data)
	return files, content.At(path, err)
}

// readFile reads a regular file of at most max bytes.
func readFile(path string, max int64) ([]byte, error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > max {
		return nil, content.At(path, content.Errorf(content.ErrRefused, "is no file of at most %d bytes", max))
	}
	return os.ReadFile(path)
}

// checkFresh says whether dir may be unpacked into: it is not there, or empty.
func checkFresh(dir string) error {
	fi, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !fi.IsDir():
		return content.At(dir, content.Errorf(content.ErrAlreadyExists, "is no directory"))
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = content.At(dir, content.Errorf(content.ErrAlreadyExists, "is not empty: %q and %d more are in it", entries[0].Name(), len(entries)-1))
	}
	return err
}

// makeDir makes dir, or takes it as it is; until it is whole nobody else sees what may
// run as root.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o700)
}
