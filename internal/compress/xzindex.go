package compress

import (
	"encoding/binary"
	"hash/crc32"
	"hash/crc64"
	"io"
	"math"
)

// xzRecords sums up the blocks of a stream, to compare them with its index
// without keeping them.
type xzRecords struct {
	count uint64
	sum   uint64
}

func (r *xzRecords) add(unpadded, plain uint64) {
	b := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, unpadded), plain)
	r.sum = crc64.Update(r.sum, crc64Table, b)
	r.count++
}

// readIndex reads the rest of an index, after its first byte, and checks it
// against the blocks. It returns the size of the whole index in bytes.
func (r *xzRecords) readIndex(in *xzInput) (size int64, err error) {
	in.n = 1
	sum := &crcReader{in: in, crc: crc32.ChecksumIEEE([]byte{0})}
	count, err := readSize(sum)
	if err != nil {
		return 0, err
	}
	var listed xzRecords
	for listed.count < uint64(count) && listed.count < r.count {
		unpadded, err := readSize(sum)
		if err != nil {
			return 0, err
		}
		plain, err := readSize(sum)
		if err != nil {
			return 0, err
		}
		listed.add(uint64(unpadded), uint64(plain))
	}
	if listed != *r || listed.count != uint64(count) {
		return 0, errXzIndex
	}
	for in.n&3 != 0 {
		if b, err := sum.ReadByte(); err != nil || b != 0 {
			return 0, errXzIndex
		}
	}
	want := sum.crc
	var got [4]byte
	if err := in.full(got[:]); err != nil {
		return 0, err
	}
	if binary.LittleEndian.Uint32(got[:]) != want {
		return 0, errXzIndex
	}
	return in.n, nil
}

// crcReader sums the bytes that it reads.
type crcReader struct {
	in  *xzInput
	crc uint32
}

func (c *crcReader) ReadByte() (byte, error) {
	b, err := c.in.ReadByte()
	if err == nil {
		c.crc = crc32.Update(c.crc, crc32.IEEETable, []byte{b})
	}
	return b, noEOF(err)
}

// readSize reads a number of up to 63 bits, seven to a byte (section 1.2).
func readSize(r io.ByteReader) (int64, error) {
	u, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, noEOF(err)
	}
	if u > math.MaxInt64 {
		return 0, errXzIndex
	}
	return int64(u), nil
}

// optionalSize reads a size that is there only if a flag says so.
func optionalSize(r io.ByteReader, there bool) (int64, error) {
	if !there {
		return xzNoSize, nil
	}
	return readSize(r)
}
