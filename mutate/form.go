package mutate

import (
	"strconv"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// A Form is how a layer is stored.
type Form struct {
	Compression string // "gzip", "zstd" or "none"
	Level       int    // 0 is the default
}

// ParseForm reads gzip, zstd or none, with a level after a colon for the first two:
// 1 to 9 for gzip, 1 to 22 for zstd.
func ParseForm(s string) (Form, error) {
	name, level, given := strings.Cut(s, ":")
	f := Form{Compression: name}
	most, ok := map[string]int{"gzip": 9, "zstd": 22, "none": 0}[name]
	if !ok {
		return Form{}, content.Errorf(content.ErrInvalid, "%q is no form of a layer: want gzip, zstd or none", s)
	}
	if !given {
		return f, nil
	}
	n, err := strconv.Atoi(level)
	if err != nil || n < 1 || n > most {
		return Form{}, content.Errorf(content.ErrInvalid, "%q is no level of %s", level, name)
	}
	f.Level = n
	return f, nil
}

// String writes the form as ParseForm reads it.
func (f Form) String() string {
	if f.Level == 0 {
		return f.Compression
	}
	return f.Compression + ":" + strconv.Itoa(f.Level)
}
