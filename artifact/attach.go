package artifact

import (
	"context"
	"errors"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// Attached is an artifact that has a subject, as a registry's referrers API would
// send it.
type Attached struct {
	content.Descriptor
	Subject content.Digest `json:"subject"`
	// New is false if the layout had the very same manifest before.
	New bool `json:"new"`
}

// An Attachment is one artifact to be attached. Subject says to what, whatever
// Options.Subject says.
type Attachment struct {
	Subject content.Descriptor
	Options Options
}

// Attach makes an artifact whose subject is a manifest of the layout: an image, an
// index or another artifact, whose digest stays as it is. It is durable and listed
// when Attach returns. The same artifact attached twice is one.
func Attach(ctx context.Context, l *layout.Layout, subject content.Descriptor, o Options) (Attached, error) {
	done, err := AttachAll(ctx, l, []Attachment{{subject, o}})
	if err != nil {
		return Attached{}, err
	}
	return done[0], nil
}

// AttachAll attaches many artifacts in one transaction: all are listed when it
// returns, or none if it fails.
func AttachAll(ctx context.Context, l *layout.Layout, list []Attachment) (done []Attached, err error) {
	b := l.Batch()
	defer func() { err = errors.Join(err, b.Close()) }()
	subjects := map[content.Digest]content.Descriptor{}
	var order []content.Digest
	artifacts := map[content.Digest][]content.Descriptor{}
	for _, a := range list {
		if _, known := subjects[a.Subject.Digest]; !known {
			if err := checkSubject(ctx, b, a.Subject); err != nil {
				return nil, err
			}
			subjects[a.Subject.Digest] = a.Subject
			order = append(order, a.Subject.Digest)
		}
		a.Options.Subject = &a.Subject
		desc, err := Build(ctx, b, a.Options)
		if err != nil {
			return nil, err
		}
		there, err := l.Exists(ctx, desc)
		if err != nil {
			return nil, err
		}
		artifacts[a.Subject.Digest] = append(artifacts[a.Subject.Digest], desc)
		done = append(done, Attached{desc, a.Subject.Digest, !there})
	}
	if err := b.Publish(ctx); err != nil {
		return nil, err
	}
	err = l.Update(ctx, func(tx *layout.Tx) error {
		for _, d := range order {
			if err := tx.AddReferrer(ctx, b, subjects[d], artifacts[d]...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, content.At(l.Path(), err)
	}
	return done, nil
}

// checkSubject holds a subject to be a manifest that is there, whatever its
// descriptor says, and keeps it there until the batch is closed.
func checkSubject(ctx context.Context, b *layout.Batch, subject content.Descriptor) error {
	if !content.HasEdges(subject.MediaType) {
		return content.AtDigest(subject.Digest, content.Errorf(content.ErrInvalid, "%s is no manifest: nothing can be attached to it", kindName(subject.MediaType)))
	}
	if _, err := b.Exists(ctx, subject); err != nil {
		return err
	}
	_, _, err := content.FetchManifest(ctx, b, subject, content.Limits{})
	return err
}
