package content

import (
	"errors"
	"fmt"

	"oras.land/oras-go/v2/errdef"
)

// The sentinels that callers decide by, with errors.Is. ErrNotFound and
// ErrAlreadyExists also match those of oras-go's errdef, since oras.Copy decides
// by them. ErrDigest, ErrSize and ErrMissing are kinds of ErrCorrupt.
var (
	// ErrNotFound says that a name, digest or file is not there.
	ErrNotFound error = wrapped{"not found", errdef.ErrNotFound}
	// ErrAlreadyExists says that what was to be created is there already.
	ErrAlreadyExists error = wrapped{"already exists", errdef.ErrAlreadyExists}
	// ErrCorrupt says that content is not what its descriptor, or the format that
	// it claims to be in, says.
	ErrCorrupt = errors.New("corrupt content")
	// ErrDigest says that bytes do not hash to their digest.
	ErrDigest error = wrapped{"digest mismatch", ErrCorrupt}
	// ErrSize says that bytes are fewer or more than their descriptor says.
	ErrSize error = wrapped{"size mismatch", ErrCorrupt}
	// ErrMissing says that a blob which must be there is not: a broken reference
	// inside content, where ErrNotFound is a name that the user got wrong.
	ErrMissing error = wrapped{"missing blob", ErrCorrupt}
	// ErrRefused says that input was refused since it is hostile or exceeds a limit.
	ErrRefused = errors.New("refused")
	// ErrUnsupported says that something is well-formed and not handled here.
	ErrUnsupported = errors.New("unsupported")
	// ErrAmbiguous says that a name fits more than one entry.
	ErrAmbiguous = errors.New("ambiguous")
	// ErrConflict says that a name is taken by other content and that the caller
	// asked not to overwrite.
	ErrConflict = errors.New("conflict")
	// ErrBusy says that a lock was not to be had in time.
	ErrBusy = errors.New("busy")
	// ErrInvalid says that an argument is malformed: a reference, platform or digest.
	ErrInvalid = errors.New("invalid")
)

// wrapped is a sentinel that also matches a more general one without printing it.
type wrapped struct {
	text    string
	general error
}

func (w wrapped) Error() string { return w.text }
func (w wrapped) Unwrap() error { return w.general }

// An Error is a sentence with an address: what Path or Digest points at, and
// why it failed. Err wraps one of the sentinels.
type Error struct {
	Path   string // file or member, as the user would name it; may be empty
	Digest string // the digest at fault; may be empty
	Err    error
}

func (e *Error) Error() string {
	switch {
	case e.Path != "":
		return e.Path + ": " + e.Err.Error()
	case e.Digest != "":
		return e.Digest + ": " + e.Err.Error()
	default:
		return e.Err.Error()
	}
}

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error that matches kind and reads as the formatted text alone.
func Errorf(kind error, format string, args ...any) error {
	return &sentence{kind, fmt.Errorf(format, args...)}
}

// sentence carries a kind that is matched but not printed.
type sentence struct {
	kind error
	err  error
}

func (s *sentence) Error() string   { return s.err.Error() }
func (s *sentence) Unwrap() []error { return []error{s.kind, s.err} }

// At puts an address in front of err. It returns nil for a nil err.
func At(path string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Path: path, Err: err}
}

// AtDigest marks err as being about the blob dgst. It returns nil for a nil err.
func AtDigest(dgst Digest, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Digest: dgst.String(), Err: err}
}
