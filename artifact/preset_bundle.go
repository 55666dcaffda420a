package artifact

import (
	"encoding/hex"
	"errors"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/ocilayout/ocilayout/content"
)

// MediaTypeBundle is the media type of a Sigstore bundle of version 0.3.
const MediaTypeBundle = "application/vnd.dev.sigstore.bundle.v0.3+json"

// The annotations by which cosign and policy engines choose among bundles without
// reading them (sigstore/cosign, specs/BUNDLE_SPEC.md).
const (
	AnnotationBundleContent   = "dev.sigstore.bundle.content"
	AnnotationBundlePredicate = "dev.sigstore.bundle.predicateType"
)

// bundleType is the media type of a bundle from version 0.3 on, in the form that is
// a media type to a registry too.
var bundleType = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^application/vnd\.dev\.sigstore\.bundle\.v0\.([3-9]|[1-9][0-9]+)\+json$`)
})

// A bundle is what we look at in a Sigstore bundle.
type bundle struct {
	mediaType string
	envelope  *envelope
	message   *message
}

// A message is a signature of bytes, and their digest.
type message struct {
	Digest *struct {
		Algorithm string `json:"algorithm"`
		Digest    string `json:"digest"`
	} `json:"messageDigest"`
	Signature string `json:"signature"`
}

func parseBundle(data []byte) (b bundle, err error) {
	o, err := parseObject(data)
	if err != nil {
		return b, err
	}
	if err := errors.Join(decode(o, "mediaType", &b.mediaType), decode(o, "messageSignature", &b.message)); err != nil {
		return b, err
	}
	if raw := o.Get("dsseEnvelope"); raw != nil {
		inner, err := parseObject(raw)
		if err != nil {
			return b, err
		}
		e, err := parseEnvelope(inner)
		b.envelope = &e
		return b, err
	}
	return b, nil
}

// SigstoreBundle makes options that attach the Sigstore bundle in the file at path,
// as cosign attaches the bundles that it makes, so that cosign verify and
// verify-attestation find it in a registry. A bundle holds a signature or an
// attestation with what is needed to verify it.
//
// It must be about subject, the digest that it gets attached to, unless that is "":
// ErrInvalid if not. Its signature is not verified. What is no bundle, or one of a
// version that cosign does not take, is ErrUnsupported, what is broken ErrCorrupt,
// and a file of over 64 MiB ErrRefused.
func SigstoreBundle(path string, subject content.Digest) (Options, error) {
	data, err := readWhole(path, maxStatement)
	if err != nil {
		return Options{}, err
	}
	mediaType, annotations, err := describeBundle(data, subject)
	if err != nil {
		return Options{}, content.At(path, err)
	}
	return Options{
		Type:        mediaType,
		Annotations: annotations,
		Files:       []File{inMemory(File{Title: filepath.Base(path), MediaType: mediaType}, data)},
	}, nil
}

// describeBundle holds that data is a bundle and about d, and gives its media type
// and the annotations that say what is in it.
func describeBundle(data []byte, d content.Digest) (mediaType string, annotations map[string]string, err error) {
	b, err := parseBundle(data)
	if err != nil {
		return "", nil, err
	}
	if mediaType, err = b.registryType(); err != nil {
		return "", nil, err
	}
	switch {
	case b.envelope != nil && b.message == nil:
		s, err := b.envelope.statement()
		if err != nil {
			return "", nil, err
		}
		return mediaType, map[string]string{
			AnnotationBundleContent:   "dsse-envelope",
			AnnotationBundlePredicate: s.PredicateType,
		}, s.about(d)
	case b.message != nil && b.envelope == nil:
		return mediaType, map[string]string{AnnotationBundleContent: "message-signature"}, b.message.about(d)
	}
	return "", nil, content.Errorf(content.ErrCorrupt, "a Sigstore bundle has either dsseEnvelope or messageSignature")
}

// registryType is the bundle's media type as a registry takes it: the first form of
// version 0.3 has a parameter.
func (b bundle) registryType() (string, error) {
	switch {
	case b.mediaType == "application/vnd.dev.sigstore.bundle+json;version=0.3":
		return MediaTypeBundle, nil
	case bundleType().MatchString(b.mediaType):
		return b.mediaType, nil
	case b.mediaType == "":
		return "", content.Errorf(content.ErrUnsupported, "not a Sigstore bundle: it has no mediaType")
	}
	return "", content.Errorf(content.ErrUnsupported, "not a Sigstore bundle of version 0.3 or newer: mediaType is %q", b.mediaType)
}

// about holds that what was signed is the manifest d; the zero digest is anything.
func (m message) about(d content.Digest) error {
	if m.Signature == "" {
		return content.Errorf(content.ErrCorrupt, "a Sigstore bundle without a signature")
	}
	if d == "" {
		return nil
	}
	if m.Digest == nil {
		return content.Errorf(content.ErrInvalid, "does not say what was signed: it has no messageDigest")
	}
	sum, err := decodeBase64(m.Digest.Digest)
	if err != nil {
		return content.Errorf(content.ErrCorrupt, "messageDigest: %w", err)
	}
	algorithms := map[string]string{"SHA2_256": "sha256", "SHA2_512": "sha512"}
	signed := algorithms[m.Digest.Algorithm] + ":" + hex.EncodeToString(sum)
	if signed != d.String() {
		return content.Errorf(content.ErrInvalid, "is not about %s: it signs %s", d, signed)
	}
	return nil
}
