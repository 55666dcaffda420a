package export

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/internal/tarx"
)

// TestHeaders: a filled-in template is what tarx makes in full.
func TestHeaders(t *testing.T) {
	for _, mtime := range []time.Time{time.Unix(0, 0), time.Unix(1700000000, 5), time.Unix(1<<34, 0)} {
		m, err := newHeaderMaker(mtime)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "oci-layout", "blobs/sha256/" + strings.Repeat("f", 64), "blobs/sha512/" + strings.Repeat("0", 128),
			strings.Repeat("n", 100), strings.Repeat("n", 101), "é", "a b"} {
			for _, size := range []int64{0, 1, 511, 512, 1 << 20, 1<<33 - 1, 1 << 33, 1 << 40} {
				want, err := tarx.Header(name, size, mtime)
				if err != nil {
					t.Fatal(err)
				}
				var got []byte
				f := newFiller(0, func(buf *[]byte, _ int64) (*[]byte, error) {
					got = append(got, *buf...)
					*buf = (*buf)[:0]
					return buf, nil
				})
				if err := m.put(f, []byte(name), size); err != nil {
					t.Fatal(err)
				}
				if err := f.flush(); err != nil {
					t.Fatal(err)
				}
				f.close()
				if n, err := m.size([]byte(name), size); err != nil || n != int64(len(want)) || !bytes.Equal(got, want) {
					t.Errorf("%s, %d bytes, %v: another header (%d bytes, said %d; want %d; %v)", name, size, mtime, len(got), n, len(want), err)
				}
			}
		}
	}
}
