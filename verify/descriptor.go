package verify

import (
	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
)

// descriptor judges a descriptor that stands in the file where.path, as what. It
// says whether its digest can be followed.
func (c *checker) descriptor(where at, what string, d content.Descriptor) bool {
	if err := content.CheckDigest(d.Digest); err != nil {
		c.errorf(DigestInvalid, where, "%s: %s", what, truncate(err.Error()))
		return false
	}
	where.digest = d.Digest
	if d.Size < 0 {
		c.errorf(DescriptorInvalid, where, "%s has size %d", what, d.Size)
	}
	if d.MediaType == "" {
		c.errorf(DescriptorInvalid, where, "%s has no media type", what)
	}
	c.data(where, what, d)
	return true
}

// plainDescriptor says that there is nothing for descriptor to tell.
func plainDescriptor(d *content.Descriptor) bool {
	return content.CheckDigest(d.Digest) == nil && d.Size >= 0 && d.MediaType != "" && d.Data == nil
}

// data holds embedded data to its descriptor (image-spec descriptor.md, "data").
func (c *checker) data(where at, what string, d content.Descriptor) {
	if d.Data == nil {
		return
	}
	if int64(len(d.Data)) != d.Size {
		c.errorf(DataMismatch, where, "%s has %d bytes of data, its size is %d", what, len(d.Data), d.Size)
		return
	}
	if !content.Verifiable(d.Digest) {
		return
	}
	if got := digest.Algorithm(d.Digest.Algorithm()).FromBytes(d.Data); got != d.Digest {
		c.errorf(DataMismatch, where, "%s has data with digest %s", what, got)
	}
}
