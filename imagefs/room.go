package imagefs

import (
	"sync/atomic"

	"github.com/ocilayout/ocilayout/content"
)

// Room is what a list of files may still take of content.Limits.Tree; several
// layers that are read at once share it.
type room struct {
	limit int64
	left  atomic.Int64
}

// memberCost is about what a file takes in memory apart from its words.
const memberCost = 300

func newRoom(limits content.Limits) *room {
	r := &room{limit: limits.Tree}
	r.left.Store(limits.Tree)
	return r
}

func (r *room) take(n int) error {
	if r.left.Add(int64(-n)) < 0 {
		return content.Errorf(content.ErrRefused, "the list of the image's files takes more than the limit of %d bytes", r.limit)
	}
	return nil
}

// fork is another room with as much left.
func (r *room) fork() *room {
	f := &room{limit: r.limit}
	f.left.Store(r.left.Load())
	return f
}
