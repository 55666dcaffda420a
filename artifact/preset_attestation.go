package artifact

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/ocilayout/ocilayout/content"
)

// Attestation makes options that attach the attestation in the file at path: an
// in-toto statement, or a DSSE envelope with a payload of that type. Artifact and
// file have that media type; both say in an annotation what is attested, so that
// attestations can be told apart without reading them.
//
// The statement must be about subject, the digest that it gets attached to, unless
// that is "": ErrInvalid if not. A signature is looked for and not verified. What is
// neither form is ErrUnsupported, what is broken ErrCorrupt, and a file of over
// 64 MiB ErrRefused.
func Attestation(path string, subject content.Digest) (Options, error) {
	data, err := readWhole(path, maxStatement)
	if err != nil {
		return Options{}, err
	}
	mediaType, s, err := parseAttestation(data)
	if err == nil {
		err = s.about(subject)
	}
	if err != nil {
		return Options{}, content.At(path, err)
	}
	predicate := map[string]string{AnnotationPredicate: s.PredicateType}
	return Options{
		Type:        mediaType,
		Annotations: predicate,
		Files:       []File{inMemory(File{Title: filepath.Base(path), MediaType: mediaType, Annotations: predicate}, data)},
	}, nil
}

// readWhole reads a file of at most max bytes.
func readWhole(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, notFound(path, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, content.At(path, err)
	}
	if int64(len(data)) > max {
		return nil, content.At(path, content.Errorf(content.ErrRefused, "over the limit of %d bytes", max))
	}
	return data, nil
}

// inMemory is f with the bytes that were looked at, whatever becomes of the file.
func inMemory(f File, data []byte) File {
	f.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	return f
}
