package layout

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/ocilayout/ocilayout/content"
)

// scanner reads the JSON of an index.json through a window of bounded size, so
// that a hundred thousand entries are seen without being held. It checks the
// whole grammar: what it takes, encoding/json takes too.
//
// A value is stepped over inside the window. Where the window ends within it, the
// window is refilled, and grown if the value fills it, and the value begun again;
// values are small beside the window, so that little is read twice.
type scanner struct {
	r     io.Reader
	buf   []byte
	pos   int   // next byte to look at
	end   int   // bytes in buf
	base  int64 // offset of buf[0] in the file
	eof   bool
	max   int64 // largest file
	depth int   // deepest nesting inside a value
}

const scanWindow = 128 << 10

// errShort says that the window ends within a value.
var errShort = errors.New("window ends")

func newScanner(r io.Reader, limits content.Limits) *scanner {
	return &scanner{r: r, buf: make([]byte, scanWindow), max: limits.Index, depth: limits.Depth}
}

// fill moves what is not consumed to the front of the window and reads more.
func (s *scanner) fill() error {
	if s.eof {
		return errTorn()
	}
	copy(s.buf, s.buf[s.pos:s.end])
	s.base += int64(s.pos)
	s.end -= s.pos
	s.pos = 0
	if s.end == len(s.buf) {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	for s.end < len(s.buf) {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		if s.base+int64(s.end) > s.max {
			return content.Errorf(content.ErrRefused, "larger than the limit of %d bytes", s.max)
		}
		if err == io.EOF {
			s.eof = true
			break
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func errTorn() error {
	return content.Errorf(content.ErrCorrupt, "ends in the middle: %w", io.ErrUnexpectedEOF)
}

func (s *scanner) errAt(what string) error {
	return content.Errorf(content.ErrCorrupt, "not valid JSON at byte %d: %s", s.base+int64(s.pos), what)
}

// next is the next byte that is not space, not consumed. At the end of the file
// ok is false.
func (s *scanner) next() (c byte, ok bool, err error) {
	for {
		for s.pos < s.end {
			if c := s.buf[s.pos]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
				return c, true, nil
			}
			s.pos++
		}
		if s.eof {
			return 0, false, nil
		}
		if err := s.fill(); err != nil {
			return 0, false, err
		}
	}
}

// want consumes the next byte that is not space, which must be c.
func (s *scanner) want(c byte) error {
	got, ok, err := s.next()
	switch {
	case err != nil:
		return err
	case !ok:
		return errTorn()
	case got != c:
		return s.errAt("expected " + string(c))
	}
	s.pos++
	return nil
}

// value consumes one value and returns its bytes, which are good until the next
// call, and its offset in the file.
func (s *scanner) value() ([]byte, int64, error) {
	if _, ok, err := s.next(); err != nil || !ok {
		if err == nil {
			err = errTorn()
		}
		return nil, 0, err
	}
	for {
		n, err := skipValue(s.buf[s.pos:s.end], s.depth)
		// A number may go on behind the window.
		if err == nil && s.pos+n == s.end && !s.eof {
			err = errShort
		}
		if err == nil {
			raw, at := s.buf[s.pos:s.pos+n], s.base+int64(s.pos)
			s.pos += n
			return raw, at, nil
		}
		if err != errShort {
			s.pos += n
			return nil, 0, s.errAt(err.Error())
		}
		if err := s.fill(); err != nil {
			return nil, 0, err
		}
	}
}

// skipValue steps over the JSON value at the start of b and returns its length, or
// errShort if b ends within it.
func skipValue(b []byte, depth int) (int, error) {
	if len(b) == 0 {
		return 0, errShort
	}
	switch c := b[0]; {
	case c == '"':
		return skipString(b)
	case c == '{' || c == '[':
		return skipComposite(b, depth)
	case c == '-' || c >= '0' && c <= '9':
		return skipNumber(b)
	case c == 't':
		return skipWord(b, "true")
	case c == 'f':
		return skipWord(b, "false")
	case c == 'n':
		return skipWord(b, "null")
	}
	return 0, errors.New("unexpected character")
}

func skipWord(b []byte, word string) (int, error) {
	if len(b) < len(word) {
		if bytes.HasPrefix([]byte(word), b) {
			return 0, errShort
		}
		return 0, errors.New("unexpected character")
	}
	if string(b[:len(word)]) != word {
		return 0, errors.New("unexpected character")
	}
	return len(word), nil
}

// skipString steps over a string.
func skipString(b []byte) (int, error) {
	n, _, err := skipPlain(b)
	return n, err
}

// skipPlain steps over a string and says whether its bytes are its text. Nearly all
// are plain, and cost a search for the quote and a look at eight bytes at a time;
// one with escapes is left to encoding/json to judge.
func skipPlain(b []byte) (n int, plain bool, err error) {
	i := 1
	for {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return 0, false, errShort
		}
		i += n
		backslashes := 0
		for b[i-1-backslashes] == '\\' {
			backslashes++
		}
		i++
		if backslashes%2 == 0 {
			break
		}
	}
	if isPlain(b[1 : i-1]) {
		return i, true, nil
	}
	if !json.Valid(b[:i]) {
		return 0, false, errors.New("bad string")
	}
	return i, false, nil
}

// isPlain says whether text is ASCII without control characters and backslashes.
func isPlain(text []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for len(text) >= 8 {
		x := binary.LittleEndian.Uint64(text)
		slash := x ^ ones*'\\'                      // a zero byte where there is one
		odd := x | (x - ones*0x20) | (slash - ones) // high bit: not ASCII, below a space, or zero
		if odd&highs != 0 {
			return isPlainSlow(text)
		}
		text = text[8:]
	}
	return isPlainSlow(text)
}

func isPlainSlow(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func skipNumber(b []byte) (int, error) {
	n := 0
	for n < len(b) && (b[n] >= '0' && b[n] <= '9' || b[n] == '-' || b[n] == '+' || b[n] == '.' || b[n] == 'e' || b[n] == 'E') {
		n++
	}
	if n == len(b) {
		return 0, errShort
	}
	if !isNatural(b[:n]) && !json.Valid(b[:n]) {
		return 0, errors.New("bad number")
	}
	return n, nil
}

// isNatural says whether a number is digits alone, as nearly all are.
func isNatural(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return b[0] != '0' || len(b) == 1
}

// skipComposite steps over an object or array.
func skipComposite(b []byte, depth int) (int, error) {
	if depth == 0 {
		return 0, errors.New("nested too deep")
	}
	object := b[0] == '{'
	i, err := skipSpace(b, 1)
	if err != nil {
		return i, err
	}
	if b[i] == b[0]+2 { // in ASCII "}" is "{"+2, and "]" is "["+2
		return i + 1, nil
	}
	for {
		if object {
			if i, err = skipKey(b, i); err != nil {
				return i, err
			}
		}
		n, err := skipValue(b[i:], depth-1)
		if err != nil {
			return i + n, err
		}
		if i, err = skipSpace(b, i+n); err != nil {
			return i, err
		}
		switch b[i] {
		case ',':
			if i, err = skipSpace(b, i+1); err != nil {
				return i, err
			}
		case b[0] + 2:
			return i + 1, nil
		default:
			return i, errors.New("expected , or end")
		}
	}
}

// skipKey steps over a key, its colon and the space around it.
func skipKey(b []byte, i int) (int, error) {
	if b[i] != '"' {
		return i, errors.New("expected a key")
	}
	n, err := skipString(b[i:])
	if err != nil {
		return i + n, err
	}
	if i, err = skipSpace(b, i+n); err != nil {
		return i, err
	}
	if b[i] != ':' {
		return i, errors.New("expected a colon")
	}
	return skipSpace(b, i+1)
}

// skipSpace gives the index of the next byte that is not space.
func skipSpace(b []byte, i int) (int, error) {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	if i >= len(b) {
		return i, errShort
	}
	return i, nil
}
