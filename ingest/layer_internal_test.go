package ingest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/ocilayout/ocilayout/internal/compress"
)

type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }

// TestFullDisk: a compressor that can't write fails when it is closed too, and the
// error is told once.
func TestFullDisk(t *testing.T) {
	data := make([]byte, 8<<20)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	want := errors.New("no space left on device")
	for _, to := range []compress.Format{compress.None, compress.Gzip, compress.Zstd} {
		err := new(importer).encode(full{want}, bytes.NewReader(data), to)
		if err == nil || err.Error() != want.Error() {
			t.Errorf("%v: %v", to, err)
		}
	}
}
