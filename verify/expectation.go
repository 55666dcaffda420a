package verify

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
)

// An Expectation says what must be at a path of an image's merged files, or that
// nothing must be. Fields that are nil, or empty, are not looked at.
type Expectation struct {
	File   string // where it is written
	Line   int
	Path   string
	Absent bool
	Mode   *uint32 // the twelve bits that chmod takes
	UID    *int
	GID    *int
	Type   string // as imagefs.File.Type has it
	Size   *int64
	Digest content.Digest // of the file's bytes
}

// where is the address of an expectation.
func (x Expectation) where() string { return fmt.Sprintf("%s:%d", x.File, x.Line) }

// fileTypes are what a file of an image can be.
var fileTypes = []string{"file", "dir", "symlink", "char", "block", "fifo"}

// longestLine bounds one line of expectations.
const longestLine = 64 << 10

// ParseExpectations reads expectations, one a line: a path and what is expected of it
// as KEY=VALUE with spaces between, or "!" and a path where nothing must be. A path
// with spaces, or that begins with a "!", "#" or quote, is quoted as in Go. Empty lines
// and those that begin with "#" are passed over. name is that of the file, for
// messages; what is malformed is ErrInvalid.
func ParseExpectations(name string, r io.Reader) ([]Expectation, error) {
	var list []Expectation
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestLine)
	n := 1
	for ; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		x := Expectation{File: name, Line: n}
		if err := x.parse(line); err != nil {
			return nil, content.At(x.where(), err)
		}
		list = append(list, x)
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, content.At(fmt.Sprintf("%s:%d", name, n), content.Errorf(content.ErrInvalid, "longer than %d bytes", longestLine))
	}
	return list, content.At(name, lines.Err())
}

func (x *Expectation) parse(line string) (err error) {
	if line[0] == '!' {
		x.Absent, line = true, line[1:]
	}
	rest := ""
	if x.Path, rest, err = cutPath(line); err != nil {
		return err
	}
	fields := strings.Fields(rest)
	if x.Absent && len(fields) > 0 {
		return content.Errorf(content.ErrInvalid, "%q of a path where nothing must be", fields[0])
	}
	var seen []string
	for _, field := range fields {
		key, value, ok := strings.Cut(field, "=")
		if !ok || value == "" {
			return content.Errorf(content.ErrInvalid, "%q is not KEY=VALUE", field)
		}
		if slices.Contains(seen, key) {
			return content.Errorf(content.ErrInvalid, "%s is there twice", key)
		}
		seen = append(seen, key)
		if err := x.set(key, value); err != nil {
			return err
		}
	}
	return nil
}

// cutPath takes the path from the start of a line.
func cutPath(line string) (path, rest string, err error) {
	if !strings.HasPrefix(line, `"`) {
		path, rest, _ = strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	} else {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			return "", "", content.Errorf(content.ErrInvalid, "a path begins with a quote that does not end")
		}
		if path, err = strconv.Unquote(quoted); err != nil {
			return "", "", content.Errorf(content.ErrInvalid, "%s is no quoted path", quoted)
		}
		rest = line[len(quoted):]
		if strings.TrimLeft(rest, " \t") == rest && rest != "" {
			return "", "", content.Errorf(content.ErrInvalid, "no space after the path")
		}
	}
	if path == "" {
		return "", "", content.Errorf(content.ErrInvalid, "no path")
	}
	return path, rest, nil
}

func (x *Expectation) set(key, value string) error {
	wrong := func(want string) error {
		return content.Errorf(content.ErrInvalid, "%s=%s: want %s", key, value, want)
	}
	switch key {
	case "mode":
		mode, err := strconv.ParseUint(value, 8, 32)
		if err != nil || mode > 0o7777 {
			return wrong("permissions in octal, such as 0755")
		}
		bits := uint32(mode)
		x.Mode = &bits
	case "owner":
		user, group, _ := strings.Cut(value, ":")
		uid, err := strconv.ParseUint(user, 10, 32)
		gid, groupErr := strconv.ParseUint(group, 10, 32)
		if err != nil || groupErr != nil {
			return wrong("the numbers UID:GID")
		}
		u, g := int(uid), int(gid)
		x.UID, x.GID = &u, &g
	case "type":
		if !slices.Contains(fileTypes, value) {
			return wrong(strings.Join(fileTypes, ", "))
		}
		x.Type = value
	case "size":
		size, err := strconv.ParseInt(value, 10, 64)
		if err != nil || size < 0 {
			return wrong("a number of bytes")
		}
		x.Size = &size
	case "sha256", "sha512":
		x.Digest = digest.NewDigestFromEncoded(digest.Algorithm(key), value)
		if content.CheckDigest(x.Digest) != nil {
			return wrong("a digest in hexadecimal digits, in lower case")
		}
	default:
		return content.Errorf(content.ErrInvalid, "%q is not mode, owner, type, size, sha256 or sha512", key)
	}
	return nil
}
