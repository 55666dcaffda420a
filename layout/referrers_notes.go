package layout

import (
	"fmt"

	"github.com/ocilayout/ocilayout/content"
)

// noteKind is a way in which a claim about referrers is wrong.
type noteKind int

const (
	noteAbsent noteKind = iota
	noteOther
	noteUnbound
	noteType
	noteTwice
	noteItself
	noteNoList
)

var noteTexts = map[noteKind]string{
	noteAbsent:  "%s leads to %s, which can't be read: left out",
	noteOther:   "%s lists %s, whose own subject is another or none: left out",
	noteUnbound: "%s says that %s belongs to it, whose own subject is another or none",
	noteType:    "%s lists %s with another artifactType than its own, which counts",
	noteTwice:   "%s lists %s more than once",
	noteItself:  "%s leads from %s to itself: left out",
	noteNoList:  "%s is no list: %s is no index",
}

// note is one kind of wrong claims, with the first that was met.
type note struct {
	kind  noteKind
	by    string
	first content.Digest
	count int
}

func (j *judge) note(kind noteKind, by string, d content.Digest) {
	for i := range j.notes {
		if j.notes[i].kind == kind {
			j.notes[i].count++
			return
		}
	}
	j.notes = append(j.notes, note{kind, by, d, 1})
}

// warn tells of each kind once.
func (j *judge) warn() {
	for _, n := range j.notes {
		text := fmt.Sprintf(noteTexts[n.kind], n.by, n.first)
		if n.count > 1 {
			text += fmt.Sprintf(" (and %d more)", n.count-1)
		}
		j.src.r.o.Warn(content.AtDigest(j.subject, content.Errorf(content.ErrCorrupt, "referrers: %s", text)))
	}
}
