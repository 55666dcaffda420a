package mutate

import (
	"maps"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// Ignored is a set of kinds of differences that do not count. Its zero value is empty.
type Ignored map[string]bool

// ignorable are the words for kinds of differences, and what each covers.
var ignorable = map[string]string{
	"time":         "every time: of files, of the config and its history, of the annotation that says when",
	"history":      "the history in the config",
	"layers":       "which layers there are, and how they are compressed",
	"annotations":  "annotations, of the manifest and in its index",
	"config":       "all of the config but platform and history",
	"labels":       "labels in the config",
	"env":          "the environment in the config",
	"platform":     "the platform in the config",
	"manifest":     "what the manifest says besides",
	"attestations": "BuildKit's attestations in an index",
	"encoding":     "another spelling of the same JSON values",
	"files":        "all files",
	"owner":        "user and group of files",
	"mode":         "permissions of files",
	"content":      "size and bytes of files",
	"xattrs":       "extended attributes of files",
}

// IgnorableWords lists the words that ParseIgnored takes.
func IgnorableWords() []string { return slices.Sorted(maps.Keys(ignorable)) }

// ParseIgnored reads words with commas between them, such as "time,history". An unknown
// one is ErrInvalid; no list is an empty set, nil.
func ParseIgnored(lists ...string) (Ignored, error) {
	if len(lists) == 0 {
		return nil, nil
	}
	set := Ignored{}
	for _, list := range lists {
		for word := range strings.SplitSeq(list, ",") {
			word = strings.TrimSpace(word)
			if _, ok := ignorable[word]; !ok {
				return nil, content.Errorf(content.ErrInvalid, "can't ignore %q: want %s", word, strings.Join(IgnorableWords(), ", "))
			}
			set[word] = true
		}
	}
	return set, nil
}

// Words lists the set in order.
func (i Ignored) Words() []string { return slices.Sorted(maps.Keys(i)) }

// any says whether one of the kinds is ignored.
func (i Ignored) any(kinds ...string) bool {
	return slices.ContainsFunc(kinds, func(kind string) bool { return i[kind] })
}

// sortedKeys lists the keys of several maps, each once.
func sortedKeys[V any](sets ...map[string]V) []string {
	all := map[string]bool{}
	for _, set := range sets {
		for key := range set {
			all[key] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
