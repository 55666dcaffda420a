package compress

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ulikunitz/xz/lzma"
)

// The container of the .xz file format 1.2.0 is read here, and only LZMA2 is
// left to the library: its own reader of the container allocates whatever
// dictionary a block header asks for, up to 4 GiB, and remembers every block.

var (
	xzMagic       = []byte{0xfd, '7', 'z', 'X', 'Z', 0}
	xzFooterMagic = []byte{'Y', 'Z'}
	crc64Table    = crc64.MakeTable(crc64.ECMA)
)

var (
	errXzHeader = errors.New("stream header is malformed")
	errXzBlock  = errors.New("block header is malformed")
	errXzIndex  = errors.New("index does not match the blocks")
	errXzFooter = errors.New("stream footer is malformed")
	errXzCheck  = errors.New("checksum of a block does not match")
	errXzPad    = errors.New("padding is not zero")
	errXzSize   = errors.New("size of a block does not match its header")
)

const (
	// xzFreeMemory and xzMemoryRatio bound how many bytes of dictionary all blocks
	// together may claim: so many at once, and so many more for each byte that
	// came out. Thousands of empty blocks could each ask for the limit.
	xzFreeMemory  = 1 << 30
	xzMemoryRatio = 256
	// xzNoSize marks a size that a block header leaves out.
	xzNoSize = -1
)

// xzReader decodes concatenated xz streams and their padding.
type xzReader struct {
	in      xzInput
	maxDict uint64
	claimed uint64 // bytes of dictionary so far
	total   uint64 // bytes out so far
	flags   [2]byte
	check   hash.Hash // nil where the stream has none
	records xzRecords
	block   *xzBlock // nil between blocks
	err     error
}

// xzInput counts what is read since the start of a structure.
type xzInput struct {
	*bufio.Reader
	n int64
}

func (in *xzInput) Read(p []byte) (int, error) {
	n, err := in.Reader.Read(p)
	in.n += int64(n)
	return n, err
}

func (in *xzInput) ReadByte() (byte, error) {
	b, err := in.Reader.ReadByte()
	if err == nil {
		in.n++
	}
	return b, err
}

// full fills p; the end of the input is always unexpected here.
func (in *xzInput) full(p []byte) error {
	_, err := io.ReadFull(in, p)
	return noEOF(err)
}

// zeros reads the padding after n bytes to a multiple of four.
func (in *xzInput) zeros(n int64) error {
	var pad [3]byte
	p := pad[:-n&3]
	if err := in.full(p); err != nil {
		return err
	}
	if !allZero(p) {
		return errXzPad
	}
	return nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func allZero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}

func newXzReader(r *bufio.Reader, maxDict uint64) (*xzReader, error) {
	x := &xzReader{in: xzInput{Reader: r}, maxDict: maxDict}
	if err := x.startStream(); err != nil {
		return nil, err
	}
	return x, nil
}

func (x *xzReader) Read(p []byte) (n int, err error) {
	for n == 0 && x.err == nil {
		n, x.err = x.step(p)
	}
	if n > 0 {
		return n, nil
	}
	return 0, x.err
}

// step reads from the block at hand, or goes on to the next block or stream.
func (x *xzReader) step(p []byte) (int, error) {
	if x.block == nil {
		return 0, x.next()
	}
	n, err := x.block.dec.Read(p)
	x.total += uint64(n)
	x.block.out += int64(n)
	if x.check != nil {
		x.check.Write(p[:n])
	}
	if err == io.EOF {
		return n, x.endBlock()
	}
	return n, err
}

// startStream reads a stream header (section 2.1.1).
func (x *xzReader) startStream() error {
	var h [12]byte
	if err := x.in.full(h[:]); err != nil {
		return err
	}
	if !bytes.Equal(h[:6], xzMagic) || crc32.ChecksumIEEE(h[6:8]) != binary.LittleEndian.Uint32(h[8:]) {
		return errXzHeader
	}
	copy(x.flags[:], h[6:8])
	x.records = xzRecords{}
	switch {
	case h[6] != 0 || h[7] > 0x0f:
		return errXzHeader
	case h[7] == 0x00:
		x.check = nil
	case h[7] == 0x01:
		x.check = crc32.NewIEEE()
	case h[7] == 0x04:
		x.check = crc64.New(crc64Table)
	case h[7] == 0x0a:
		x.check = sha256.New()
	default:
		return content.Errorf(content.ErrUnsupported, "xz check of type %d", h[7])
	}
	return nil
}

// next starts the next block, or ends the stream and starts the one after it.
func (x *xzReader) next() error {
	x.in.n = 0
	size, err := x.in.ReadByte()
	if err != nil {
		return noEOF(err)
	}
	if size != 0 {
		return x.startBlock(size)
	}
	if err := x.endStream(); err != nil {
		return err
	}
	return x.skipPadding()
}

// endStream reads the index and the footer (sections 4 and 2.1.2).
func (x *xzReader) endStream() error {
	size, err := x.records.readIndex(&x.in)
	if err != nil {
		return err
	}
	var f [12]byte
	if err := x.in.full(f[:]); err != nil {
		return err
	}
	back := (int64(binary.LittleEndian.Uint32(f[4:])) + 1) * 4
	if !bytes.Equal(f[10:], xzFooterMagic) || !bytes.Equal(f[8:10], x.flags[:]) ||
		crc32.ChecksumIEEE(f[4:10]) != binary.LittleEndian.Uint32(f[:]) || back != size {
		return errXzFooter
	}
	return nil
}

// skipPadding reads zeros, four at a time, up to the end of the input, which is
// io.EOF, or to the next stream, which it starts (section 2.2).
func (x *xzReader) skipPadding() error {
	for {
		p, err := x.in.Peek(4)
		switch {
		case len(p) == 0 && err == io.EOF:
			return io.EOF
		case err != nil:
			return noEOF(err)
		case !allZero(p):
			return x.startStream()
		}
		if _, err := x.in.Discard(4); err != nil {
			return err
		}
	}
}

// xzBlock is a block being read.
type xzBlock struct {
	dec        *lzma.Reader2
	headerSize int64
	packed     int64 // compressed size by the header, or xzNoSize
	plain      int64 // uncompressed size by the header, or xzNoSize
	out        int64
}

// startBlock reads the rest of a block header (section 3.1) and opens its data.
func (x *xzReader) startBlock(size byte) error {
	h := make([]byte, (int(size)+1)*4)
	h[0] = size
	if err := x.in.full(h[1:]); err != nil {
		return err
	}
	body := h[:len(h)-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(h[len(h)-4:]) {
		return errXzBlock
	}
	b := &xzBlock{headerSize: int64(len(h))}
	wanted, err := b.parse(body)
	if err != nil {
		return err
	}
	dict, err := x.claim(wanted, b.plain)
	if err != nil {
		return err
	}
	x.in.n = 0
	if b.dec, err = (lzma.Reader2Config{DictCap: dict}).NewReader2(&x.in); err != nil {
		return noEOF(err)
	}
	if x.check != nil {
		x.check.Reset()
	}
	x.block = b
	return nil
}

// parse reads the fields of a block header up to its checksum and returns the
// size of the dictionary.
func (b *xzBlock) parse(h []byte) (dict uint64, err error) {
	flags := h[1]
	r := bytes.NewReader(h[2:])
	if flags&0x3c != 0 {
		return 0, errXzBlock
	}
	if b.packed, err = optionalSize(r, flags&0x40 != 0); err != nil || b.packed == 0 {
		return 0, errXzBlock
	}
	if b.plain, err = optionalSize(r, flags&0x80 != 0); err != nil {
		return 0, errXzBlock
	}
	id, err := readSize(r)
	if err != nil {
		return 0, errXzBlock
	}
	if flags&3 != 0 || id != 0x21 {
		return 0, content.Errorf(content.ErrUnsupported, "xz filter other than LZMA2")
	}
	var props [2]byte
	if _, err := io.ReadFull(r, props[:]); err != nil || props[0] != 1 || props[1] > 40 {
		return 0, errXzBlock
	}
	if !allZero(h[len(h)-r.Len():]) {
		return 0, errXzBlock
	}
	if props[1] == 40 {
		return 1<<32 - 1, nil
	}
	return (2 | uint64(props[1]&1)) << (props[1]/2 + 11), nil
}

// claim decides how much dictionary a block gets: no more than it can fill.
func (x *xzReader) claim(dict uint64, plain int64) (int, error) {
	if plain != xzNoSize {
		dict = min(dict, max(uint64(plain), lzma.MinDictCap))
	}
	if dict > x.maxDict {
		return 0, content.Errorf(content.ErrRefused, "xz stream needs a dictionary of %d bytes, more than the limit of %d", dict, x.maxDict)
	}
	x.claimed += dict
	if x.claimed > max(xzFreeMemory, x.maxDict)+x.total*xzMemoryRatio {
		return 0, content.Errorf(content.ErrRefused, "xz stream claims %d bytes of dictionaries for %d bytes of content", x.claimed, x.total)
	}
	return int(dict), nil
}

// endBlock checks what follows the data of a block (sections 3.3 and 3.4).
func (x *xzReader) endBlock() error {
	b := x.block
	x.block = nil
	packed := x.in.n
	if (b.packed != xzNoSize && b.packed != packed) || (b.plain != xzNoSize && b.plain != b.out) {
		return errXzSize
	}
	if err := x.in.zeros(packed); err != nil {
		return err
	}
	unpadded := b.headerSize + packed
	if x.check != nil {
		sum := make([]byte, x.check.Size())
		if err := x.in.full(sum); err != nil {
			return err
		}
		if !bytes.Equal(sum, x.checksum()) {
			return errXzCheck
		}
		unpadded += int64(len(sum))
	}
	x.records.add(uint64(unpadded), uint64(b.out))
	return nil
}

// checksum is the check of the block as xz stores it: CRCs little-endian.
func (x *xzReader) checksum() []byte {
	switch h := x.check.(type) {
	case hash.Hash32:
		return binary.LittleEndian.AppendUint32(nil, h.Sum32())
	case hash.Hash64:
		return binary.LittleEndian.AppendUint64(nil, h.Sum64())
	default:
		return h.Sum(nil)
	}
}
