// Package vector reads and writes the test vectors below testdata/vectors: small
// files that each hold one input, and say in a header of text what must become of
// it. testdata/README.md describes the format for other tools.
package vector

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// A Vector is one input and what must become of it.
type Vector struct {
	Name    string // of its file
	Kind    string // one of Kinds
	Expect  string // of the main door: one of Outcomes
	Exit    int    // of the main door's command
	Problem []string
	Import  string // what import makes of it, where that is not Expect
	// Subject is the digest of what Referrers refer to; "" is the first entry's.
	Subject string
	// Referrers are the origin and the artifactType, with a space between, of all that
	// refers to Subject, directly or through others, sorted.
	Referrers []string
	Spec      string // where the rule stands
	Comment   string // what is wrong, or right, in one line
	Values    map[string]string
	Body      []byte // uncompressed
}

// Kinds are the forms of a body.
var Kinds = []string{
	"layout",         // a layout's directory, as a tar
	"oci-archive",    // a file that holds a layout, compressed perhaps
	"docker-archive", // a file in a form of docker save
	"rootfs",         // a file with a root filesystem
	"index",          // an index.json, to lie beside the blobs of the vector layout-hello
	"manifest",       // a manifest, to lie in the layout of the vector layout-hello
	"reference",      // the text of a reference
	"platform",       // the text of a platform
}

// Outcomes are what can become of an input.
var Outcomes = []string{"ok", "refused", "corrupt", "unsupported", "invalid", "ambiguous", "not-found"}

// Bytes writes v as a file. Equal vectors give equal bytes.
func (v Vector) Bytes() []byte {
	var b bytes.Buffer
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", key, value)
		}
	}
	line("kind", v.Kind)
	line("expect", v.Expect)
	line("problem", strings.Join(v.Problem, ", "))
	line("exit", strconv.Itoa(v.Exit))
	line("import", v.Import)
	line("subject", v.Subject)
	line("referrers", strings.Join(v.Referrers, ", "))
	for _, key := range valueKeys {
		if value, ok := v.Values[key]; ok {
			line(key, strconv.Quote(value))
		}
	}
	line("spec", v.Spec)
	line("comment", v.Comment)
	b.WriteByte('\n')
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is one
	}
	if _, err := w.Write(v.Body); err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// valueKeys are the keys of Values, in the order in which they are written: what
// a reference or platform must be read as, the media type of a manifest, and how a
// layout is checked and what is wanted of it.
var valueKeys = []string{"layout", "name", "digest", "platform", "media-type", "level", "require", "for", "allow-missing", "expect-file"}

// Parse reads a vector. It knows every key, so that a misspelt one fails.
func Parse(name string, file []byte) (Vector, error) {
	v := Vector{Name: name, Values: map[string]string{}}
	head, body, ok := bytes.Cut(file, []byte("\n\n"))
	if !ok {
		return v, fmt.Errorf("%s: no empty line after the header", name)
	}
	for line := range strings.Lines(string(head)) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if !ok {
			return v, fmt.Errorf("%s: header line %q is not a key and a value", name, line)
		}
		if err := v.set(key, value); err != nil {
			return v, fmt.Errorf("%s: %s: %w", name, key, err)
		}
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return v, fmt.Errorf("%s: body: %w", name, err)
	}
	if v.Body, err = io.ReadAll(z); err != nil {
		return v, fmt.Errorf("%s: body: %w", name, err)
	}
	return v, v.check()
}

func (v *Vector) set(key, value string) (err error) {
	switch key {
	case "kind":
		v.Kind = value
	case "expect":
		v.Expect = value
	case "problem":
		v.Problem = strings.Split(value, ", ")
	case "exit":
		v.Exit, err = strconv.Atoi(value)
	case "import":
		v.Import = value
	case "subject":
		v.Subject = value
	case "referrers":
		v.Referrers = strings.Split(value, ", ")
	case "spec":
		v.Spec = value
	case "comment":
		v.Comment = value
	default:
		if !slices.Contains(valueKeys, key) {
			return fmt.Errorf("not a key of a vector")
		}
		v.Values[key], err = strconv.Unquote(value)
	}
	return err
}

// check holds a vector to the words that there are.
func (v Vector) check() error {
	switch {
	case !slices.Contains(Kinds, v.Kind):
		return fmt.Errorf("%s: kind %q is none of %v", v.Name, v.Kind, Kinds)
	case !slices.Contains(Outcomes, v.Expect):
		return fmt.Errorf("%s: expect %q is none of %v", v.Name, v.Expect, Outcomes)
	case v.Import != "" && !slices.Contains(Outcomes, v.Import):
		return fmt.Errorf("%s: import %q is none of %v", v.Name, v.Import, Outcomes)
	case (v.Expect == "ok") != (v.Exit == 0):
		return fmt.Errorf("%s: expect %s with exit %d", v.Name, v.Expect, v.Exit)
	case (v.Subject != "" || v.Referrers != nil) && (v.Kind != "layout" || v.Expect != "ok"):
		return fmt.Errorf("%s: referrers of a %s that is %s", v.Name, v.Kind, v.Expect)
	case v.Comment == "":
		return fmt.Errorf("%s: no comment", v.Name)
	}
	return nil
}

// Load reads every vector of a directory, in the order of their names. Fewer than
// least is an error: a corpus that went away must not pass.
func Load(dir string, least int) ([]Vector, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []Vector
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		v, err := Parse(f.Name(), data)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	if len(all) < least {
		return nil, fmt.Errorf("%s: %d vectors, there must be %d at least", dir, len(all), least)
	}
	return all, nil
}
