package rootfs

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// listHead is the first line of a list of files. The rest is a record for each, in
// order: how much of the path before it begins with, what follows, the numbers of
// the file, and where it links to.
const listHead = "ocilayout files 1\n"

// numbers are a file's fields as they are written.
func (f *file) numbers() [11]uint64 {
	return [...]uint64{uint64(f.mode), uint64(f.uid), uint64(f.gid), uint64(f.size), uint64(f.mtime), uint64(f.ctime),
		f.ino, f.dev, f.links, f.device, f.xattrs}
}

func (f *file) setNumbers(n [11]uint64) {
	f.mode, f.uid, f.gid, f.size, f.mtime, f.ctime = uint32(n[0]), uint32(n[1]), uint32(n[2]), int64(n[3]), int64(n[4]), int64(n[5])
	f.ino, f.dev, f.links, f.device, f.xattrs = n[6], n[7], n[8], n[9], n[10]
}

// encodeList writes a list of files.
func encodeList(files []file) []byte {
	out := []byte(listHead)
	before := ""
	for i := range files {
		f := &files[i]
		same := 0
		for same < min(len(before), len(f.path)) && before[same] == f.path[same] {
			same++
		}
		out = binary.AppendUvarint(out, uint64(same))
		out = appendText(out, f.path[same:])
		for _, n := range f.numbers() {
			out = binary.AppendUvarint(out, n)
		}
		out = appendText(out, f.target)
		before = f.path
	}
	return out
}

func appendText(out []byte, text string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(text))), text...)
}

// decodeList reads a list of files. One that is cut, in another order, or holds a
// path that leads out is ErrCorrupt.
func decodeList(data []byte) ([]file, error) {
	body, ok := bytes.CutPrefix(data, []byte(listHead))
	if !ok {
		return nil, content.Errorf(content.ErrCorrupt, "it is no list of files that this program can read")
	}
	r := listReader{r: bufio.NewReader(bytes.NewReader(body)), left: len(body)}
	var files []file
	for !r.atEnd() {
		before := ""
		if len(files) > 0 {
			before = files[len(files)-1].path
		}
		f, ok := r.file(before)
		if !ok || len(files) == 0 && f.path != "" || len(files) > 0 && !follows(before, f.path) {
			return nil, content.Errorf(content.ErrCorrupt, "record %d of the list of files is damaged", len(files)+1)
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil, content.Errorf(content.ErrCorrupt, "the list of files is empty")
	}
	return files, nil
}

// follows says whether a path may come after another one.
func follows(before, name string) bool {
	clean, err := tarx.MemberName(name)
	return err == nil && clean == name && imagefs.ComparePaths(before, name) < 0 && !strings.Contains(name, "\x00")
}

type listReader struct {
	r    *bufio.Reader
	left int // bytes at most
	bad  bool
}

func (l *listReader) atEnd() bool {
	_, err := l.r.Peek(1)
	return err != nil
}

func (l *listReader) number() uint64 {
	n, err := binary.ReadUvarint(l.r)
	l.bad = l.bad || err != nil
	return n
}

func (l *listReader) text() string {
	size := l.number()
	if l.bad || size > uint64(l.left) {
		l.bad = true
		return ""
	}
	buf := make([]byte, size)
	for n := 0; n < len(buf); {
		more, err := l.r.Read(buf[n:])
		if err != nil {
			l.bad = true
			return ""
		}
		n += more
	}
	return string(buf)
}

func (l *listReader) file(before string) (f file, ok bool) {
	same := l.number()
	rest := l.text()
	if l.bad || same > uint64(len(before)) {
		return f, false
	}
	f.path = before[:same] + rest
	var numbers [11]uint64
	for i := range numbers {
		numbers[i] = l.number()
	}
	f.setNumbers(numbers)
	f.target = l.text()
	return f, !l.bad
}
