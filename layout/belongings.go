package layout

import (
	"slices"

	"github.com/ocilayout/ocilayout/content"
)

// Belongings say what of what refers to an image is taken with it. The zero value takes
// everything.
type Belongings struct {
	// NoSubjects leaves out what has the image, or anything that is taken, as its subject.
	NoSubjects bool
	// NoCosign leaves out what cosign made for it.
	NoCosign bool
	// Which, if not nil, says which of those with a subject are taken; what refers to the
	// others is not looked at. It may be called from several goroutines at once.
	Which func(content.Descriptor) bool
}

// Pick leaves those of found, which have one subject, that are taken. It changes found.
func (b Belongings) Pick(found []content.Descriptor) []content.Descriptor {
	if b.NoSubjects {
		return nil
	}
	if b.Which == nil {
		return found
	}
	return slices.DeleteFunc(found, func(d content.Descriptor) bool { return !b.Which(d) })
}
