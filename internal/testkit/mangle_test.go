package testkit_test

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// mangle changes the files of a layout as a program says: a string of bytes, of which
// any is one, so that a fuzzer can write them. Every step begins with a byte for what
// it does and one for the file; a program that ends early goes on with zeros.
func mangle(files []build.File, program []byte) []build.File {
	const mostSteps = 24
	m := &mangler{files: slices.Clone(files), program: program}
	for range mostSteps {
		if len(m.program) == 0 || len(m.files) == 0 {
			break
		}
		m.step()
	}
	return m.files
}

type mangler struct {
	files   []build.File
	program []byte
}

// next reads a number below n.
func (m *mangler) next(n int) int {
	if n <= 0 {
		return 0
	}
	v := 0
	for size := 1; size < n && len(m.program) > 0; size <<= 8 {
		v = v<<8 | int(m.program[0])
		m.program = m.program[1:]
	}
	return v % n
}

// text reads a short string.
func (m *mangler) text() []byte {
	n := min(m.next(24), len(m.program))
	t := m.program[:n]
	m.program = m.program[n:]
	return t
}

// words are such as layouts are made of, and some that they must not be.
var words = []string{
	"application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
	"application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar",
	"application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.layer.v1.tar+zstd",
	"application/vnd.oci.empty.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
	"application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.docker.image.rootfs.diff.tar.gzip",
	"application/vnd.oci.artifact.manifest.v1+json", "application/octet-stream", "",
	"org.opencontainers.image.ref.name", "io.containerd.image.name", "io.containerd.manifest.subject",
	"vnd.docker.reference.type", "attestation-manifest", "v1", "latest", "docker.io/library/app:v1", "../../x", "\u202e",
	"linux", "amd64", "arm64", "unknown", "sha256", "sha512", "blake3", "null", "true", "-1", "1e3", "9223372036854775807", "18446744073709551616",
	`"subject"`, `"manifests"`, `"layers"`, `"config"`, `"data"`, `"platform"`, `"annotations"`, `"artifactType"`, `"mediaType"`, `"Digest"`, `"urls"`,
	`{}`, `[]`, `"ZGF0YQ=="`, `{"digest":"","size":0}`,
}

var (
	anyDigest = regexp.MustCompile(`sha(256|512):[0-9a-f]{64,128}`)
	anyString = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	anyNumber = regexp.MustCompile(`:-?[0-9]+`)
	anySized  = regexp.MustCompile(`"(sha(?:256|512):[0-9a-f]{64,128})","size":[0-9]+`)
)

// steps are the numbers of what a step can do: those that leave JSON what it is are
// there more often, since little is asked of what can't be read at all.
var steps = []byte{0, 1, 2, 3, 4, 5, 6, 6, 6, 7, 7, 8, 8, 8, 8, 9, 10, 10, 10, 11, 12, 13, 13, 13}

// mendStep is a program of one step that mends.
var mendStep = []byte{23, 0}

// step does one thing.
func (m *mangler) step() {
	kind, at := steps[m.next(len(steps))], m.next(len(m.files))
	for range len(m.files) { // little of a layout is in directories and in oci-layout
		if f := m.files[at]; f.Type == 0 && f.Name != "oci-layout" {
			break
		}
		at = (at + 1) % len(m.files)
	}
	f := &m.files[at]
	switch kind {
	case 0: // a byte is another
		if n := len(f.Body); n > 0 {
			f.Body = bytes.Clone(f.Body)
			f.Body[m.next(n)] ^= byte(1 << m.next(8))
		}
	case 1: // bytes come in
		i := m.next(len(f.Body) + 1)
		f.Body = slices.Concat(f.Body[:i], m.text(), f.Body[i:])
	case 2: // bytes go
		i := m.next(len(f.Body) + 1)
		j := min(i+1+m.next(64), len(f.Body))
		f.Body = slices.Concat(f.Body[:i], f.Body[j:])
	case 3: // the end goes
		f.Body = f.Body[:m.next(len(f.Body)+1)]
	case 4: // the file goes
		m.files = slices.Delete(m.files, at, at+1)
	case 5: // two files trade places
		other := &m.files[m.next(len(m.files))]
		f.Body, other.Body = other.Body, f.Body
	case 6: // a digest is another of those about
		m.replace(f, anyDigest, func() string { return m.anyOf(anyDigest) })
	case 7: // a number is another
		m.replace(f, anyNumber, func() string {
			return ":" + []string{"0", "1", "2", "7", "512", "-1", "9223372036854775807", "99999999999999999999", "1e3"}[m.next(9)]
		})
	case 8: // a string is a word
		m.replace(f, anyString, func() string {
			w := words[m.next(len(words))]
			if !strings.HasPrefix(w, `"`) {
				w = strconv.Quote(w)
			}
			return w
		})
	case 9: // a value is a word, whatever that makes of it
		m.replace(f, anyString, func() string { return words[m.next(len(words))] })
	case 10: // a descriptor is another of those about
		m.replace(f, anySized, func() string { return m.anyOf(anySized) })
	case 11: // a name points elsewhere
		if other := m.files[m.next(len(m.files))]; f.Type == other.Type {
			f.Name = other.Name
		}
	case 12: // a piece comes in again
		i := m.next(len(f.Body) + 1)
		j := min(i+m.next(512), len(f.Body))
		f.Body = slices.Concat(f.Body[:j], f.Body[i:])
	default: // everything gets the digest that it has by now
		m.mend()
	}
}

// anyOf finds one of the matches in all files that are no layers.
func (m *mangler) anyOf(re *regexp.Regexp) string {
	var all []string
	for _, f := range m.files {
		if len(f.Body) < 64<<10 && !bytes.ContainsRune(f.Body, 0) {
			all = append(all, re.FindAllString(string(f.Body), -1)...)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return all[m.next(len(all))]
}

// replace replaces one match in a file.
func (m *mangler) replace(f *build.File, re *regexp.Regexp, with func() string) {
	if len(f.Body) > 64<<10 {
		return
	}
	found := re.FindAllIndex(f.Body, 256)
	if len(found) == 0 {
		return
	}
	at := found[m.next(len(found))]
	f.Body = slices.Concat(f.Body[:at[0]], []byte(with()), f.Body[at[1]:])
}

// mend renames blobs to the digests that they have, and changes all that points to
// them, until nothing is to be changed: so what stands in a manifest is not just a
// wrong digest to whoever reads it.
func (m *mangler) mend() {
	for range 8 {
		fresh := map[string]string{}
		sizes := map[string]int{}
		for i := range m.files {
			f := &m.files[i]
			alg, hex, ok := strings.Cut(strings.TrimPrefix(f.Name, "blobs/"), "/")
			if !ok || f.Type != 0 || alg != "sha256" && alg != "sha512" {
				continue
			}
			d := digest.Algorithm(alg).FromBytes(f.Body)
			sizes[d.String()] = len(f.Body)
			if d.Encoded() != hex {
				fresh[hex] = d.Encoded()
				f.Name = "blobs/" + alg + "/" + d.Encoded()
			}
		}
		changed := false
		for i := range m.files {
			f := &m.files[i]
			body := f.Body
			for _, old := range slices.Sorted(maps.Keys(fresh)) {
				body = bytes.ReplaceAll(body, []byte(old), []byte(fresh[old]))
			}
			body = anySized.ReplaceAllFunc(body, func(match []byte) []byte {
				d := string(anyDigest.Find(match))
				size, ok := sizes[d]
				if !ok {
					return match
				}
				return []byte(`"` + d + `","size":` + strconv.Itoa(size))
			})
			if !bytes.Equal(body, f.Body) {
				f.Body, changed = body, true
			}
		}
		if len(fresh) == 0 && !changed {
			break
		}
	}
}
