package interop

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/compress"
)

// An outcome is what an edit made, in a form in which equal images are equal: media
// types, annotations, the config's values, and the members of layers. Digests of what
// was written anew are left out, since two programs spell JSON and tar differently.
type outcome struct {
	MediaType   string
	Annotations map[string]string
	Subject     bool
	// of an entry in an index
	Platform string
	Data     bool
	// of an image
	ConfigType string
	ConfigData bool
	Config     any
	DiffIDs    int
	Layers     []layerOutcome
	// of an index
	Manifests []outcome
}

type layerOutcome struct {
	MediaType string
	URLs      []string
	Data      bool
	Algorithm string
	Members   []string // one line each
}

// outcomeOf reads the image or index called name.
func outcomeOf(t testing.TB, dir, name string) outcome {
	t.Helper()
	var entry content.Descriptor
	entry.Digest = content.Digest(digest(t, dir+":"+name))
	for _, e := range readIndex(t, dir) {
		if e.Digest == entry.Digest {
			entry = e
		}
	}
	o := outcomeAt(t, dir, entry)
	o.Platform = "" // regctl writes none to index.json
	return o
}

func readIndex(t testing.TB, dir string) []content.Descriptor {
	t.Helper()
	var index content.Manifest
	decodeFile(t, filepath.Join(dir, "index.json"), &index)
	return index.Manifests
}

func decodeFile(t testing.TB, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	decode(t, string(data), into)
}

func blobPath(dir string, d content.Digest) string {
	return filepath.Join(dir, "blobs", d.Algorithm().String(), d.Encoded())
}

func outcomeAt(t testing.TB, dir string, d content.Descriptor) outcome {
	t.Helper()
	var m content.Manifest
	decodeFile(t, blobPath(dir, d.Digest), &m)
	o := outcome{MediaType: m.MediaType, Annotations: m.Annotations, Subject: m.Subject != nil, Data: d.Data != nil}
	if d.Platform != nil {
		o.Platform = content.FormatPlatform(*d.Platform)
	}
	for _, child := range m.Manifests {
		o.Manifests = append(o.Manifests, outcomeAt(t, dir, child))
	}
	if m.Config == nil {
		return o
	}
	o.ConfigType, o.ConfigData = m.Config.MediaType, m.Config.Data != nil
	decodeFile(t, blobPath(dir, m.Config.Digest), &o.Config)
	o.Config = o.normal(o.Config)
	for _, layer := range m.Layers {
		o.Layers = append(o.Layers, layerAt(t, dir, layer))
	}
	return o
}

// normal takes out of a config what says nothing: empty values, and digests of layers,
// which are counted.
func (o *outcome) normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, e := range v {
			if key == "diff_ids" {
				o.DiffIDs = len(e.([]any))
				continue
			}
			if set, ok := e.(map[string]any); ok && (key == "ExposedPorts" || key == "Volumes") {
				e = any(sortedKeys(set))
			}
			if e = o.normal(e); e != nil && e != "" && e != false {
				out[key] = e
			}
		}
		if text, ok := out["created_by"].(string); ok {
			out["created_by"] = strings.Join(strings.Fields(text), " ")
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, o.normal(e))
		}
		if len(out) == 0 {
			return nil
		}
		return out
	}
	return v
}

func sortedKeys(set map[string]any) []any {
	var keys []string
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var list []any
	for _, key := range keys {
		list = append(list, key)
	}
	return list
}

func layerAt(t testing.TB, dir string, d content.Descriptor) layerOutcome {
	t.Helper()
	l := layerOutcome{MediaType: d.MediaType, URLs: d.URLs, Data: d.Data != nil, Algorithm: d.Digest.Algorithm().String()}
	data, err := os.ReadFile(blobPath(dir, d.Digest))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := compress.NewReader(bytes.NewReader(data), compress.Detect(data), compress.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return l
		}
		if err != nil {
			t.Fatal(err)
		}
		body := sha256.New()
		if _, err := io.Copy(body, r); err != nil {
			t.Fatal(err)
		}
		l.Members = append(l.Members, fmt.Sprintf("%s %c %o %d:%d %s:%s %d %s %q %.4x", strings.Trim(h.Name, "/"), h.Typeflag, h.Mode, h.Uid, h.Gid,
			h.Uname, h.Gname, h.Size, h.ModTime.UTC().Format("2006-01-02T15:04:05"), h.Linkname, body.Sum(nil)))
	}
}

// wantOutcome compares what we made with what another program made.
func wantOutcome(t testing.TB, ours, theirs outcome) {
	t.Helper()
	got, want := pretty(t, ours), pretty(t, theirs)
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			from := max(0, i-2)
			t.Errorf("they differ from line %d on: ours\n%s\ntheirs\n%s", i+1, strings.Join(g[min(from, len(g)):min(i+6, len(g))], "\n"),
				strings.Join(w[min(from, len(w)):min(i+6, len(w))], "\n"))
			return
		}
	}
}

func pretty(t testing.TB, o outcome) string {
	t.Helper()
	data, err := json.MarshalIndent(o, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
