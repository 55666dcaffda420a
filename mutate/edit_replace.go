package mutate

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/ocilayout/ocilayout/content"
)

// ReplaceFile gives the regular file at a path other bytes, in every layer that has it.
// Its owner, mode, time and attributes stay, and names that are hard links to it follow.
// An image that has no such file in any layer gets a warning; a path that is a hard link
// itself is ErrUnsupported. DiffIDs follow as for LayerTime; history stays.
type ReplaceFile struct {
	Path string
	Data []byte
}

// Image implements Change.
func (c ReplaceFile) Image(_ context.Context, im *Image) error {
	p, err := cleanPath(c.Path)
	if err != nil {
		return err
	}
	found := im.Job.expect("no layer has a file " + p)
	for _, l := range im.Layers {
		if !l.IsTar() {
			continue
		}
		l.Do(NewStep(fmt.Sprintf("replace %s %x", p, sha256.Sum256(c.Data)), func(m *Member) error {
			switch {
			case m.Name != p:
				return nil
			case m.Link != "":
				return content.Errorf(content.ErrUnsupported, "%s is a hard link to %.200q: replace that", p, m.Link)
			case !m.isFile():
				return content.Errorf(content.ErrUnsupported, "%s is no regular file", p)
			}
			found.Store(true)
			m.Rewrite(func(w io.Writer, _ io.Reader) error {
				_, err := w.Write(c.Data)
				return err
			})
			return nil
		}))
	}
	return nil
}
