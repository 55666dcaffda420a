package content

import (
	"math"
	"strconv"
	"strings"
)

// Limits bound what is read from input that nobody has proven. The zero value of
// a field means its default.
type Limits struct {
	// Manifest is the largest manifest, config or other JSON blob in bytes; 4 MiB.
	Manifest int64
	// Index is the largest index.json, and the largest index of referrers, in
	// bytes; 1 GiB.
	Index int64
	// Depth is how deep indexes nest, and JSON in them; 16.
	Depth int
	// Layer is the most bytes that one layer may decompress to; 1 TiB.
	Layer int64
	// Ratio is how many times larger than its compressed form a layer may be
	// once it is past 64 MiB; 1,100, a little above what deflate can reach.
	Ratio int64
	// Members is the most members that an archive or a layer may have; 4 million.
	Members int
	// Tree is the most bytes of memory, about, that a list of the files of an image
	// may take: some 300 and its name for each file; 1 GiB.
	Tree int64
	// Nodes is the most manifests that one walk visits; 4 million.
	Nodes int
}

// WithDefaults returns l with every zero field at its default.
func (l Limits) WithDefaults() Limits {
	setDefault(&l.Manifest, 4<<20)
	setDefault(&l.Index, 1<<30)
	setDefault(&l.Depth, 16)
	setDefault(&l.Layer, 1<<40)
	setDefault(&l.Ratio, 1100)
	setDefault(&l.Members, 4<<20)
	setDefault(&l.Tree, 1<<30)
	setDefault(&l.Nodes, 4<<20)
	return l
}

func setDefault[T int | int64](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// ParseLimits reads limits as flags have them: NAME=N with commas between, where NAME
// is that of a field in lower case, and N a number, with K, M, G or T behind it in
// powers of 1,024. What is not named stays zero, for the default.
func ParseLimits(s string) (Limits, error) {
	var l Limits
	for part := range strings.SplitSeq(s, ",") {
		name, text, _ := strings.Cut(part, "=")
		n, err := parseAmount(text)
		if err != nil {
			return l, Errorf(ErrInvalid, "limit %q: want NAME=N, such as ratio=50000 or manifest=16M", part)
		}
		switch name {
		case "manifest":
			l.Manifest = n
		case "index":
			l.Index = n
		case "layer":
			l.Layer = n
		case "ratio":
			l.Ratio = n
		case "tree":
			l.Tree = n
		case "depth", "members", "nodes":
			if n > math.MaxInt32 {
				return l, Errorf(ErrInvalid, "limit %q: at most %d", part, math.MaxInt32)
			}
			*map[string]*int{"depth": &l.Depth, "members": &l.Members, "nodes": &l.Nodes}[name] = int(n)
		default:
			return l, Errorf(ErrInvalid, "limit %q: want manifest, index, depth, layer, ratio, members, tree or nodes", name)
		}
	}
	return l, nil
}

// parseAmount reads a positive number with K, M, G or T behind it.
func parseAmount(text string) (int64, error) {
	digits := strings.TrimRight(text, "KMGT")
	shift := 0
	switch unit := text[len(digits):]; len(unit) {
	case 0:
	case 1:
		shift = 10 * (1 + strings.Index("KMGT", unit))
	default:
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.ParseUint(digits, 10, 62-shift)
	if err == nil && n == 0 {
		err = strconv.ErrRange
	}
	return int64(n) << shift, err
}
