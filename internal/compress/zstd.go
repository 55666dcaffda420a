package compress

import (
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ocilayout/ocilayout/content"
)

const (
	// zstdWindow bounds memory, ours and that of everyone who decompresses.
	zstdWindow = 4 << 20
	// zstdWorkers is a pipeline of two: one block is matched while the one before
	// it is entropy coded. The encoder's other way of using cores holds sections
	// of four windows for each, which is more than 70 MB for two, and finds less.
	zstdWorkers = 2
)

// NewZstdWriter returns a writer that compresses to one zstd frame on w, in
// about 20 MB of memory. level is one of the reference encoder's 1 to 22, mapped
// to the nearest of four, or 0 for its default. The bytes depend on the input
// and the level alone. Close must be called to end the frame; it does not close w.
func NewZstdWriter(w io.Writer, level int) (io.WriteCloser, error) {
	return newZstdWriter(w, level, zstdWorkers)
}

// NewSerialZstdWriter is NewZstdWriter without the pipeline: the same bytes for a
// little less work, on the caller's goroutine alone. It is for who keeps the cores
// busy with other streams.
func NewSerialZstdWriter(w io.Writer, level int) (io.WriteCloser, error) {
	return newZstdWriter(w, level, 1)
}

func newZstdWriter(w io.Writer, level, workers int) (io.WriteCloser, error) {
	if level < 0 || level > 22 {
		return nil, content.Errorf(content.ErrInvalid, "zstd level %d is not between 1 and 22", level)
	}
	speed := zstd.SpeedDefault
	if level > 0 {
		speed = zstd.EncoderLevelFromZstd(level)
	}
	return zstd.NewWriter(w, zstd.WithEncoderLevel(speed), zstd.WithWindowSize(zstdWindow),
		zstd.WithEncoderConcurrency(workers), zstd.WithZeroFrames(true))
}
