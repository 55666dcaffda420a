package verify

import (
	"context"
	"strings"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// references holds every descriptor to what it points at, now that all is read.
func (c *checker) references() {
	for d, t := range c.targets {
		if t.size == sizeAbsent {
			c.absent(d, t)
			continue
		}
		v := c.manifests[d]
		for _, cl := range t.claims {
			if t.size >= 0 && cl.size >= 0 && cl.size != t.size {
				c.errorf(BlobSize, cl.where(d), "%s has size %d, the blob has %d bytes", cl.what(), cl.size, t.size)
			}
			if v == nil {
				continue
			}
			if v.mediaType != "" && cl.namesType() && cl.mediaType != v.mediaType {
				c.errorf(MediaType, cl.where(d), "%s is of type %q, the manifest says it is %q", cl.what(), truncate(cl.mediaType), truncate(v.mediaType))
			}
			if cl.platform != nil && v.platform != nil {
				c.platform(d, cl, *v.platform)
			}
		}
	}
}

// absent reports a target that is not there, by the descriptor that minds most.
func (c *checker) absent(d content.Digest, t *target) {
	var least *claim
	for i := range t.claims {
		if cl := &t.claims[i]; least == nil || gravity(*cl) > gravity(*least) {
			least = cl
		}
	}
	switch {
	case least == nil: // listed, and gone when it was to be read
	case gravity(*least) == missing && c.o.AllowMissing && !least.isRoot():
		c.notef(Sparse, least.where(d), "%s is not here", least.what())
	case gravity(*least) == missing:
		c.errorf(BlobMissing, least.where(d), "%s is missing", least.what())
	case gravity(*least) == dangling:
		c.notef(ReferrerDangling, least.where(d), "%s is not here", least.what())
	case content.IsForeign(least.mediaType):
		c.notef(Sparse, least.where(d), "%s is foreign and not here", least.what())
	default:
		c.notef(Sparse, least.where(d), "%s is not here", least.what())
	}
}

const (
	dangling = iota // the subject of a referrer
	sparse          // what may be absent
	missing         // what may not
)

// namesType says whether the claim's type must be the one that the manifest says of
// itself. A layer that is a manifest, too, may be under another; an entry may not, since
// what it leads to would be left behind by who goes by the entry.
func (cl claim) namesType() bool {
	leads := cl.role == "" || cl.role == content.RoleManifest || cl.role == content.RoleSubject
	return content.HasEdges(cl.mediaType) || leads && cl.mediaType != ""
}

// isRoot says whether the claim is that of a root which the caller named.
func (cl claim) isRoot() bool { return cl.role == "" && cl.n < 0 }

func gravity(cl claim) int {
	e := content.Edge{Role: cl.role, To: content.Descriptor{MediaType: cl.mediaType}}
	switch {
	case cl.role == content.RoleSubject:
		return dangling
	case e.MayBeAbsent():
		return sparse
	}
	return missing
}

// platform holds the platform of a descriptor to that of the image's config. A
// variant or version that only one of them gives is no contradiction.
func (c *checker) platform(d content.Digest, cl claim, have content.Platform) {
	want, have := content.NormalizePlatform(*cl.platform), content.NormalizePlatform(have)
	same := want.OS == have.OS && want.Architecture == have.Architecture &&
		(want.Variant == have.Variant || cl.platform.Variant == "" || have.Variant == "") &&
		(want.OSVersion == have.OSVersion || want.OSVersion == "" || have.OSVersion == "")
	if !same && have.OS != "" {
		c.errorf(PlatformMismatch, cl.where(d), "%s is for %s, its config says %s",
			cl.what(), truncate(content.FormatPlatform(want)), truncate(content.FormatPlatform(have)))
	}
}

// files looks at every file below blobs/: what nothing refers to, and what is no
// blob at all.
func (c *checker) files(ctx context.Context) error {
	for blob, err := range c.r.BlobNames(ctx) {
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			c.errorf(BlobUnreadable, at{path: "blobs"}, "%v", err)
			return nil
		}
		c.file(blob)
	}
	return nil
}

func (c *checker) file(b layout.Blob) {
	name := strings.TrimPrefix(b.Path, "blobs/")
	known := c.targets[content.Digest(strings.Replace(name, "/", ":", 1))] != nil
	switch {
	case b.Err != nil && known: // told when it is read
	case b.Err != nil && b.Digest != "":
		c.errorf(BlobType, at{b.Path, b.Digest}, "%s", reason(b.Err))
	case b.Err != nil:
		c.notef(StrayFile, at{path: b.Path}, "%s", reason(b.Err))
	case !known:
		c.target(b.Digest).size = b.Size
		c.notef(Unreferenced, blobAt(b.Digest), "nothing refers to it")
	}
}
