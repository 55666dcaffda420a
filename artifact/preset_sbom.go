package artifact

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ocilayout/ocilayout/content"
)

// The media types of SBOMs that are told apart.
const (
	MediaTypeSPDXJSON      = "application/spdx+json"
	MediaTypeSPDXText      = "text/spdx"
	MediaTypeCycloneDXJSON = "application/vnd.cyclonedx+json"
	MediaTypeCycloneDXXML  = "application/vnd.cyclonedx+xml"
	MediaTypeSyftJSON      = "application/vnd.syft+json"
)

const (
	maxSBOM     = 256 << 20 // bytes of an SBOM that is read as JSON
	maxPrologue = 64 << 10  // bytes before what tells an SBOM in XML or text
)

// SBOM makes options that attach the SBOM in the file at path: SPDX as JSON or
// tag-value, CycloneDX as JSON or XML, or syft's own JSON. Artifact and file have
// the media type of that format, which is found by what the file says, not by its
// name. A file that is none of these is ErrUnsupported, one that is JSON and broken
// ErrCorrupt, one of JSON over 256 MiB ErrRefused.
func SBOM(path string) (Options, error) {
	f, err := os.Open(path)
	if err != nil {
		return Options{}, notFound(path, err)
	}
	mediaType, err := detectSBOM(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return Options{}, content.At(path, err)
	}
	return Options{
		Type:  mediaType,
		Files: []File{{Path: path, Title: filepath.Base(path), MediaType: mediaType}},
	}, nil
}

func detectSBOM(r io.Reader) (string, error) {
	in := bufio.NewReaderSize(r, maxPrologue)
	start, err := in.Peek(maxPrologue)
	if err != nil && err != io.EOF {
		return "", err
	}
	mediaType := ""
	switch start = bytes.TrimLeft(start, " \t\r\n"); {
	case bytes.HasPrefix(start, []byte("{")):
		mediaType, err = detectJSON(&capped{r: in, left: maxSBOM})
	case bytes.HasPrefix(bytes.TrimPrefix(start, []byte("\xef\xbb\xbf")), []byte("<")):
		mediaType, err = detectXML(start), nil
	default:
		mediaType, err = detectText(start), nil
	}
	if err == nil && mediaType == "" {
		err = content.Errorf(content.ErrUnsupported, "not an SBOM that is known here: want SPDX (JSON or tag-value), CycloneDX (JSON or XML) or syft JSON")
	}
	return mediaType, err
}

// detectJSON reads the whole object, since a tool may have sorted its keys, and
// holds no more of it than one value.
func detectJSON(r io.Reader) (string, error) {
	d := json.NewDecoder(r)
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return "", notJSON(err)
	}
	found := ""
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", notJSON(err)
		}
		mediaType, err := judgeField(d, key)
		if err != nil {
			return "", notJSON(err)
		}
		if mediaType == "" || mediaType == found {
			continue
		}
		if found != "" {
			return "", content.Errorf(content.ErrCorrupt, "says to be both %s and %s", found, mediaType)
		}
		found = mediaType
	}
	if _, err := d.Token(); err != nil {
		return "", notJSON(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return "", content.Errorf(content.ErrCorrupt, "has data after its JSON object")
	}
	return found, nil
}

// judgeField reads the value of a top-level key, and says what the two make the
// object.
func judgeField(d *json.Decoder, key json.Token) (string, error) {
	switch key {
	case "spdxVersion", "@context", "bomFormat":
		var value any
		if err := d.Decode(&value); err != nil {
			return "", err
		}
		text, _ := value.(string)
		switch {
		case key == "spdxVersion" && strings.HasPrefix(text, "SPDX-"):
			return MediaTypeSPDXJSON, nil
		case key == "@context" && strings.HasPrefix(text, "https://spdx.org/rdf/"):
			return MediaTypeSPDXJSON, nil
		case key == "bomFormat" && text == "CycloneDX":
			return MediaTypeCycloneDXJSON, nil
		}
		return "", nil
	case "schema":
		var schema json.RawMessage
		if err := d.Decode(&schema); err != nil {
			return "", err
		}
		var at struct{ URL string }
		if json.Unmarshal(schema, &at) == nil && strings.Contains(at.URL, "/anchore/syft/") {
			return MediaTypeSyftJSON, nil
		}
		return "", nil
	}
	return "", skipValue(d)
}

// skipValue steps over one value.
func skipValue(d *json.Decoder) error {
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

func notJSON(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if errors.Is(err, content.ErrRefused) {
		return err
	}
	return content.Errorf(content.ErrCorrupt, "not valid JSON: %w", err)
}

// detectXML looks at the root element.
func detectXML(start []byte) string {
	d := xml.NewDecoder(bytes.NewReader(start))
	for {
		token, err := d.Token()
		if err != nil {
			return ""
		}
		if root, ok := token.(xml.StartElement); ok {
			if root.Name.Local == "bom" && strings.HasPrefix(root.Name.Space, "http://cyclonedx.org/schema/bom/") {
				return MediaTypeCycloneDXXML
			}
			return ""
		}
	}
}

// detectText looks at the first line that is neither empty nor a comment.
func detectText(start []byte) string {
	for line := range bytes.Lines(start) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		tag, value, _ := strings.Cut(string(line), ":")
		if tag == "SPDXVersion" && strings.HasPrefix(strings.TrimSpace(value), "SPDX-") {
			return MediaTypeSPDXText
		}
		return ""
	}
	return ""
}

// capped is a reader that refuses to go past a number of bytes.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		var one [1]byte
		if n, err := c.r.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, content.Errorf(content.ErrRefused, "too large to be looked into: over %d bytes", int64(maxSBOM))
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}
