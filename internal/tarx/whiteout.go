package tarx

import (
	"path"
	"strings"
)

const (
	// whiteoutPrefix marks a layer entry that removes its sibling of the name that
	// follows (image-spec layer.md, "Whiteouts").
	whiteoutPrefix = ".wh."
	// opaqueName marks a directory whose content in lower layers is hidden
	// (image-spec layer.md, "Opaque Whiteout").
	opaqueName = ".wh..wh..opq"
)

// Whiteout tells what the layer entry name removes. For "dir/.wh.file", target
// is "dir/file"; for "dir/.wh..wh..opq", target is "dir" and opaque is true, and
// at the root target is ".". ok is false for what is no whiteout; of those,
// callers skip what WhiteoutMeta reports. name is clean.
func Whiteout(name string) (target string, opaque, ok bool) {
	dir, base := path.Dir(name), path.Base(name)
	switch {
	case base == opaqueName:
		return dir, true, true
	case !strings.HasPrefix(base, whiteoutPrefix), WhiteoutMeta(name):
		return "", false, false
	default:
		return path.Join(dir, base[len(whiteoutPrefix):]), false, true
	}
}

// WhiteoutMeta reports whether the layer entry name is neither a file of the
// image nor a whiteout: the bookkeeping of aufs, such as ".wh..wh.plnk" and all
// below it, and names that have the mark and name nothing that could be removed
// (".wh.", ".wh..", ".wh...").
func WhiteoutMeta(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		hidden, marked := strings.CutPrefix(part, whiteoutPrefix)
		if !marked || part == opaqueName {
			continue
		}
		if hidden == "" || hidden == "." || hidden == ".." || strings.HasPrefix(hidden, whiteoutPrefix) {
			return true
		}
	}
	return false
}
