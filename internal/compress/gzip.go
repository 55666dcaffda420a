package compress

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/ocilayout/ocilayout/content"
)

const (
	// gzipBlock is how many input bytes are compressed as one unit. It decides the
	// bytes of every layer that we compress, so changing it is a change of format.
	// It is a multiple of the 65535 bytes that the encoder takes at once: a block
	// of 1 MiB would end in a piece of 16 bytes.
	gzipBlock = 16 * 65535
	// gzipWindow is how far deflate looks back, so how much of a block primes the next.
	gzipWindow = 32 << 10
)

// defaultLevels are the levels of consecutive blocks, over and over, where no
// level is asked for: nearly the size of level 5 for nearly the work of level 4.
var defaultLevels = []int{4, 4, 4, 5}

// GzipOptions choose what NewGzipWriter does; the zero value is our default.
type GzipOptions struct {
	// Level is 1 (fastest) to 9 (smallest); 0 is a mix of levels 4 and 5.
	Level int
	// Workers is how many blocks are worked on while the next one fills, less the
	// one that is waited for; 0 is one for each core. It does not change the bytes.
	Workers int
}

// A GzipWriter compresses to gzip on several cores: blocks of fixed size, each
// primed with the end of the one before and closed by a sync marker, in one gzip
// member that any reader takes for an ordinary one. The bytes depend on the
// input and the level alone. It holds at most Workers+2 blocks of about 2.2 MB.
//
// It is for one goroutine. Compressed bytes are written to the underlying writer
// by Write, ReadFrom and Close, never by a goroutine of its own; when one of
// them has returned an error, all later calls return it.
type GzipWriter struct {
	w       io.Writer
	levels  []int
	limit   int        // blocks in flight
	cur     *gzipJob   // being filled
	flying  []*gzipJob // in order of their input
	blocks  int        // blocks dispatched
	crc     uint32     // of all input
	size    uint32     // of all input, modulo 2^32
	started bool       // the header is written
	err     error      // the first failure, or errWriterClosed
}

var errWriterClosed = content.Errorf(content.ErrInvalid, "write to a closed compressor")

// gzipHeader is the whole header: deflate, no flags, no time, unknown system.
var gzipHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}

// NewGzipWriter returns a writer that compresses to w. Close must be called to
// end the stream; it does not close w.
func NewGzipWriter(w io.Writer, opt GzipOptions) (*GzipWriter, error) {
	levels := defaultLevels
	switch {
	case opt.Level < 0 || opt.Level > flate.BestCompression:
		return nil, content.Errorf(content.ErrInvalid, "gzip level %d is not between 1 and 9", opt.Level)
	case opt.Level > 0:
		levels = []int{opt.Level}
	}
	workers := opt.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	return &GzipWriter{w: w, levels: levels, limit: workers + 1, cur: newGzipJob(nil)}, nil
}

// Write takes all of p unless it fails.
func (z *GzipWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 && z.err == nil {
		free := z.cur.free()
		k := copy(free, p)
		z.took(k)
		n += k
		p = p[k:]
	}
	return n, z.err
}

// readStep is how much ReadFrom asks for: a hash of the same bytes should still
// find them in the cache.
const readStep = 256 << 10

// ReadFrom reads r to its end, straight into the blocks to compress.
func (z *GzipWriter) ReadFrom(r io.Reader) (n int64, err error) {
	for z.err == nil {
		free := z.cur.free()
		k, err := r.Read(free[:min(len(free), readStep)])
		z.took(k)
		n += int64(k)
		switch {
		case err == io.EOF:
			return n, z.err
		case err != nil:
			return n, err
		}
	}
	return n, z.err
}

// took accounts for n new bytes in the current block and sends it off when full.
func (z *GzipWriter) took(n int) {
	j := z.cur
	z.crc = crc32.Update(z.crc, crc32.IEEETable, j.buf[j.end:j.end+n])
	z.size += uint32(n)
	j.end += n
	if len(j.free()) > 0 {
		return
	}
	for len(z.flying) >= z.limit && z.err == nil {
		z.landOne()
	}
	if z.err != nil {
		return
	}
	z.cur = newGzipJob(j)
	z.assign(j)
	z.flying = append(z.flying, j)
	go j.run()
	for len(z.flying) > 0 && z.flying[0].landed() && z.err == nil {
		z.landOne()
	}
}

// assign gives j its level, which depends on its place alone.
func (z *GzipWriter) assign(j *gzipJob) {
	j.level = z.levels[z.blocks%len(z.levels)]
	z.blocks++
}

// landOne waits for the oldest block in flight and writes it.
func (z *GzipWriter) landOne() {
	j := z.flying[0]
	z.flying = append(z.flying[:0], z.flying[1:]...)
	<-j.done
	z.emit(j)
}

func (z *GzipWriter) emit(j *gzipJob) {
	if z.err == nil {
		z.err = j.err
	}
	if !z.started {
		z.put(gzipHeader)
		z.started = true
	}
	z.put(j.out.b)
	j.release()
}

func (z *GzipWriter) put(b []byte) {
	if z.err != nil {
		return
	}
	n, err := z.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	z.err = err
}

// Close compresses and writes what is left and the trailer. It waits for every
// goroutine, also after a failure, and returns the first error there was; a
// second Close does nothing.
func (z *GzipWriter) Close() error {
	if z.cur == nil {
		if errors.Is(z.err, errWriterClosed) {
			return nil
		}
		return z.err
	}
	last := z.cur
	z.cur = nil
	last.final = true
	z.assign(last)
	if z.err == nil {
		last.compress() // nothing else would use this goroutine
	}
	for len(z.flying) > 0 {
		z.landOne()
	}
	z.emit(last)
	z.put(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, z.crc), z.size))
	if z.err != nil {
		return z.err
	}
	z.err = errWriterClosed
	return nil
}

// gzipJob is one block on its way. Its buffers are used again and again, since
// fresh memory costs a page fault every 4 KiB.
type gzipJob struct {
	buf   []byte // first the end of the block before, then the block
	start int    // where the block starts
	end   int    // where its bytes end
	level int
	final bool
	out   sink
	err   error
	done  chan struct{} // receives one value when out is ready
}

var gzipJobs = sync.Pool{New: func() any {
	return &gzipJob{buf: make([]byte, gzipWindow+gzipBlock), done: make(chan struct{}, 1)}
}}

// newGzipJob returns an empty block that continues prev, which is full, or nil.
func newGzipJob(prev *gzipJob) *gzipJob {
	j := gzipJobs.Get().(*gzipJob)
	j.start = 0
	if prev != nil {
		j.start = copy(j.buf, prev.buf[prev.end-gzipWindow:prev.end])
	}
	j.end, j.final, j.err = j.start, false, nil
	j.out.b = j.out.b[:0]
	return j
}

func (j *gzipJob) release() { gzipJobs.Put(j) }

// free is the room that is left in the block.
func (j *gzipJob) free() []byte { return j.buf[j.end : j.start+gzipBlock] }

func (j *gzipJob) run() {
	j.compress()
	j.done <- struct{}{}
}

func (j *gzipJob) landed() bool { return len(j.done) > 0 }

func (j *gzipJob) compress() {
	enc := deflaters[j.level].Get().(*flate.Writer)
	defer deflaters[j.level].Put(enc)
	if j.start > 0 {
		enc.ResetDict(&j.out, j.buf[:j.start])
	} else {
		enc.ResetDict(&j.out, nil)
	}
	if _, j.err = enc.Write(j.buf[j.start:j.end]); j.err != nil {
		return
	}
	if j.final {
		j.err = enc.Close()
	} else {
		j.err = enc.Flush()
	}
}

// deflaters are the idle encoders of each level.
var deflaters [flate.BestCompression + 1]sync.Pool

func init() {
	for level := range deflaters {
		deflaters[level].New = func() any {
			enc, err := flate.NewWriter(nil, level)
			if err != nil {
				panic(err) // every level of the array is one that flate knows
			}
			return enc
		}
	}
}

// sink collects a block's output.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}
