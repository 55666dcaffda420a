package rawjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Check says whether every reader will see the same thing in data: one value and
// nothing after it, valid UTF-8, no key twice in one object, nor twice but for
// case, and nothing deeper than depth. The error names the key at fault.
func Check(data []byte, depth int) error {
	if !utf8.Valid(data) {
		return fmt.Errorf("invalid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := checkValue(d, "", depth); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("data after the JSON value")
	}
	return nil
}

func checkValue(d *json.Decoder, path string, depth int) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth == 0 {
		return fmt.Errorf("%s: nested too deep", orRoot(path))
	}
	if delim == '{' {
		return checkObject(d, path, depth)
	}
	for i := 0; d.More(); i++ {
		if err := checkValue(d, fmt.Sprintf("%s[%d]", path, i), depth-1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

func checkObject(d *json.Decoder, path string, depth int) error {
	seen := map[string]string{}
	fold := Fold
	if isUserMap(path) {
		fold = func(key string) string { return key }
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		key := token.(string) // the decoder takes nothing else as a key
		if other, ok := seen[fold(key)]; ok && other == key {
			return fmt.Errorf("%s: key %q is there twice", orRoot(path), key)
		} else if ok {
			return fmt.Errorf("%s: keys %q and %q are one to some readers", orRoot(path), other, key)
		}
		seen[fold(key)] = key
		if err := checkValue(d, path+"."+key, depth-1); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// isUserMap says whether an object's keys are the user's own words, where keys
// that differ in case only are two keys to every reader.
func isUserMap(path string) bool {
	for _, suffix := range []string{".annotations", ".Labels", ".ExposedPorts", ".Volumes"} {
		if strings.HasSuffix(path, suffix) {
			return true
		}
	}
	return false
}

func orRoot(path string) string {
	if path == "" {
		return "top level"
	}
	return strings.TrimPrefix(path, ".")
}
