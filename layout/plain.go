package layout

import "errors"

// IsPlain says whether the entry's bytes hold nothing but the usual fields of a
// descriptor, each once, with annotations that are texts: then the descriptor is
// all there is to them. Nearly all entries are plain. One that leaves a doubt is not.
func (e Entry) IsPlain() bool {
	if len(e.Raw) == 0 || e.Raw[0] != '{' {
		return false
	}
	var seen [len(plainFields)]bool
	n, err := eachField(e.Raw, func(key, b []byte) (int, error) {
		if !once(plainFields[:], seen[:], key) {
			return 0, errNotPlain
		}
		switch string(key) {
		case "annotations":
			return e.plainAnnotations(b)
		case "platform":
			return plainPlatform(b)
		}
		return skipValue(b, quickDepth)
	})
	return err == nil && n == len(e.Raw)
}

var errNotPlain = errors.New("not plain")

var plainFields = [...]string{"digest", "mediaType", "size", "annotations", "artifactType", "platform"}

var platformFields = [...]string{"architecture", "os", "os.version", "os.features", "variant"}

// once says whether key is one of fields, and was not seen before.
func once(fields []string, seen []bool, key []byte) bool {
	for i, field := range fields {
		if string(key) == field {
			first := !seen[i]
			seen[i] = true
			return first
		}
	}
	return false
}

// plainAnnotations steps over annotations that are texts, as many as were decoded.
func (e Entry) plainAnnotations(b []byte) (int, error) {
	if len(b) == 0 || b[0] != '{' {
		return 0, errNotPlain
	}
	found := 0
	n, err := eachField(b, func(_, b []byte) (int, error) {
		if len(b) == 0 || b[0] != '"' {
			return 0, errNotPlain
		}
		found++
		return skipString(b)
	})
	if err == nil && found != len(e.Annotations) {
		err = errNotPlain // a key is there twice
	}
	return n, err
}

func plainPlatform(b []byte) (int, error) {
	if len(b) == 0 || b[0] != '{' {
		return 0, errNotPlain
	}
	var seen [len(platformFields)]bool
	return eachField(b, func(key, b []byte) (int, error) {
		if !once(platformFields[:], seen[:], key) {
			return 0, errNotPlain
		}
		return skipValue(b, quickDepth)
	})
}
