package compress

import (
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"
	"github.com/ocilayout/ocilayout/content"
)

const (
	// zstdWindow bounds memory, ours and that of everyone who decompresses. The
	// encoder works on sections of four windows, so it decides the bytes, too.
	zstdWindow = 1 << 20
	// zstdWorkers is how many sections are compressed at a time at most.
	zstdWorkers = 3
)

// NewZstdWriter returns a writer that compresses to one zstd frame on w. level
// is one of the reference encoder's 1 to 22, mapped to the nearest of our four,
// or 0 for its default. The bytes depend on the input and the level alone. Close
// must be called, also after a failed Write: it ends the frame and the writer's
// goroutines, and does not close w.
func NewZstdWriter(w io.Writer, level int) (io.WriteCloser, error) {
	if level < 0 || level > 22 {
		return nil, content.Errorf(content.ErrInvalid, "zstd level %d is not between 1 and 22", level)
	}
	speed := zstd.SpeedDefault
	if level > 0 {
		speed = zstd.EncoderLevelFromZstd(level)
	}
	// One worker would take another path in the encoder, with other bytes.
	workers := min(max(runtime.GOMAXPROCS(0), 2), zstdWorkers)
	return zstd.NewWriter(w, zstd.WithEncoderLevel(speed), zstd.WithWindowSize(zstdWindow),
		zstd.WithEncoderConcurrency(workers), zstd.WithConcurrentBlocks(true),
		zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(true))
}
