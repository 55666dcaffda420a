package durable_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestWriteAt writes more than the disk is told of at once, from several goroutines.
func TestWriteAt(t *testing.T) {
	const pieces, size = 40, 512 << 10
	dir := t.TempDir()
	f := stage(t, dir, "")
	var all sync.WaitGroup
	for i := range pieces {
		all.Go(func() {
			piece := bytes.Repeat([]byte{byte(i)}, size)
			if n, err := f.WriteAt(piece, int64(i)*size); n != size || err != nil {
				t.Errorf("piece %d: %d bytes, %v", i, n, err)
			}
		})
	}
	all.Wait()
	path := filepath.Join(dir, "file")
	if err := durableFS.Replace(f, path); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != pieces*size {
		t.Fatalf("%d bytes, want %d", len(got), pieces*size)
	}
	for i := range pieces {
		if !bytes.Equal(got[i*size:][:size], bytes.Repeat([]byte{byte(i)}, size)) {
			t.Errorf("piece %d has other bytes", i)
		}
	}
}
