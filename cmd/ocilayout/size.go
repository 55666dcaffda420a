package main

import (
	"math"
	"strconv"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// sizeUnits are what may follow a number of bytes. Longer ones come first where one
// ends with another.
var sizeUnits = []struct {
	text  string
	bytes int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

// sizeUsage says what parseSize reads.
const sizeUsage = "`SIZE` is in bytes, or as 500MB or 2GiB"

// parseSize reads a number of bytes, of at least one.
func parseSize(flag, text string) (int64, error) {
	for _, unit := range sizeUnits {
		digits, ok := strings.CutSuffix(text, unit.text)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err == nil && n > 0 && n <= math.MaxInt64/unit.bytes && digits[0] != '+' {
			return n * unit.bytes, nil
		}
		break
	}
	return 0, content.Errorf(content.ErrInvalid, "--%s %q: want a number of bytes, or one with a unit such as MB or GiB", flag, text)
}
