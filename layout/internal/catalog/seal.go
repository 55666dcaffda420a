package catalog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
)

// version changes with every change of what is stored, and of how it is judged.
const version = 1

// A State is what index.json, and the directories of blobs, were when somebody
// looked. Take the stamps first, then the time, then read.
type State struct {
	Index durable.Stamp
	// Blobs are the directories of sha256 and sha512; zero for an absent one. They
	// matter where a manifest that is led to is not there: it may come.
	Blobs [2]durable.Stamp
	At    time.Time
	// Own says that index.json is the file that the caller has just renamed into
	// place, as it wrote it. Who writes into it now gives it a time of change that
	// is not before the rename's: if the file's own is, that shows.
	Own bool
}

// A file must be that much older than the look, for every later change of it to
// show in its stamp. Most filesystems take their times from a clock that ticks every
// 10 ms or more often; some count in steps of up to 2 s, and have no fractions then.
const (
	racyTime   = 2 * time.Second
	racyTicks  = 50 * time.Millisecond
	coarseStep = time.Millisecond
)

func racy(s durable.Stamp, at time.Time) bool {
	young := racyTime
	if s.CtimeNs%int64(coarseStep) != 0 {
		young = racyTicks
	}
	return at.UnixNano()-max(s.MtimeNs, s.CtimeNs) < int64(young)
}

func (s State) racy() bool {
	return racy(s.Index, s.At) && !(s.Own && s.Index.CtimeNs > s.Index.MtimeNs)
}

// A seal says for what the file beside it is good.
type seal struct {
	Version uint32
	Holes   bool     // something that is led to could not be read
	Racy    bool     // Index may have changed without a trace
	RacyDir bool     // and so may Blobs
	Machine [16]byte // hash of machine and user
	Boot    [16]byte // of a file that was not synced: it did not outlive a power cut
	File    durable.Stamp
	Index   durable.Stamp
	Blobs   [2]durable.Stamp
}

// newSeal seals a file for a state.
func newSeal(file os.FileInfo, s State, holes, unsynced bool) seal {
	made := seal{Version: version, Holes: holes, Machine: machine(), File: durable.StampOf(file)}
	if unsynced {
		made.Boot = bootID()
	}
	made.stamp(s)
	return made
}

func (s *seal) stamp(now State) {
	s.Index, s.Blobs = now.Index, now.Blobs
	s.Racy = now.racy()
	s.RacyDir = racy(now.Blobs[0], now.At) || racy(now.Blobs[1], now.At)
}

// holds says whether the seal is one for this file, here and now.
func (s seal) holds(file os.FileInfo) bool {
	return s.Version == version && s.Machine == machine() && s.File == durable.StampOf(file) &&
		durable.SameOwner(file) && (s.Boot == [16]byte{} || s.Boot == bootID())
}

// indexFresh says whether the file is whole for this state of index.json.
func (s seal) indexFresh(now State) bool { return !s.Racy && s.Index == now.Index }

// blobsFresh says whether what could not be read can still not be.
func (s seal) blobsFresh(now State) bool { return !s.Holes || !s.RacyDir && s.Blobs == now.Blobs }

func (s seal) encode() []byte {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, s) // to memory, of a type of fixed size
	sum := sha256.Sum256(b.Bytes())
	return append(b.Bytes(), sum[:]...)
}

var sealSize = binary.Size(seal{}) + sha256.Size

func decodeSeal(b []byte) (seal, error) {
	var s seal
	if len(b) != sealSize {
		return s, ErrDamaged
	}
	body := b[:len(b)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return s, ErrDamaged
	}
	return s, binary.Read(bytes.NewReader(body), binary.LittleEndian, &s)
}

// readSeal reads the seal in the file path.
func readSeal(path string) (seal, error) {
	f, info, err := durable.OpenRegularNoFollow(path)
	if err != nil {
		return seal{}, err
	}
	defer func() { _ = f.Close() }() // only read
	if !durable.SameOwner(info) || info.Size() != int64(sealSize) {
		return seal{}, ErrDamaged
	}
	b := make([]byte, sealSize)
	if _, err := f.ReadAt(b, 0); err != nil {
		return seal{}, err
	}
	return decodeSeal(b)
}

// write puts the seal into the file path. It need not be durable: a catalog whose
// seal is an old one is built again.
func (s seal) write(path string) error {
	return durable.FS{NoSync: true}.WriteFile(path, s.encode())
}

// machine is a hash of what tells this machine and user from others, so that a
// catalog which came from elsewhere is known.
func machine() (id [16]byte) {
	name, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		host, _ := os.Hostname() // "" is as good as any
		name = []byte(host)
	}
	h := sha256.New()
	h.Write(name)
	_ = binary.Write(h, binary.LittleEndian, int64(os.Geteuid()))
	copy(id[:], h.Sum(nil))
	return id
}

// bootID is another after every start of the machine; zero if there is none to be had.
func bootID() (id [16]byte) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(string(text))))
	copy(id[:], sum[:])
	return id
}

// checkDir holds that dir is a directory of the effective user, on a filesystem
// where a file may be mapped into memory.
func checkDir(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || !durable.SameOwner(info) {
		return content.At(dir, content.Errorf(ErrUnusable, "is not a directory of this user"))
	}
	if !canMap(dir) {
		return content.At(dir, content.Errorf(ErrUnusable, "lies on a filesystem of the network"))
	}
	return nil
}

// ErrUnusable says that there can be no catalog here, or not now: do without.
var ErrUnusable = errors.New("no catalog to be had")

// ErrStale says that the catalog must be refreshed first.
var ErrStale = errors.New("the catalog is not up to date")

func (c Catalog) path(name string) string { return filepath.Join(c.Dir, name) }
