package export

import (
	"time"

	"github.com/ocilayout/ocilayout/internal/tarx"
)

// Where ustar has the fields that differ between two plain members (POSIX.1-2017,
// pax, "ustar Interchange Format").
const (
	ustarName     = 100 // bytes from the start
	ustarSize     = 124
	ustarChecksum = 148
	ustarLargest  = 1 << 33 // sizes below it are octal digits
)

// A headerMaker makes the headers of many members of one time: those of plain
// ones by filling in a template, since an archive may have a member for every few
// hundred bytes.
type headerMaker struct {
	mtime    time.Time
	usable   bool // the template: a time that ustar can't hold has none
	template [tarx.BlockSize]byte
	sum      uint32 // of the template's bytes, without its name, size and checksum
}

func newHeaderMaker(mtime time.Time) (*headerMaker, error) {
	m := &headerMaker{mtime: mtime}
	h, err := tarx.Header("x", 0, mtime)
	if err != nil || len(h) != tarx.BlockSize {
		return m, err
	}
	m.usable = true
	copy(m.template[:], h)
	clear(m.template[:ustarName])
	clear(m.template[ustarSize : ustarSize+12])
	clear(m.template[ustarChecksum : ustarChecksum+8])
	for _, b := range m.template {
		m.sum += uint32(b)
	}
	return m, nil
}

// plain says whether a member's header is a filled-in template.
func (m *headerMaker) plain(name []byte, size int64) bool {
	if !m.usable || len(name) > ustarName || size < 0 || size >= ustarLargest {
		return false
	}
	for _, c := range name {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// size is the length of a member's header.
func (m *headerMaker) size(name []byte, size int64) (int64, error) {
	if m.plain(name, size) {
		return tarx.BlockSize, nil
	}
	h, err := tarx.Header(string(name), size, m.mtime)
	return int64(len(h)), err
}

// put writes the header of a member: the bytes of tarx.Header.
func (m *headerMaker) put(f *filler, name []byte, size int64) error {
	if !m.plain(name, size) {
		h, err := tarx.Header(string(name), size, m.mtime)
		if err != nil {
			return err
		}
		_, err = f.Write(h)
		return err
	}
	h := m.template
	copy(h[:ustarName], name)
	octal(h[ustarSize:ustarSize+11], uint64(size))
	sum := m.sum + 8*' ' // the checksum counts as spaces
	for _, b := range h[:ustarName] {
		sum += uint32(b)
	}
	for _, b := range h[ustarSize : ustarSize+12] {
		sum += uint32(b)
	}
	octal(h[ustarChecksum:ustarChecksum+6], uint64(sum))
	h[ustarChecksum+7] = ' '
	_, err := f.Write(h[:])
	return err
}

// octal fills b with the digits of n.
func octal(b []byte, n uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = '0' + byte(n&7)
		n >>= 3
	}
}
