package mutate

import "github.com/ocilayout/ocilayout/content"

// warnAttested warns of attestations in indexes below c that BuildKit made of images
// which have changed: they stay, and speak of the old ones.
func (c *Child) warnAttested(job *Job) {
	if c.Index == nil {
		return
	}
	changed := map[content.Digest]content.Digest{}
	for _, child := range c.Index.Children {
		child.warnAttested(job)
		if is := child.Result().Digest; child.Image != nil && is != child.Descriptor.Digest {
			changed[child.Descriptor.Digest] = is
		}
	}
	for _, child := range c.Index.Children {
		about := content.Digest(child.Descriptor.Annotations[content.AnnotationReferenceDigest])
		if is, ok := changed[about]; ok && content.IsAttestation(child.Descriptor) {
			job.Warn("attestation %s speaks of %s, which is %s now", child.Descriptor.Digest, about, is)
		}
	}
}
