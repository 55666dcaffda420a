package sync

import (
	"slices"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// alone says whether nothing that refers to an image goes along.
func (e *Entry) alone() bool { return !isSet(e.Referrers) && !isSet(e.DigestTags) }

// along is what goes along with an image, if anything does.
func (e *Entry) along() layout.Belongings {
	b := layout.Belongings{NoSubjects: !isSet(e.Referrers), NoCosign: !isSet(e.DigestTags)}
	if len(e.ReferrerFilters) > 0 {
		b.Which = e.takesReferrer
	}
	return b
}

// takesReferrer says whether a filter takes a referrer.
func (e *Entry) takesReferrer(d content.Descriptor) bool {
	return slices.ContainsFunc(e.ReferrerFilters, func(f ReferrerFilter) bool {
		if f.ArtifactType != "" && f.ArtifactType != d.ArtifactType {
			return false
		}
		for key, value := range f.Annotations {
			if have, ok := d.Annotations[key]; !ok || value != "" && have != value {
				return false
			}
		}
		return true
	})
}
