package registry

import (
	"context"

	"github.com/ocilayout/ocilayout/content"
)

// CopyOptions say what is copied from one repository to another and how, as those of
// Push; MountFrom is not looked at.
type CopyOptions = PushOptions

// A CopyReport says what a copy did, or as a dry run would do.
type CopyReport = PushReport

// Copy puts what from means, or its tag latest if it has neither tag nor digest, at to,
// or under the tag latest if to has neither, with all that refers to it: referrers at any
// depth, and what cosign made. Digests stay. Blobs go from the one registry to the other
// without lying anywhere between; where both are one registry they are mounted, and no
// byte moves. Wrong bytes of a blob are found before the last of them is sent, and get no
// name. What the target has is not read. A list of referrers that names what is none, or
// is gone, is told to Options.Warn, and the entry left out; children that an index lists
// and the source does not have are left out too.
//
// Requests, besides those for tokens: one for from's tag, none if it has a digest and to
// has that; one for each tag of to; and if nothing changes no other. Else for each blob
// one if the registry mounts it or has it, and three if not; two for each manifest; if a
// tag of to was there, one for each child of an index. With referrers, one more for each
// manifest, another one for each that was there and has referrers, one for each thousand
// tags of from's repository, and two for each of cosign's tags.
func Copy(ctx context.Context, s *Session, from, to Reference, o CopyOptions) (CopyReport, error) {
	from = from.OrLatest()
	o.MountFrom = ""
	if from.Host == to.Host {
		o.MountFrom = from.Repository
	}
	repo, err := s.OpenToRead(ctx, from)
	src := &fromRepository{Repository: repo, known: map[content.Digest][]byte{}}
	p := newPusher(src, to.OrLatest(), o)
	p.within = from.Name() == to.Name()
	if err != nil {
		return p.report, err
	}
	d := content.Descriptor{Digest: from.Digest}
	if d.Digest == "" {
		if d, err = src.read(ctx, from.Tag); err != nil {
			return p.report, err
		}
	}
	return p.one(ctx, s, d)
}
