package verify

import (
	"fmt"
	"regexp"
	"sync"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// entry judges entry n of index.json by its own bytes.
func (c *checker) entry(raw []byte, n int) (entry, bool) {
	if !c.strict(indexFile, raw, c.limits.Depth-2) {
		return entry{}, false
	}
	named, err := layout.ParseEntry(raw)
	if err != nil {
		named = layout.Entry{}
		if !c.decode(indexFile, raw, &named.Descriptor, IndexInvalid) {
			return entry{}, false
		}
	}
	d := named.Descriptor
	what := fmt.Sprintf("entry %d", n)
	if !c.descriptor(indexFile, what, d) {
		return entry{}, false
	}
	if name := named.RefName(); name != "" && !validRefName(name) {
		c.warnf(NameInvalid, at{indexFile.path, d.Digest}, "%s: %q is outside of the grammar of %s", what, truncate(name), content.AnnotationRefName)
	}
	if err == nil {
		c.give(named)
	}
	return entry{
		pointer: pointer{c.intern(d.MediaType), d.Digest}, size: d.Size,
		n: n, platform: childPlatform(d), image: named.IsImage(),
		name: named.Name(), ref: named.RefName(), subject: d.Annotations[content.AnnotationSubject],
	}, true
}

// validRefName says whether a name fits image-spec annotations.md.
func validRefName(name string) bool { return refName().MatchString(name) }

const refComponent = `[A-Za-z0-9]+(?:(?:--|[-._:@+])[A-Za-z0-9]+)*`

var refName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^` + refComponent + `(?:/` + refComponent + `)*$`)
})
