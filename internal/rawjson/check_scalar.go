package rawjson

import "unicode/utf8"

// text steps over a string. It gives a hash that is the same for all strings that
// fold alike, and whether the string is plain, of ASCII without escapes; that of
// one which is not plain is no hash.
func (c *checker) text() (hash uint32, plain bool, err error) {
	plain, hash = true, 2166136261
	for i := c.pos + 1; i < len(c.data); i++ {
		b := c.data[i]
		switch classes[b] {
		case classPlain:
			hash = (hash ^ uint32(b|0x20)) * 16777619
		case classBeyond:
			plain = false
		case classQuote:
			c.pos = i + 1
			return hash, plain, nil
		case classEscape:
			plain = false
			if i, err = c.escape(i); err != nil {
				return 0, false, err
			}
		case classControl:
			c.pos = i
			return 0, false, c.unexpected()
		}
	}
	c.pos = len(c.data)
	return 0, false, c.unexpected()
}

// escape steps over the escape at i, to its last byte.
func (c *checker) escape(i int) (int, error) {
	c.pos = i + 1
	if c.pos >= len(c.data) {
		return i, c.unexpected()
	}
	switch c.data[c.pos] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return c.pos, nil
	case 'u':
		for range 4 {
			c.pos++
			if c.pos >= len(c.data) || !isHex(c.data[c.pos]) {
				return i, c.unexpected()
			}
		}
		return c.pos, nil
	}
	return i, c.unexpected()
}

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'f'
}

// The classes of bytes in a string.
const (
	classPlain = iota
	classBeyond
	classQuote
	classEscape
	classControl
)

var classes = func() (table [256]uint8) {
	for b := range table {
		switch {
		case b == '"':
			table[b] = classQuote
		case b == '\\':
			table[b] = classEscape
		case b < ' ':
			table[b] = classControl
		case b >= utf8.RuneSelf:
			table[b] = classBeyond
		}
	}
	return table
}()

// word steps over one of the three literal names, whose first letter is there.
func (c *checker) word(want string) error {
	for i := range len(want) {
		if !c.at(want[i]) {
			return c.unexpected()
		}
		c.pos++
	}
	return nil
}

// number steps over a number: what comes after it is not its business.
func (c *checker) number() error {
	if c.at('-') {
		c.pos++
	}
	if c.at('0') {
		c.pos++
	} else if err := c.digits(); err != nil {
		return err
	}
	if c.at('.') {
		c.pos++
		if err := c.digits(); err != nil {
			return err
		}
	}
	if c.at('e') || c.at('E') {
		c.pos++
		if c.at('+') || c.at('-') {
			c.pos++
		}
		return c.digits()
	}
	return nil
}

// digits steps over one digit or more.
func (c *checker) digits() error {
	start := c.pos
	for c.pos < len(c.data) && '0' <= c.data[c.pos] && c.data[c.pos] <= '9' {
		c.pos++
	}
	if c.pos == start {
		return c.unexpected()
	}
	return nil
}
