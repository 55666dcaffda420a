package artifact

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// Detached says what Detach took away. The blobs stay until gc.
type Detached struct {
	Digest  content.Digest `json:"digest"`
	Subject content.Digest `json:"subject"`
	Names   []string       `json:"names"` // that the artifact had
	// Lists are the tags of the lists that had it, if it is not there itself: Subject
	// is by the first of them then, and "" if that is cut.
	Lists []string `json:"lists,omitempty"`
	// Referrers are what has the artifact as its subject: they stay, without it.
	Referrers []content.Digest `json:"referrers"`
	// Listed says that it is found all the same, since an index other than its
	// subject's list of referrers leads to it.
	Listed bool `json:"listed,omitempty"`
}

// Detach takes artifacts that have a subject out of the layout, in one transaction:
// out of the lists of their subjects' referrers, and out of index.json. One that is
// not there is taken off the lists that have it all the same; if none has, it is
// ErrNotFound. One without a subject is ErrInvalid.
func Detach(ctx context.Context, l *layout.Layout, artifacts ...content.Descriptor) ([]Detached, error) {
	done := make([]Detached, 0, len(artifacts))
	for _, desc := range artifacts {
		d, err := attachment(ctx, l, desc)
		if err != nil {
			return nil, err
		}
		found, err := l.FindReferrers(ctx, layout.ReferrerQuery{Subject: desc})
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			d.Referrers = append(d.Referrers, r.Digest)
		}
		done = append(done, d)
	}
	if err := takeOut(ctx, l, done); err != nil {
		return nil, content.At(l.Path(), err)
	}
	return done, stillListed(ctx, l, done)
}

// attachment finds out what an artifact is attached to.
func attachment(ctx context.Context, l *layout.Layout, desc content.Descriptor) (Detached, error) {
	d := Detached{Digest: desc.Digest, Referrers: []content.Digest{}}
	m, _, err := content.FetchManifest(ctx, l, desc, l.Limits())
	switch {
	case err == nil && m.Subject == nil:
		return d, content.AtDigest(desc.Digest, content.Errorf(content.ErrInvalid, "is attached to nothing: delete or untag takes it away"))
	case err == nil:
		d.Subject = m.Subject.Digest
		return d, nil
	case !errors.Is(err, content.ErrNotFound):
		return d, err
	}
	var listErr error
	if d.Lists, listErr = l.ListedIn(ctx, desc.Digest); listErr != nil || len(d.Lists) == 0 {
		return d, errors.Join(listErr, err)
	}
	if subject := content.Digest(strings.Replace(d.Lists[0], "-", ":", 1)); content.CheckDigest(subject) == nil {
		d.Subject = subject
	}
	return d, nil
}

func takeOut(ctx context.Context, l *layout.Layout, done []Detached) error {
	return l.Update(ctx, func(tx *layout.Tx) error {
		for i := range done {
			d := &done[i]
			if err := unlist(ctx, tx, *d); err != nil {
				return err
			}
			gone, err := tx.RemoveDigest(d.Digest)
			if err != nil {
				return err
			}
			d.Names = []string{}
			for _, e := range gone {
				if e.Name() != "" {
					d.Names = append(d.Names, e.Name())
				}
			}
		}
		return nil
	})
}

func unlist(ctx context.Context, tx *layout.Tx, d Detached) error {
	if d.Lists == nil {
		return tx.RemoveReferrer(ctx, nil, d.Subject, d.Digest)
	}
	for _, tag := range d.Lists {
		if err := tx.RemoveListed(tag, d.Digest); err != nil {
			return err
		}
	}
	return nil
}

// stillListed marks what is found after it was taken out.
func stillListed(ctx context.Context, l *layout.Layout, done []Detached) error {
	bySubject := map[content.Digest][]layout.Referrer{}
	for i := range done {
		d := &done[i]
		if d.Lists != nil {
			continue // what is not there is not found
		}
		found, known := bySubject[d.Subject]
		if !known {
			var err error
			if found, err = l.FindReferrers(ctx, layout.ReferrerQuery{Subject: content.Descriptor{Digest: d.Subject}}); err != nil {
				return err
			}
			bySubject[d.Subject] = found
		}
		d.Listed = slices.ContainsFunc(found, func(r layout.Referrer) bool { return r.Digest == d.Digest })
	}
	return nil
}
