package export_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/export"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// TestSameBytes: who wrote a layout, in which order and with which spaces, and when
// its files were touched, makes no difference.
func TestSameBytes(t *testing.T) {
	l, amd, _, index := multi()
	want, _ := both(t, roots(t, open(t, l)), export.Options{})
	export1 := func(t *testing.T, r *layout.Reader) []byte {
		data, _ := both(t, roots(t, r), export.Options{})
		return data
	}
	entries := func(edit func(list []map[string]any) []map[string]any) func(*testing.T) *layout.Reader {
		return func(t *testing.T) *layout.Reader {
			var file map[string]any
			if err := json.Unmarshal(l.IndexFile(), &file); err != nil {
				t.Fatal(err)
			}
			var list []map[string]any
			for _, e := range file["manifests"].([]any) {
				list = append(list, e.(map[string]any))
			}
			file["manifests"] = edit(list)
			other := *l
			var err error
			if other.IndexJSON, err = json.MarshalIndent(file, "\t", "  "); err != nil {
				t.Fatal(err)
			}
			return open(t, &other)
		}
	}
	referrer := func() content.Digest {
		for d, data := range l.Blobs {
			if bytes.Contains(data, []byte(`"subject"`)) {
				return d
			}
		}
		return ""
	}()
	for name, other := range map[string]func(t *testing.T) *layout.Reader{
		"as a tar": func(t *testing.T) *layout.Reader {
			path := filepath.Join(t.TempDir(), "l.tar")
			if err := os.WriteFile(path, l.Tar(), 0o600); err != nil {
				t.Fatal(err)
			}
			return openPath(t, path)
		},
		"as an export": func(t *testing.T) *layout.Reader {
			path := filepath.Join(t.TempDir(), "l.tar")
			if err := os.WriteFile(path, want, 0o600); err != nil {
				t.Fatal(err)
			}
			return openPath(t, path)
		},
		"touched": func(t *testing.T) *layout.Reader {
			dir := t.TempDir()
			if err := l.WriteDir(dir); err != nil {
				t.Fatal(err)
			}
			for _, f := range []string{"index.json", "oci-layout", build.BlobPath(amd.Digest)} {
				if err := os.Chtimes(filepath.Join(dir, f), time.Unix(1, 0), time.Unix(2, 0)); err != nil {
					t.Fatal(err)
				}
			}
			return openPath(t, dir)
		},
		"with garbage": func(t *testing.T) *layout.Reader {
			other := build.Layout{Blobs: build.Blobs{}, Entries: l.Entries}
			for d, data := range l.Blobs {
				other.Blobs[d] = data
			}
			other.Put("", []byte("garbage"))
			return open(t, &other)
		},
		"indented": entries(func(list []map[string]any) []map[string]any { return list }),
		"other order": entries(func(list []map[string]any) []map[string]any {
			for i := range len(list) / 2 {
				list[i], list[len(list)-1-i] = list[len(list)-1-i], list[i]
			}
			return list
		}),
		"entries twice": entries(func(list []map[string]any) []map[string]any { return append(list, list...) }),
		"nulls and empty values": entries(func(list []map[string]any) []map[string]any {
			for _, e := range list {
				e["urls"], e["data"] = []any{}, nil
				if e["artifactType"] == nil {
					e["artifactType"] = ""
				}
			}
			return list
		}),
		"no media types nor platforms": entries(func(list []map[string]any) []map[string]any {
			for _, e := range list {
				if e["digest"] != index.Digest.String() {
					delete(e, "platform")
				}
				if name := e["annotations"].(map[string]any)["org.opencontainers.image.ref.name"]; name == "single" {
					delete(e, "mediaType")
				}
			}
			return list
		}),
		"referrer untagged as oras has it": entries(func(list []map[string]any) []map[string]any {
			return append(list, map[string]any{
				"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": referrer,
				"size": len(l.Blobs[referrer]), "artifactType": "text/plain"})
		}),
	} {
		t.Run(name, func(t *testing.T) {
			if got := export1(t, other(t)); !bytes.Equal(got, want) {
				_, a := members(t, got)
				_, b := members(t, want)
				t.Errorf("other bytes; index.json\n%s\nwant\n%s", a["index.json"], b["index.json"])
			}
		})
	}
}

// TestUnknownFields: what is not known here stays, by value: numbers keep their
// spelling, strings their meaning.
func TestUnknownFields(t *testing.T) {
	l := build.Hello()
	raw := string(build.JSON(l.Entries[0]))
	l.IndexJSON = []byte(`{"schemaVersion":2,"manifests":[` + raw[:len(raw)-1] +
		`, "z": {"b": 1e3, "a": [1.0, "\u00e9&\u003c"]}, "com.example": 12345678901234567890 }]}`)
	data, _ := both(t, roots(t, open(t, l)), export.Options{})
	_, bodies := members(t, data)
	for _, want := range []string{`"com.example":12345678901234567890`, `"z":{"a":[1.0,"é&<"],"b":1e3}`} {
		if !strings.Contains(string(bodies["index.json"]), want) {
			t.Errorf("lacks %s:\n%s", want, bodies["index.json"])
		}
	}
}

func TestTime(t *testing.T) {
	found := roots(t, open(t, build.Hello()))
	at := time.Unix(1700000000, 5)
	for _, form := range []export.Form{export.OCI, export.Docker} {
		data, _ := both(t, found, export.Options{Form: form, Time: at})
		headers, _ := members(t, data)
		for _, h := range headers {
			if h.ModTime.Unix() != at.Unix() || h.PAXRecords != nil {
				t.Errorf("%s: %s has time %v and records %v", form, h.Name, h.ModTime, h.PAXRecords)
			}
		}
	}
}

// FuzzIndex: whatever index.json says, an export fails or is one that exports to
// the same bytes.
func FuzzIndex(f *testing.F) {
	l, _, _, _ := multi()
	f.Add(l.IndexFile())
	f.Add(build.Hello().IndexFile())
	f.Add([]byte(`{"manifests":[{"digest":"sha256:` + strings.Repeat("0", 64) + `","size":0}]}`))
	f.Add(bytes.Replace(l.IndexFile(), []byte(`"size"`), []byte(`"x":[1e2],"size"`), -1))
	f.Add(bytes.Replace(l.IndexFile(), []byte(`"size"`), []byte(`"artifactType":null,"size"`), -1))
	dir := f.TempDir()
	if err := l.WriteDir(dir); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, index []byte) {
		if err := os.WriteFile(filepath.Join(dir, "index.json"), index, 0o600); err != nil {
			t.Fatal(err)
		}
		first, ok := tryExport(t, dir)
		if !ok {
			return
		}
		path := filepath.Join(t.TempDir(), "l.tar")
		if err := os.WriteFile(path, first, 0o600); err != nil {
			t.Fatal(err)
		}
		if second, ok := tryExport(t, path); !ok || !bytes.Equal(first, second) {
			_, a := members(t, first)
			_, b := members(t, second)
			t.Errorf("index.json\n%s\nexports to\n%s\nand that to\n%s", index, a["index.json"], b["index.json"])
		}
	})
}

func tryExport(t *testing.T, path string) ([]byte, bool) {
	ctx := context.Background()
	r, err := layout.OpenReader(path, layout.Options{})
	if err != nil {
		return nil, false
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	found, err := export.Select(ctx, r, layout.Reference{})
	if err != nil {
		return nil, false
	}
	var out bytes.Buffer
	_, err = export.ToWriter(ctx, &out, found, export.Options{})
	return out.Bytes(), err == nil
}
