package tarx_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// foreign makes an archive with archive/tar, as other tools would.
func foreign(tb testing.TB, headers ...tar.Header) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Mode == 0 && h.Typeflag != tar.TypeXGlobalHeader {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.CopyN(w, letters{}, h.Size); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// letters is an endless body.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a' + byte(i%26)
	}
	return len(p), nil
}

func regular(name string, size int64) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size}
}

// readAll returns "name:size" of each member, and the error that ended the archive.
func readAll(r io.Reader, lim tarx.Limits) (names []string, err error) {
	tr := tarx.NewReader(r, lim)
	for {
		h, err := tr.Next()
		if err != nil {
			if _, again := tr.Next(); !errors.Is(again, err) {
				return names, fmt.Errorf("the error did not stay: %w, then %w", err, again)
			}
			return names, err
		}
		n, err := io.Copy(io.Discard, tr)
		if err != nil {
			return names, err
		}
		names = append(names, fmt.Sprintf("%s:%d", h.Name, n))
	}
}

func TestReaderGoodArchives(t *testing.T) {
	long := strings.Repeat("long/", 60) + "name"
	for name, c := range map[string]struct {
		archive []byte
		want    string
	}{
		"ustar":         {foreign(t, regular("./a", 3), regular("b//c", 513)), "[a:3 b/c:513]"},
		"pax":           {foreign(t, tar.Header{Typeflag: tar.TypeReg, Name: long, Size: 5, Format: tar.FormatPAX}), "[" + long + ":5]"},
		"gnu":           {foreign(t, tar.Header{Typeflag: tar.TypeReg, Name: long, Size: 5, Format: tar.FormatGNU}), "[" + long + ":5]"},
		"comment":       {foreign(t, tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}}, regular("a", 1)), "[a:1]"},
		"empty":         {foreign(t), "[]"},
		"root":          {foreign(t, tar.Header{Typeflag: tar.TypeDir, Name: "./"}, regular("./a", 0)), "[.:0 a:0]"},
		"no trailer":    {foreign(t, regular("a", 512))[:1024], "[a:512]"},
		"no padding":    {foreign(t, regular("a", 600))[:1200], "[a:600]"},
		"after trailer": {append(foreign(t, regular("a", 1)), "rubbish"...), "[a:1]"},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, r := range map[string]io.Reader{
				"seekable": bytes.NewReader(c.archive),
				"stream":   iotest.OneByteReader(bytes.NewReader(c.archive)),
				"data+eof": iotest.DataErrReader(bytes.NewReader(c.archive)),
			} {
				names, err := readAll(r, tarx.Limits{})
				if err != io.EOF || fmt.Sprint(names) != c.want {
					t.Errorf("%s: got %.200v, %v; want %.200s", kind, names, err, c.want)
				}
			}
		})
	}
}

func TestReaderHostileArchives(t *testing.T) {
	good := foreign(t, regular("a", 600), regular("b", 600))
	sizeField := func(b []byte, size string) []byte {
		b = bytes.Clone(b)
		copy(b[124:136], size)
		return checksummed(b)
	}
	for name, c := range map[string]struct {
		archive []byte
		lim     tarx.Limits
		want    error
	}{
		"truncated header":  {good[:100], tarx.Limits{}, content.ErrCorrupt},
		"truncated body":    {good[:800], tarx.Limits{}, content.ErrCorrupt},
		"truncated later":   {good[:1536+512+3], tarx.Limits{}, content.ErrCorrupt},
		"bad checksum":      {append([]byte("x"), good[1:]...), tarx.Limits{}, content.ErrCorrupt},
		"rubbish":           {bytes.Repeat([]byte("rubbish!"), 200), tarx.Limits{}, content.ErrCorrupt},
		"negative size":     {sizeField(good, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xf0"), tarx.Limits{}, content.ErrCorrupt},
		"size of 2^63-1":    {sizeField(good, "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff"), tarx.Limits{}, content.ErrCorrupt},
		"negative pax size": {foreignPax(t, "size", "-1"), tarx.Limits{}, content.ErrCorrupt},
		"dot dot":           {foreign(t, regular("../a", 1)), tarx.Limits{}, content.ErrRefused},
		"absolute":          {foreign(t, regular("/a", 1)), tarx.Limits{}, content.ErrRefused},
		"long name":         {foreign(t, regular(strings.Repeat("n", 5000), 1)), tarx.Limits{}, content.ErrRefused},
		"long link":         {foreign(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "a", Linkname: strings.Repeat("n", 5000)}), tarx.Limits{RawNames: true}, content.ErrRefused},
		"too many":          {foreign(t, regular("a", 1), regular("b", 1), regular("c", 1)), tarx.Limits{MaxMembers: 2}, content.ErrRefused},
		"global size":       {foreign(t, tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"size": "0"}}, regular("a", 1)), tarx.Limits{}, content.ErrUnsupported},
		"global sparse":     {foreign(t, tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"GNU.sparse.size": "0"}}, regular("a", 1)), tarx.Limits{}, content.ErrUnsupported},
		"pax sparse":        {foreignPax(t, "GNU.sparse.size", "900000000000000", "GNU.sparse.numblocks", "0", "GNU.sparse.map", ""), tarx.Limits{}, content.ErrUnsupported},
		"gnu sparse":        {gnuSparse(t), tarx.Limits{RawNames: true}, content.ErrUnsupported},
		"huge pax":          {foreignPax(t, "comment", strings.Repeat("x", 2<<20)), tarx.Limits{}, content.ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, r := range map[string]io.Reader{
				"seekable": bytes.NewReader(c.archive),
				"stream":   iotest.HalfReader(bytes.NewReader(c.archive)),
			} {
				if names, err := readAll(r, c.lim); !errors.Is(err, c.want) {
					t.Errorf("%s: got %.200v, %v; want %v", kind, names, err, c.want)
				}
			}
		})
	}
}

// checksummed mends the checksum of the first header.
func checksummed(b []byte) []byte {
	copy(b[148:156], "        ")
	sum := 0
	for _, c := range b[:512] {
		sum += int(c)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// foreignPax is an archive of one member with PAX records that archive/tar would
// not write.
func foreignPax(tb testing.TB, pairs ...string) []byte {
	tb.Helper()
	var records strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		rest := len(" ") + len(pairs[i]) + len("=") + len(pairs[i+1]) + len("\n")
		n := rest + len(fmt.Sprint(rest))
		for n != rest+len(fmt.Sprint(n)) {
			n++
		}
		fmt.Fprintf(&records, "%d %s=%s\n", n, pairs[i], pairs[i+1])
	}
	body := records.String()
	head, err := tarx.Header("pax", int64(len(body)), time.Unix(0, 0))
	if err != nil {
		tb.Fatal(err)
	}
	head[156] = tar.TypeXHeader
	out := append(checksummed(head), body...)
	out = append(out, make([]byte, tarx.Padding(int64(len(body))))...)
	return append(out, foreign(tb, regular("a", 3))...)
}

// gnuSparse is an archive of one sparse member in the old GNU form that claims
// to be 1 GiB of nothing.
func gnuSparse(tb testing.TB) []byte {
	b := foreign(tb, tar.Header{Typeflag: tar.TypeReg, Name: "hole", Format: tar.FormatGNU})
	b[156] = tar.TypeGNUSparse
	copy(b[257:265], "ustar  \x00")
	copy(b[483:495], "10000000000\x00")
	return checksummed(b)
}

func TestReaderRawNames(t *testing.T) {
	names, err := readAll(bytes.NewReader(foreign(t, regular("/abs", 1), regular("../up", 2))), tarx.Limits{RawNames: true})
	if err != io.EOF || fmt.Sprint(names) != "[/abs:1 ../up:2]" {
		t.Errorf("got %v, %v", names, err)
	}
}

func TestReaderPassesErrorsOn(t *testing.T) {
	archive := foreign(t, regular("a", 3000), regular("b", 1))
	broken := errors.New("disk on fire")
	for at := 0; at < len(archive)-1024; at += 500 {
		r := io.MultiReader(bytes.NewReader(archive[:at]), iotest.ErrReader(broken))
		if _, err := readAll(r, tarx.Limits{}); !errors.Is(err, broken) || errors.Is(err, content.ErrCorrupt) {
			t.Errorf("after %d bytes: %v", at, err)
		}
	}
}

// TestModeIsPermissions: a link stays one, whatever its mode says.
func TestModeIsPermissions(t *testing.T) {
	archive := foreign(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "a", Mode: 0o40755})
	h, err := tarx.NewReader(bytes.NewReader(archive), tarx.Limits{}).Next()
	if err != nil {
		t.Fatal(err)
	}
	if got := h.FileInfo().Mode(); got != fs.ModeSymlink|0o755 {
		t.Errorf("mode %v", got)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(foreign(f, regular("a/b", 700), tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "a/b"}))
	f.Add(foreign(f, tar.Header{Typeflag: tar.TypeReg, Name: strings.Repeat("n", 200), Size: 3, Format: tar.FormatGNU}))
	f.Add(foreignPax(f, "path", "x/y", "SCHILY.xattr.user.a", "b"))
	f.Add(gnuSparse(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = build.MendSums(data)
		tr := tarx.NewReader(bytes.NewReader(data), tarx.Limits{MaxMembers: 1000})
		for {
			h, err := tr.Next()
			if err != nil {
				if err != io.EOF && !errors.Is(err, content.ErrCorrupt) && !errors.Is(err, content.ErrRefused) && !errors.Is(err, content.ErrUnsupported) {
					t.Fatalf("an error of no kind: %v", err)
				}
				return
			}
			if clean, err := tarx.CleanName(h.Name); err != nil || clean != h.Name {
				t.Fatalf("name %q is not clean", h.Name)
			}
			if h.Mode&^0o7777 != 0 {
				t.Fatalf("mode %o is more than permissions", h.Mode)
			}
			n, err := io.Copy(io.Discard, tr)
			if err == nil && n > int64(len(data)) {
				t.Fatalf("%d bytes of body in %d bytes of archive", n, len(data))
			}
		}
	})
}
