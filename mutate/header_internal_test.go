package mutate

import (
	"archive/tar"
	"bytes"
	"io"
	"maps"
	"strings"
	"testing"
	"time"
)

// oneHeader is the blocks of a header in a format.
func oneHeader(t *testing.T, h tar.Header, format tar.Format) []byte {
	t.Helper()
	h.Format = format
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(&h); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readHeader(t *testing.T, blocks []byte) *tar.Header {
	t.Helper()
	h, err := tar.NewReader(io.MultiReader(bytes.NewReader(blocks), bytes.NewReader(make([]byte, 4096)))).Next()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// same says whether two headers mean the same.
func same(a, b *tar.Header) bool {
	pa, pb := maps.Clone(a.PAXRecords), maps.Clone(b.PAXRecords)
	for key := range fieldRecords {
		delete(pa, key)
		delete(pb, key)
	}
	return a.Name == b.Name && a.Linkname == b.Linkname && a.Mode == b.Mode && a.Uid == b.Uid && a.Gid == b.Gid &&
		a.Uname == b.Uname && a.Gname == b.Gname && a.Size == b.Size && a.Typeflag == b.Typeflag &&
		a.ModTime.Equal(b.ModTime) && a.AccessTime.Equal(b.AccessTime) && a.ChangeTime.Equal(b.ChangeTime) && maps.Equal(pa, pb)
}

// TestEncodeHeader changes one field after the other of headers in all formats. The
// result must read as what was asked for, and a change back must give the bytes of before
// where no form had to change.
func TestEncodeHeader(t *testing.T) {
	long := strings.Repeat("d/", 90) + "name"
	plain := tar.Header{Typeflag: tar.TypeReg, Name: "etc/motd", Mode: 0o644, Uid: 1, Gid: 2, Uname: "u", Gname: "g", Size: 5, ModTime: time.Unix(1e9, 0)}
	link := tar.Header{Typeflag: tar.TypeSymlink, Name: long, Linkname: long + "/x", Mode: 0o777, ModTime: time.Unix(1e9, 0)}
	pax := plain
	pax.PAXRecords = map[string]string{"SCHILY.xattr.user.a": "1\x00\n=2", "VENDOR.x": "y", "comment": "hello"}
	pax.ModTime = time.Unix(1e9, 5e8)
	pax.AccessTime, pax.ChangeTime = time.Unix(11, 0), time.Unix(12, 1)
	gnu := plain
	gnu.Name = long + long + long + long
	gnu.AccessTime, gnu.ChangeTime = time.Unix(11, 0), time.Unix(12, 0)
	cases := map[string][]byte{
		"ustar": oneHeader(t, plain, tar.FormatUSTAR), "gnu": oneHeader(t, gnu, tar.FormatGNU), "pax": oneHeader(t, pax, tar.FormatPAX),
		"pax link": oneHeader(t, link, tar.FormatPAX), "gnu link": oneHeader(t, link, tar.FormatGNU), "pax plain": oneHeader(t, plain, tar.FormatPAX),
	}
	edits := map[string]func(h *tar.Header){
		"time":        func(h *tar.Header) { h.ModTime = time.Unix(5, 0) },
		"fraction":    func(h *tar.Header) { h.ModTime = time.Unix(5, 250) },
		"old":         func(h *tar.Header) { h.ModTime = time.Unix(-5, 0) },
		"old part":    func(h *tar.Header) { h.ModTime = time.Unix(-5, 5e8) },
		"far":         func(h *tar.Header) { h.ModTime = time.Unix(1<<35, 0) },
		"name":        func(h *tar.Header) { h.Name = "x" },
		"long name":   func(h *tar.Header) { h.Name = strings.Repeat("y/", 400) + "ü" },
		"link":        func(h *tar.Header) { h.Linkname = "l" },
		"long link":   func(h *tar.Header) { h.Linkname = strings.Repeat("l/", 400) },
		"mode":        func(h *tar.Header) { h.Mode = 0o4755 },
		"owner":       func(h *tar.Header) { h.Uid, h.Gid = 3, 4 },
		"large owner": func(h *tar.Header) { h.Uid, h.Gid = 1<<31-2, 1<<22 },
		"names":       func(h *tar.Header) { h.Uname, h.Gname = "", "grüppe" },
		"size":        func(h *tar.Header) { h.Size = 1 << 34 },
		"records": func(h *tar.Header) {
			h.PAXRecords = map[string]string{"SCHILY.xattr.user.b": "z", "VENDOR.x": "other"}
		},
		"all": func(h *tar.Header) {
			h.Name, h.Uid, h.Uname, h.ModTime, h.Size = "a/b", 0, "", time.Unix(0, 0), 0
		},
	}
	for from, blocks := range cases {
		for what, edit := range edits {
			was := readHeader(t, blocks)
			want := *was
			edit(&want)
			if was.Typeflag == tar.TypeSymlink {
				want.Size = 0 // archive/tar reads that of a link as it is written
			}
			got, err := encodeHeader(bytes.Clone(blocks), was, &want)
			if err != nil {
				t.Errorf("%s, %s: %v", from, what, err)
				continue
			}
			if is := readHeader(t, got); !same(is, &want) {
				t.Errorf("%s, %s:\ngot  %+v\nwant %+v", from, what, is, want)
			}
		}
		was := readHeader(t, blocks)
		if got, err := encodeHeader(bytes.Clone(blocks), was, was); err != nil || !bytes.Equal(got, blocks) {
			t.Errorf("%s: no change changes bytes (%v)", from, err)
		}
	}
}

func TestPAXTime(t *testing.T) {
	for want, at := range map[string]time.Time{
		"0": time.Unix(0, 0), "-1": time.Unix(-1, 0), "-0.5": time.Unix(-1, 5e8), "1.000000001": time.Unix(1, 1), "-1.25": time.Unix(-2, 75e7),
	} {
		if got := paxTime(at); got != want {
			t.Errorf("%v: got %s, want %s", at, got, want)
		}
	}
}

// TestSplitHeaderRefuses gives headers whose parts do not fit each other.
func TestSplitHeaderRefuses(t *testing.T) {
	blocks := oneHeader(t, tar.Header{Typeflag: tar.TypeReg, Name: "a", PAXRecords: map[string]string{"VENDOR.a": "b"}}, tar.FormatPAX)
	huge := bytes.Clone(blocks)
	copy(fieldSize.of(huge), "77777777777\x00")
	broken := bytes.Clone(blocks)
	broken[blockSize] = '9'
	for name, b := range map[string][]byte{"size": huge, "record": broken} {
		if h, err := splitHeader(b); err == nil {
			t.Errorf("%s: no error, but %+v", name, h)
		}
	}
}
