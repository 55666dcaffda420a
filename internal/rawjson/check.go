package rawjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// Check says whether every reader will see the same thing in data: one value and
// nothing after it, valid UTF-8, no key twice in one object, nor twice but for
// case (see [Fold]), and nothing deeper than depth. The error names the key at
// fault. JSON that ends in the middle is io.ErrUnexpectedEOF.
//
// One pass does it all, and nothing is allocated for what is as most JSON is.
func Check(data []byte, depth int) error {
	if !utf8.Valid(data) {
		return fmt.Errorf("invalid UTF-8")
	}
	c := checkers.Get().(*checker)
	defer c.release()
	c.data, c.pos, c.keys = data, 0, c.keys[:0]
	if err := c.value(depth, nil); err != nil {
		if f, ok := err.(*fault); ok {
			err = f.done()
		}
		return err
	}
	if c.space(); c.pos < len(c.data) {
		return fmt.Errorf("data after the JSON value")
	}
	return nil
}

// A checker steps over one JSON value. Its methods leave pos where they met what
// they complain of.
type checker struct {
	data []byte
	pos  int
	keys []member // of the objects around pos, the outer ones first
}

// checkers are kept for the room that their keys take.
var checkers = sync.Pool{New: func() any { return &checker{keys: make([]member, 0, 64)} }}

// release lets go of the data, and of room that only an unusual object needs.
func (c *checker) release() {
	c.data = nil
	if cap(c.keys) > 1024 {
		c.keys = make([]member, 0, 64)
	}
	clear(c.keys[:cap(c.keys)])
	checkers.Put(c)
}

// value steps over a value and the space before it. parent is the key whose value
// it is, as it is spelled between its quotes; nil if it is no key's.
func (c *checker) value(depth int, parent []byte) error {
	c.space()
	if c.pos >= len(c.data) {
		return io.ErrUnexpectedEOF
	}
	switch b := c.data[c.pos]; {
	case b == '"':
		_, _, err := c.text()
		return err
	case (b == '{' || b == '[') && depth <= 0:
		return &fault{text: "nested too deep"}
	case b == '{':
		return c.object(depth, parent)
	case b == '[':
		return c.array(depth)
	case b == 't':
		return c.word("true")
	case b == 'f':
		return c.word("false")
	case b == 'n':
		return c.word("null")
	}
	return c.number()
}

func (c *checker) array(depth int) error {
	c.pos++
	if c.space(); c.at(']') {
		c.pos++
		return nil
	}
	for i := 0; ; i++ {
		if err := c.value(depth-1, nil); err != nil {
			if f, ok := err.(*fault); ok {
				f.path = append(f.path, fmt.Sprintf("[%d]", i))
			}
			return err
		}
		if more, err := c.more(']'); err != nil || !more {
			return err
		}
	}
}

func (c *checker) object(depth int, parent []byte) error {
	c.pos++
	if c.space(); c.at('}') {
		c.pos++
		return nil
	}
	o := members{checker: c, first: len(c.keys), exact: isUserMap(parent)}
	for {
		c.space()
		start := c.pos + 1
		if c.pos < len(c.data) && c.data[c.pos] != '"' {
			return c.unexpected()
		}
		hash, plain, err := c.text()
		if err != nil {
			return err
		}
		key := c.data[start : c.pos-1]
		if err := o.add(member{spelling: key, hash: hash, plain: plain}); err != nil {
			return err
		}
		if c.space(); !c.at(':') {
			return c.unexpected()
		}
		c.pos++
		if err := c.value(depth-1, key); err != nil {
			if f, ok := err.(*fault); ok {
				f.path = append(f.path, "."+unquote(key))
			}
			return err
		}
		if more, err := c.more('}'); err != nil || !more {
			c.keys = c.keys[:o.first]
			return err
		}
	}
}

// more steps over a comma, or over the end of an array or object: then it is false.
func (c *checker) more(end byte) (bool, error) {
	c.space()
	switch {
	case c.at(','):
		c.pos++
		return true, nil
	case c.at(end):
		c.pos++
		return false, nil
	}
	return false, c.unexpected()
}

func (c *checker) at(b byte) bool { return c.pos < len(c.data) && c.data[c.pos] == b }

func (c *checker) space() {
	for c.pos < len(c.data) {
		switch c.data[c.pos] {
		case ' ', '\t', '\n', '\r':
			c.pos++
		default:
			return
		}
	}
}

// unexpected is the error for what is at pos.
func (c *checker) unexpected() error {
	if c.pos >= len(c.data) {
		return io.ErrUnexpectedEOF
	}
	r, _ := utf8.DecodeRune(c.data[c.pos:])
	return fmt.Errorf("invalid character %q at byte %d", r, c.pos)
}

// A fault is something wrong at a place. The place is put together while the error
// goes up, so that it costs nothing where nothing is wrong.
type fault struct {
	path []string // the innermost first
	text string
}

func (f *fault) Error() string { return f.text }

// done is the fault with its address in front.
func (f *fault) done() error {
	var path strings.Builder
	for i := len(f.path) - 1; i >= 0; i-- {
		path.WriteString(f.path[i])
	}
	where := strings.TrimPrefix(path.String(), ".")
	if where == "" {
		where = "top level"
	}
	return fmt.Errorf("%s: %s", where, f.text)
}

// isUserMap says whether the keys of the object under a key are the user's own
// words, where keys that differ in case only are two keys to every reader.
func isUserMap(parent []byte) bool {
	if bytes.IndexByte(parent, '\\') >= 0 {
		parent = []byte(unquote(parent))
	}
	switch string(parent) {
	case "annotations", "Labels", "ExposedPorts", "Volumes":
		return true
	}
	return false
}

// unquote is what stands between the quotes of a valid JSON string.
func unquote(spelling []byte) string {
	if bytes.IndexByte(spelling, '\\') < 0 {
		return string(spelling)
	}
	var s string
	quoted := append(append([]byte{'"'}, spelling...), '"')
	if err := json.Unmarshal(quoted, &s); err != nil {
		return string(spelling) // it is valid
	}
	return s
}
