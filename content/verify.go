package content

import (
	"hash"
	"io"
)

// Verify wraps rc so that reading it to the end proves that it is want: the
// last Read returns ErrSize or ErrDigest, never io.EOF, unless the bytes hash to
// want.Digest and number want.Size. It reads one byte past the end, so trailing
// bytes are found too. A digest that cannot be verified fails with
// ErrUnsupported, a malformed one with ErrInvalid, both at the first Read.
// Close closes rc.
func Verify(rc io.ReadCloser, want Descriptor) io.ReadCloser {
	v := &verifier{rc: rc, want: want}
	switch {
	case CheckDigest(want.Digest) != nil:
		v.err = AtDigest(want.Digest, CheckDigest(want.Digest))
	case !Verifiable(want.Digest):
		v.err = AtDigest(want.Digest, Errorf(ErrUnsupported, "algorithm %s can't be verified", want.Digest.Algorithm()))
	case want.Size < 0:
		v.err = AtDigest(want.Digest, Errorf(ErrSize, "descriptor says size %d", want.Size))
	default:
		v.hash = want.Digest.Algorithm().Hash()
	}
	return v
}

// Proves says whether rc is what Verify made for want, with nothing read of it yet, so
// that who reads it to the end need not prove the bytes again.
func Proves(rc io.ReadCloser, want Descriptor) bool {
	v, ok := rc.(*verifier)
	return ok && v.n == 0 && v.err == nil && v.want.Digest == want.Digest && v.want.Size == want.Size
}

type verifier struct {
	rc   io.ReadCloser
	want Descriptor
	hash hash.Hash
	n    int64
	err  error
}

func (v *verifier) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.rc.Read(p)
	if v.n+int64(n) > v.want.Size {
		n = int(v.want.Size - v.n)
		err = Errorf(ErrSize, "more than the %d bytes of its descriptor", v.want.Size)
	}
	v.n += int64(n)
	v.hash.Write(p[:n])
	switch {
	case err == io.EOF:
		v.err = v.verdict()
	case err != nil:
		v.err = AtDigest(v.want.Digest, err)
	}
	return n, v.err
}

// verdict is what the end of the stream means.
func (v *verifier) verdict() error {
	if v.n != v.want.Size {
		return AtDigest(v.want.Digest, Errorf(ErrSize, "%d bytes, its descriptor says %d", v.n, v.want.Size))
	}
	if got := sum(v.want.Digest, v.hash); got != v.want.Digest {
		return AtDigest(v.want.Digest, Errorf(ErrDigest, "bytes have digest %s", got))
	}
	return io.EOF
}

func (v *verifier) Close() error { return v.rc.Close() }

// sum reads a hash as a digest of the same algorithm as like.
func sum(like Digest, h hash.Hash) Digest {
	alg := like.Algorithm()
	return Digest(alg.String() + ":" + alg.Encode(h.Sum(nil)))
}
