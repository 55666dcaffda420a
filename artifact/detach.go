package artifact

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// Detached says what Detach took away. The blobs stay until gc.
type Detached struct {
	Digest  content.Digest `json:"digest"`
	Subject content.Digest `json:"subject"`
	Names   []string       `json:"names"` // that the artifact had
	// Referrers are what has the artifact as its subject: they stay, without it.
	Referrers []content.Digest `json:"referrers"`
	// Listed says that it is found all the same, since an index other than its
	// subject's list of referrers leads to it.
	Listed bool `json:"listed,omitempty"`
}

// Detach takes artifacts that have a subject out of the layout, in one transaction:
// out of the lists of their subjects' referrers, and out of index.json. One that is
// not there is ErrNotFound, one without a subject ErrInvalid.
func Detach(ctx context.Context, l *layout.Layout, artifacts ...content.Descriptor) ([]Detached, error) {
	done := make([]Detached, 0, len(artifacts))
	subjects := map[content.Digest]content.Descriptor{}
	for _, desc := range artifacts {
		m, _, err := content.FetchManifest(ctx, l, desc, l.Limits())
		if err != nil {
			return nil, err
		}
		if m.Subject == nil {
			return nil, content.AtDigest(desc.Digest, content.Errorf(content.ErrInvalid, "is attached to nothing: delete or untag takes it away"))
		}
		found, err := l.FindReferrers(ctx, layout.ReferrerQuery{Subject: desc})
		if err != nil {
			return nil, err
		}
		d := Detached{Digest: desc.Digest, Subject: m.Subject.Digest, Referrers: []content.Digest{}}
		for _, r := range found {
			d.Referrers = append(d.Referrers, r.Digest)
		}
		subjects[d.Subject] = *m.Subject
		done = append(done, d)
	}
	if err := takeOut(ctx, l, done); err != nil {
		return nil, content.At(l.Path(), err)
	}
	return done, stillListed(ctx, l, subjects, done)
}

func takeOut(ctx context.Context, l *layout.Layout, done []Detached) error {
	return l.Update(ctx, func(tx *layout.Tx) error {
		for i := range done {
			d := &done[i]
			if err := tx.RemoveReferrer(ctx, nil, d.Subject, d.Digest); err != nil {
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

// stillListed marks what is found after it was taken out.
func stillListed(ctx context.Context, l *layout.Layout, subjects map[content.Digest]content.Descriptor, done []Detached) error {
	for d, subject := range subjects {
		found, err := l.FindReferrers(ctx, layout.ReferrerQuery{Subject: subject})
		if err != nil {
			return err
		}
		for i := range done {
			for _, r := range found {
				done[i].Listed = done[i].Listed || done[i].Subject == d && r.Digest == done[i].Digest
			}
		}
	}
	return nil
}
