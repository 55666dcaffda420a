package mutate

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// through runs a tar through steps.
func through(data []byte, steps ...Step) ([]byte, *pass, error) {
	in := newAhead(bytes.NewReader(data))
	defer in.Close()
	var out bytes.Buffer
	p := newPass(in, &out, steps, content.Limits{}.WithDefaults(), nil)
	err := p.run()
	return out.Bytes(), p, err
}

// FuzzPass holds a pass over any bytes to its promises: a step that changes nothing gives
// back what came, times are as they were set, the normal form is one, and errors are of
// the kinds that they should be.
func FuzzPass(f *testing.F) {
	long := string(bytes.Repeat([]byte("long/"), 60)) + "name"
	f.Add(build.Tar(build.Dir("a"), build.Text("a/b", "body"), build.Hardlink("c", "a/b"), build.Symlink("d", "../x")))
	f.Add(build.Tar(build.File{Name: long, Body: bytes.Repeat([]byte("x"), 1500), Time: time.Unix(5, 7), PAX: map[string]string{"SCHILY.xattr.user.a": "\x00\xff"}}))
	f.Add(oneGNU(f, long))
	f.Add(append(build.Tar(build.Text("a", "1")), "garbage"...))
	f.Add(build.Tar(build.Text("a", "1"))[:600])
	f.Add([]byte{})
	f.Fuzz(checkPass)
}

func checkPass(t *testing.T, data []byte) {
	data = build.MendSums(data)
	out, p, err := through(data, NewStep("none", func(*Member) error { return nil }))
	if err != nil {
		if !errors.Is(err, content.ErrCorrupt) && !errors.Is(err, content.ErrRefused) && !errors.Is(err, content.ErrUnsupported) {
			t.Fatalf("an error of no kind: %v", err)
		}
		return
	}
	if p.changed || !p.garbage && !bytes.Equal(out, data) {
		t.Fatalf("a step that does nothing changes %d bytes to %d", len(data), len(out))
	}
	out, _, err = through(data, retime(timeRule{set: time.Unix(1e9, 0)}))
	if err != nil {
		return // a header in a form that is not written
	}
	checkTimes(t, out)
	normal, _, err := through(data, normalize{})
	if err != nil {
		return
	}
	if again, p, err := through(normal, normalize{}); err != nil || p.changed || !bytes.Equal(again, normal) {
		t.Fatalf("the normal form changes when it is made again: %v", err)
	}
}

func oneGNU(f *testing.F, name string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: name, Format: tar.FormatGNU, AccessTime: time.Unix(1, 0)}); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	return b.Bytes()
}

func checkTimes(t *testing.T, data []byte) {
	t.Helper()
	tr := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("what came out is no tar: %v", err)
		}
		if h.Typeflag != tar.TypeXGlobalHeader && h.ModTime.Unix() != 1e9 {
			t.Fatalf("%q has time %v", h.Name, h.ModTime)
		}
	}
}
