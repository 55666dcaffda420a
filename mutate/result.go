package mutate

import "github.com/ocilayout/ocilayout/content"

// layerResult is what a layer has become.
type layerResult struct {
	digest content.Digest
	size   int64
	diffID content.Digest
	// form is the compression that it has now.
	form string
	// emptied says that nothing is left in it; then there is nothing else here.
	emptied bool
	// same says that the bytes are those that were there, under another digest.
	same bool
}

// diffID is the layer's after the edits, "" if it is not known.
func (l *Layer) diffID() content.Digest {
	if l.result != nil {
		return l.result.diffID
	}
	return l.DiffID
}

// describe writes what the layer has become into its descriptor.
func (l *Layer) describe() content.Descriptor {
	d := content.Descriptor{MediaType: l.MediaType, Digest: l.Descriptor.Digest, Size: l.Descriptor.Size}
	if r := l.result; r != nil && r.digest != d.Digest {
		d = content.Descriptor{MediaType: mediaTypeIn(l.MediaType, r.form), Digest: r.digest, Size: r.size}
		if !r.same {
			l.forgetOldBytes()
		}
	}
	setDescriptor(l.Raw, d)
	return d
}
