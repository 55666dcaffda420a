package layout_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// withIndex makes a layout of just this index.json.
func withIndex(t *testing.T, index string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "oci-layout"), `{"imageLayoutVersion":"1.0.0"}`)
	write(t, filepath.Join(dir, "index.json"), index)
	return dir
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func entryJSON(digest, imageName, refName string) string {
	var annotations []string
	if imageName != "" {
		annotations = append(annotations, `"io.containerd.image.name":"`+imageName+`"`)
	}
	if refName != "" {
		annotations = append(annotations, `"org.opencontainers.image.ref.name":"`+refName+`"`)
	}
	return `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + digest + `","size":2,"annotations":{` + strings.Join(annotations, ",") + `}}`
}

func TestResolve(t *testing.T) {
	entries := map[string][]string{
		"docker": {entryJSON(digestA, "docker.io/library/app:latest", "latest"), entryJSON(digestB, "docker.io/library/db:latest", "latest")},
		"tags":   {entryJSON(digestA, "", "v1"), entryJSON(digestB, "", "latest")},
		"full":   {entryJSON(digestA, "", "quay.io/org/app:v1"), entryJSON(digestB, "", "app:v2")},
		"twice":  {entryJSON(digestA, "", "v1"), entryJSON(digestA, "", "v2")},
		"latest": {entryJSON(digestA, "docker.io/library/app:latest", "latest"), entryJSON(digestB, "", "latest"), entryJSON(digestA, "docker.io/library/db:latest", "")},
		"one":    {entryJSON(digestA, "", "")},
		"cosign": {entryJSON(digestA, "", "v1"), entryJSON(digestB, "", "sha256-"+strings.Repeat("a", 64)+".sig")},
		"clash":  {entryJSON(digestA, "", "v1"), entryJSON(digestB, "", "v1")},
		"none":   {},
	}
	for _, c := range []struct {
		layout, name string
		want         content.Digest
		err          error
	}{
		{"docker", "app", digestA, nil},
		{"docker", "app:latest", digestA, nil},
		{"docker", "library/app", digestA, nil},
		{"docker", "docker.io/library/db:latest", digestB, nil},
		{"docker", "index.docker.io/library/db", digestB, nil},
		{"docker", "latest", "", content.ErrAmbiguous},
		{"docker", "", "", content.ErrAmbiguous},
		{"docker", "app:v2", "", content.ErrNotFound},
		{"tags", "v1", digestA, nil},
		{"tags", "", digestB, nil},
		{"tags", "v", "", content.ErrNotFound},
		{"full", "v1", digestA, nil},
		{"full", "app:v1", digestA, nil},
		{"full", "org/app:v1", digestA, nil},
		{"full", "rg/app:v1", "", content.ErrNotFound},
		{"full", "docker.io/library/app:v2", digestB, nil},
		{"twice", "v2", digestA, nil},
		{"twice", "", "", content.ErrAmbiguous},
		{"latest", "", digestB, nil},
		{"latest", "latest", digestB, nil},
		{"one", "", digestA, nil},
		{"cosign", "", digestA, nil},
		{"clash", "v1", "", content.ErrAmbiguous},
		{"none", "", "", content.ErrNotFound},
	} {
		dir := withIndex(t, `{"schemaVersion":2,"manifests":[`+strings.Join(entries[c.layout], ",")+`]}`)
		r, err := layout.OpenReader(dir, layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Resolve(t.Context(), c.name)
		if got.Digest != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s:%s is %q, %v; want %q, %v", c.layout, c.name, got.Digest, err, c.want, c.err)
		}
		if errors.Is(c.err, content.ErrAmbiguous) && !strings.Contains(err.Error(), "sha256:bbbbbbbbbbbb") && c.layout != "twice" {
			t.Errorf("%s:%s: error does not list the choices: %v", c.layout, c.name, err)
		}
	}
}

func TestParseReference(t *testing.T) {
	here := t.TempDir()
	t.Chdir(here)
	for _, dir := range []string{"l", "with:colon", "a@b", filepath.Join("deep", "l")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for in, want := range map[string]layout.Reference{
		"l":                       {Layout: "l"},
		"l:v1":                    {Layout: "l", Name: "v1"},
		"l:docker.io/library/a:v": {Layout: "l", Name: "docker.io/library/a:v"},
		"new:docker.io/a/b:v":     {Layout: "new", Name: "docker.io/a/b:v"},
		"with:colon":              {Layout: "with:colon"},
		"with:colon:v1":           {Layout: "with:colon", Name: "v1"},
		"with:other":              {Layout: "with", Name: "other"},
		"a@b":                     {Layout: "a@b"},
		"a@b:v1":                  {Layout: "a@b", Name: "v1"},
		"l@" + digestA:            {Layout: "l", Digest: digestA},
		"l:v1@" + digestA:         {Layout: "l", Name: "v1", Digest: digestA},
		"oci:l:v1":                {Layout: "l", Name: "v1"},
		"ocidir://l:v1":           {Layout: "l", Name: "v1"},
		"oci-layout://deep/l":     {Layout: "deep/l"},
		"oci-archive:x.tar:v1":    {Layout: "x.tar", Name: "v1"},
		`C:\dir\l:v1`:             {Layout: `C:\dir\l`, Name: "v1"},
		"./l:":                    {Layout: "./l"},
	} {
		got, err := layout.ParseReference(in)
		if err != nil || got != want {
			t.Errorf("%q is %+v, %v; want %+v", in, got, err, want)
		}
		if again, err := layout.ParseReference(got.String()); err != nil || again != got {
			t.Errorf("%q written and read is %+v, %v", in, again, err)
		}
	}
	for in, want := range map[string]error{
		"":                              content.ErrInvalid,
		":v1":                           content.ErrInvalid,
		"l@sha256:short":                content.ErrInvalid,
		"l@sha256:../../etc/passwd":     content.ErrInvalid,
		"l:a b":                         content.ErrInvalid,
		"docker://x/y":                  content.ErrUnsupported,
		"l:" + strings.Repeat("x", 600): content.ErrInvalid,
		"l@sha256:" + strings.ToUpper(digestA[7:]): content.ErrInvalid,
	} {
		if got, err := layout.ParseReference(in); !errors.Is(err, want) {
			t.Errorf("%q is %+v, %v; want %v", in, got, err, want)
		}
	}
}

func FuzzReference(f *testing.F) {
	for _, s := range []string{"l:v1", "l@" + digestA, "oci:a:b:c@sha512:x", `C:\l`, "ocidir://x@y:z", ":::@@@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := layout.ParseReference(s)
		if err != nil {
			return
		}
		if ref.Layout == "" || ref.Digest != "" && content.CheckDigest(ref.Digest) != nil {
			t.Fatalf("%q is %+v", s, ref)
		}
	})
}

func TestNormalizeName(t *testing.T) {
	for in, want := range map[string]struct {
		full, tag string
		isFull    bool
	}{
		"v1":              {"v1", "v1", false},
		"app:v1":          {"docker.io/library/app:v1", "v1", true},
		"org/app":         {"docker.io/org/app:latest", "latest", true},
		"localhost/app":   {"localhost/app:latest", "latest", true},
		"host:5000/a/b:t": {"host:5000/a/b:t", "t", true},
		"Upper/App:v1":    {"Upper/App:v1", "Upper/App:v1", false},
		"a//b":            {"a//b", "a//b", false},
	} {
		full, tag, isFull := layout.NormalizeName(in)
		if full != want.full || tag != want.tag || isFull != want.isFull {
			t.Errorf("%q is %q, %q, %v", in, full, tag, isFull)
		}
	}
}
