package mutate

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"path"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/tarx"
)

// A pass is one reading of a layer's tar through the filters of its steps.
type pass struct {
	in      *ahead
	out     io.Writer
	members *members
	filters []Filter
	// canonical has headers, padding and end written in one form.
	canonical bool
	links     *links

	changed bool
	kept    int // members that are written
	dropped int
	garbage bool // bytes follow the end of the archive

	member Member
	was    tar.Header
}

func newPass(in *ahead, out io.Writer, steps []Step, lim content.Limits, wanted map[string]bool) *pass {
	p := &pass{in: in, out: out, members: newMembers(in, lim), links: newLinks(wanted)}
	for _, s := range steps {
		if _, ok := s.(canonical); ok {
			p.canonical = true
		}
		p.filters = append(p.filters, s.Start())
	}
	return p
}

// run copies the layer, and reads the stream to its end for the verdict on it.
func (p *pass) run() (err error) {
	defer func() { err = errors.Join(err, p.links.close()) }()
	for {
		f, err := p.members.next()
		if err == io.EOF {
			return p.end(f.blocks)
		}
		if err == nil {
			err = p.one(f)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = content.Errorf(content.ErrCorrupt, "layer's tar is truncated")
		}
		if err != nil {
			return err
		}
	}
}

// one copies, changes or drops one member.
func (p *pass) one(f found) error {
	h := f.header
	if h.Typeflag == tar.TypeXGlobalHeader {
		return p.global(f)
	}
	p.member = Member{Header: h}
	m := &p.member
	var err error
	if m.Name, err = cleanName(h.Name); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeLink {
		if m.Link, err = cleanName(h.Linkname); err != nil {
			return content.Errorf(content.ErrRefused, "hard link %.200q: %v", h.Name, err)
		}
	}
	p.was = *h
	if err := p.filter(m); err != nil {
		return err
	}
	if m.dropped {
		p.dropped++
		p.changed = true
		return p.lose(f, m)
	}
	if h.Typeflag == tar.TypeLink {
		if done, err := p.relink(m); done || err != nil {
			return err
		}
	}
	p.links.back(m.Name)
	p.kept++
	if m.rewrite != nil {
		return p.rewritten(f, m)
	}
	if err := p.header(f.blocks, m); err != nil {
		return err
	}
	return p.body(f)
}

// filter calls the filters until one drops the member.
func (p *pass) filter(m *Member) error {
	for i, f := range p.filters {
		if err := f.Member(m); err != nil {
			return err
		}
		for _, h := range m.before {
			if err := p.add(h, p.filters[i+1:]); err != nil {
				return err
			}
		}
		if m.before = nil; m.dropped {
			return nil
		}
	}
	return m.fault
}

// global copies a global header, which says nothing that matters; the canonical form
// has none.
func (p *pass) global(f found) error {
	pad := tarx.Padding(int64(len(f.blocks)))
	if p.canonical {
		p.changed = true
		return p.in.copyN(nil, pad)
	}
	if _, err := p.out.Write(f.blocks); err != nil {
		return err
	}
	return p.in.copyN(p.out, pad)
}

// header writes the header of a member: with the bytes that it has if nothing has
// changed.
func (p *pass) header(blocks []byte, m *Member) error {
	b := blocks
	var err error
	switch {
	case p.canonical:
		b, err = canonicalHeader(m)
	case m.changed:
		b, err = encodeHeader(blocks, &p.was, m.Header)
	}
	if err != nil {
		return content.Errorf(err, "member %.200q: %v", m.Name, err)
	}
	if p.canonical || m.changed {
		p.changed = p.changed || !bytes.Equal(b, blocks)
	}
	_, err = p.out.Write(b)
	return err
}

// canonicalHeader encodes a header anew: see Normalize.
func canonicalHeader(m *Member) ([]byte, error) {
	h := *m.Header
	h.Name = m.Name
	if h.Typeflag == tar.TypeLink {
		h.Linkname = m.Link
	}
	if h.Typeflag == tar.TypeCont {
		h.Typeflag = tar.TypeReg
	}
	var b bytes.Buffer
	err := tarx.NewWriter(&b, time.Time{}).RawHeader(&h)
	return b.Bytes(), err
}

// body copies the body of a member in place.
func (p *pass) body(f found) error {
	pad := tarx.Padding(f.body)
	if !p.canonical {
		return p.in.copyN(p.out, f.body+pad)
	}
	if err := p.in.copyN(p.out, f.body); err != nil {
		return err
	}
	return p.zeroPad(pad)
}

// zeroPad writes zeros for padding that may hold something else.
func (p *pass) zeroPad(pad int64) error {
	var was bytes.Buffer
	if err := p.in.copyN(&was, pad); err != nil {
		return err
	}
	p.changed = p.changed || !isZero(was.Bytes())
	_, err := p.out.Write(zeroBlock[:pad])
	return err
}

// rewritten writes what the member's Rewrite makes of its body.
func (p *pass) rewritten(f found, m *Member) (err error) {
	var s spool
	defer func() { err = errors.Join(err, s.Close()) }()
	was, is := sha256.New(), sha256.New()
	left := &io.LimitedReader{R: p.in, N: f.body}
	body := io.TeeReader(left, was)
	if err := m.rewrite(io.MultiWriter(&s, is), body); err != nil {
		return content.Errorf(err, "member %.200q: %v", m.Name, err)
	}
	if _, err := io.Copy(was, left); err != nil {
		return err
	}
	if left.N > 0 {
		return io.ErrUnexpectedEOF
	}
	if err := p.in.copyN(nil, tarx.Padding(f.body)); err != nil {
		return err
	}
	if !bytes.Equal(was.Sum(nil), is.Sum(nil)) {
		p.changed = true
	}
	if s.size != m.Header.Size {
		m.Edit().Size = s.size
	}
	if err := p.header(f.blocks, m); err != nil {
		return err
	}
	if _, err := io.Copy(p.out, s.reader()); err != nil {
		return err
	}
	_, err = p.out.Write(zeroBlock[:tarx.Padding(s.size)])
	return err
}

// end writes the end of the archive. Zeros that follow it are
// copied; what follows beside them is no part of the archive and stays behind.
func (p *pass) end(blocks []byte) error {
	if full := zeroEnd[:]; p.canonical && len(blocks) != len(full) {
		p.changed = true
		blocks = full
	}
	if _, err := p.out.Write(blocks); err != nil {
		return err
	}
	return p.trailing()
}

var zeroEnd [tarx.TrailerSize]byte

func (p *pass) trailing() error {
	for {
		b, err := p.in.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		p.garbage = p.garbage || !isZero(b)
		switch {
		case p.canonical:
			p.changed = true
		case !p.garbage:
			if _, err := p.out.Write(b); err != nil {
				return err
			}
		}
		p.in.take(len(b))
	}
}

// add writes a member that a filter adds, unless a later one drops it.
func (p *pass) add(h *tar.Header, after []Filter) error {
	m := &Member{Name: path.Clean(h.Name), Header: h}
	for _, f := range after {
		if err := f.Member(m); err != nil || m.dropped {
			return err
		}
	}
	p.changed = true
	p.kept++
	b, err := canonicalHeader(m)
	if err == nil {
		_, err = p.out.Write(b)
	}
	return err
}
