package verify

import (
	"fmt"
	"maps"
	"regexp"

	"github.com/ocilayout/ocilayout/content"
)

// entry judges entry n of index.json by its own bytes.
func (c *checker) entry(raw []byte, n int) (entry, bool) {
	if !c.strict(indexFile, raw, c.limits.Depth-2) {
		return entry{}, false
	}
	var d content.Descriptor
	if !c.decode(indexFile, raw, &d, IndexInvalid) {
		return entry{}, false
	}
	what := fmt.Sprintf("entry %d", n)
	if !c.descriptor(indexFile, what, d) {
		return entry{}, false
	}
	d.Data = nil
	d.Annotations = maps.Clone(d.Annotations)
	maps.DeleteFunc(d.Annotations, func(key, _ string) bool { return !keptAnnotations[key] })
	if name := d.Annotations[content.AnnotationRefName]; name != "" && !validRefName(name) {
		c.warnf(NameInvalid, at{indexFile.path, d.Digest}, "%s: %q is outside of the grammar of %s", what, truncate(name), content.AnnotationRefName)
	}
	return entry{desc: d, n: n}, true
}

// keptAnnotations are those that are looked at after index.json has been read.
var keptAnnotations = map[string]bool{
	content.AnnotationRefName:   true,
	content.AnnotationImageName: true,
	content.AnnotationSubject:   true,
}

// validRefName says whether a name fits image-spec annotations.md.
func validRefName(name string) bool { return refName.MatchString(name) }

const refComponent = `[A-Za-z0-9]+(?:(?:--|[-._:@+])[A-Za-z0-9]+)*`

var refName = regexp.MustCompile(`^` + refComponent + `(?:/` + refComponent + `)*$`)
