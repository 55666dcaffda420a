package layout

import (
	"bytes"
	"errors"

	"github.com/ocilayout/ocilayout/content"
)

// A summary is what a scan keeps of an entry: what it takes to find it again and
// to say what it is. Its bytes belong to the scanner's window.
type summary struct {
	mediaType, digest, artifactType []byte
	imageName, refName, subject     []byte
	listed, size                    []byte
	sizeOdd                         bool // size is not the whole truth
}

// quickEntry steps over the entry at the start of b, checking its grammar, and
// summarises it in the same pass. plain is false where the summary may differ from
// what encoding/json would make of the entry: then the caller decodes it in full.
func quickEntry(b []byte, depth int, s *summary) (n int, plain bool, err error) {
	if len(b) > 0 && b[0] != '{' {
		return 0, false, errors.New("entry is not an object")
	}
	*s = summary{}
	plain = true
	seenAnnotations := false
	n, err = eachField(b, func(key, b []byte) (int, error) {
		switch string(key) {
		case "mediaType":
			return quickString(b, &s.mediaType, &plain)
		case "digest":
			return quickString(b, &s.digest, &plain)
		case "artifactType":
			return quickString(b, &s.artifactType, &plain)
		case "annotations":
			plain = plain && !seenAnnotations
			seenAnnotations = true
			return quickAnnotations(b, depth-1, s, &plain)
		case "size":
			n, err := skipValue(b, depth-1)
			s.sizeOdd = s.sizeOdd || s.size != nil
			s.size = b[:n]
			return n, err
		case "platform", "urls", "data":
		default:
			plain = plain && !ambiguousKey(key)
			s.sizeOdd = s.sizeOdd || bytes.EqualFold(key, []byte("size"))
		}
		return skipValue(b, depth-1)
	})
	return n, plain && s.digest != nil, err
}

func quickAnnotations(b []byte, depth int, s *summary, plain *bool) (int, error) {
	if len(b) == 0 || b[0] != '{' {
		*plain = false
		return skipValue(b, depth)
	}
	return eachField(b, func(key, b []byte) (int, error) {
		switch string(key) {
		case content.AnnotationImageName:
			return quickString(b, &s.imageName, plain)
		case content.AnnotationRefName:
			return quickString(b, &s.refName, plain)
		case content.AnnotationSubject:
			return quickString(b, &s.subject, plain)
		case annotationListed, annotationOlaregListed:
			return quickString(b, &s.listed, plain)
		}
		if bytes.IndexByte(key, '\\') >= 0 {
			*plain = false
		}
		return skipValue(b, depth-1)
	})
}

// ambiguousKey says whether a key may be another spelling of one that matters:
// encoding/json takes escapes and any case.
func ambiguousKey(key []byte) bool {
	if bytes.IndexByte(key, '\\') >= 0 {
		return true
	}
	for _, known := range []string{"mediaType", "digest", "artifactType", "annotations"} {
		if bytes.EqualFold(key, []byte(known)) {
			return true
		}
	}
	return false
}

// quickString steps over a value and, if it is a plain string, stores what is
// between its quotes. Anything else, or a second value, is not plain.
func quickString(b []byte, to *[]byte, plain *bool) (int, error) {
	if len(b) > 0 && b[0] != '"' {
		*plain = false
		return skipValue(b, 1)
	}
	n, isText, err := skipPlain(b)
	if err != nil {
		return n, err
	}
	if !isText || *to != nil {
		*plain = false
	}
	*to = b[1 : n-1]
	return n, nil
}

// eachField steps over the object at the start of b. For each member it calls
// value with the key as it is spelled, without quotes, and the bytes from the
// value on; value returns the value's length.
func eachField(b []byte, value func(key, b []byte) (int, error)) (int, error) {
	i, err := skipSpace(b, 1)
	if err != nil {
		return i, err
	}
	if b[i] == '}' {
		return i + 1, nil
	}
	for {
		start := i
		if i, err = skipKey(b, i); err != nil {
			return i, err
		}
		key := b[start+1:]
		key = key[:bytes.LastIndexByte(b[start+1:i], '"')]
		n, err := value(key, b[i:])
		if err != nil {
			return i + n, err
		}
		if i, err = skipSpace(b, i+n); err != nil {
			return i, err
		}
		switch b[i] {
		case ',':
			if i, err = skipSpace(b, i+1); err != nil {
				return i, err
			}
		case '}':
			return i + 1, nil
		default:
			return i, errors.New("expected , or }")
		}
	}
}
