package mutate

import (
	"context"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/content"
)

// SetDigestAlgorithm names blobs by another algorithm: manifests, indexes, configs and
// layers. No byte of a layer changes, but each is read, to be hashed.
//
// Every descriptor changes, and so every manifest; config, history, diffIDs, created
// and annotations stay. A diffID keeps its algorithm, and attestations of BuildKit and
// absent children of an index stay as they are.
type SetDigestAlgorithm struct{ Algorithm digest.Algorithm }

// Image has the blobs of an image named so.
func (e SetDigestAlgorithm) Image(_ context.Context, im *Image) error {
	im.Algorithm = e.Algorithm
	return nil
}

// Index has an index named so.
func (e SetDigestAlgorithm) Index(_ context.Context, ix *Index) error {
	ix.Algorithm = e.Algorithm
	return nil
}

var digestAlgoFlag = Flag{
	Name:  "digest-algo",
	Usage: "name all blobs by `ALGORITHM`: sha256 or sha512",
	Parse: func(value string, _ FlagEnv) (Edit, error) {
		alg := digest.Algorithm(value)
		if alg != digest.SHA256 && alg != digest.SHA512 {
			return Edit{}, content.Errorf(content.ErrInvalid, "%q is no algorithm: want sha256 or sha512", value)
		}
		return Edit{On: Selector{All: true}, Change: SetDigestAlgorithm{alg}}, nil
	},
}
