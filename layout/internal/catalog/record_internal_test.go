package catalog

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzDecode: a record and a seal, which may have come from anywhere with the layout,
// are what was written or are damaged; one that is read is written again as it is.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add(seal{Version: version}.encode())
	f.Add(record{mediaType: 1, size: 500, subject: "0123456789abcdef0123456789abcdef"[:shortSize], edges: []string{"fedcba9876543210fedcba9876543210"[:shortSize]}}.encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := decodeSeal(data); err == nil && !bytes.Equal(s.encode(), data) || err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("a seal: %+v, %v", s, err)
		}
		r, err := decodeRecord(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("a record: %v", err)
			}
			return
		}
		again, err := decodeRecord(r.encode())
		if err != nil || !bytes.Equal(again.encode(), r.encode()) {
			t.Errorf("a record: %+v is %+v when it is written and read, %v", r, again, err)
		}
	})
}
