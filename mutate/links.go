package mutate

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"

	"github.com/ocilayout/ocilayout/internal/tarx"
)

// links keeps hard links right when what they lead to is dropped: the first link that
// stays becomes the file, and the later ones lead to it. By then the body has gone by,
// so the first pass only notes that it is wanted, and a second one keeps it.
type links struct {
	wanted map[string]bool  // dropped members whose bodies links need, known before
	missed map[string]bool  // found in this pass
	lost   map[string]*lost // dropped members, by name
}

// lost is a member that was dropped.
type lost struct {
	header *tar.Header // nil if nobody was known to want it
	blocks []byte
	body   spool
	heir   string // the name, as written, of the link that became the file
	to     string // of a dropped hard link: where it led, clean
	toRaw  string // and as written
}

func newLinks(wanted map[string]bool) *links {
	return &links{wanted: wanted, missed: map[string]bool{}, lost: map[string]*lost{}}
}

func (l *links) close() error {
	var errs []error
	for _, lost := range l.lost {
		errs = append(errs, lost.body.Close())
	}
	return errors.Join(errs...)
}

// back notes that a name is there again.
func (l *links) back(name string) {
	if len(l.lost) > 0 {
		if old := l.lost[name]; old != nil {
			_ = old.body.Close() // a temporary file that is left over does no harm
			delete(l.lost, name)
		}
	}
}

// lose takes note of a dropped member and skips its body.
func (p *pass) lose(f found, m *Member) error {
	h := m.Header
	gone := &lost{}
	switch {
	case h.Typeflag == tar.TypeDir:
		return p.in.copyN(nil, f.body+tarx.Padding(f.body)) // no link leads to one
	case h.Typeflag == tar.TypeLink:
		gone.to, gone.toRaw = m.Link, h.Linkname
	case p.links.wanted[m.Name]:
		header := p.was
		gone.header, gone.blocks = &header, bytes.Clone(f.blocks)
	}
	p.links.back(m.Name)
	p.links.lost[m.Name] = gone
	if gone.header == nil {
		return p.in.copyN(nil, f.body+tarx.Padding(f.body))
	}
	if err := p.in.copyN(&gone.body, f.body); err != nil {
		return err
	}
	return p.in.copyN(nil, tarx.Padding(f.body))
}

// relink mends a hard link that stays though what it leads to was dropped. It says
// whether it wrote the member.
func (p *pass) relink(m *Member) (bool, error) {
	target, raw := m.Link, ""
	gone := p.links.lost[target]
	for range len(p.links.lost) {
		if gone == nil || gone.to == "" {
			break
		}
		target, raw = gone.to, gone.toRaw
		gone = p.links.lost[target]
	}
	switch {
	case gone == nil && raw == "":
		return false, nil
	case gone == nil:
		m.Link, m.Edit().Linkname = target, raw
		return false, nil
	case gone.heir != "":
		m.Edit().Linkname = gone.heir
		var err error
		m.Link, err = cleanName(gone.heir)
		return false, err
	case gone.header == nil:
		p.links.missed[target] = true
		p.out = io.Discard // this pass will be repeated
		return true, nil
	}
	return true, p.inherit(m, gone)
}

// inherit writes the file that was dropped under the name of a link to it.
func (p *pass) inherit(link *Member, gone *lost) error {
	gone.heir = link.Header.Name
	h := *gone.header
	p.was = h
	h.Name = link.Header.Name
	m := &Member{Name: link.Name, Header: &h, changed: true}
	if err := p.filter(m); err != nil || m.dropped {
		return err
	}
	p.kept++
	f := found{header: &h, blocks: gone.blocks, body: gone.body.size}
	saved := p.in
	defer func() { p.in = saved }()
	p.in = newAhead(io.MultiReader(gone.body.reader(), bytes.NewReader(zeroBlock[:tarx.Padding(f.body)])))
	defer p.in.Close()
	if m.rewrite != nil {
		return p.rewritten(f, m)
	}
	if err := p.header(f.blocks, m); err != nil {
		return err
	}
	return p.body(f)
}
