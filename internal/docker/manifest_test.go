package docker_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/docker"
)

const saved = `[{"Config":"c.json","RepoTags":["app:1","app:latest"],"Layers":["a/layer.tar","b/layer.tar"]},
{"Config":"d.json","RepoTags":null,"Layers":[],"Parent":"sha256:00"}]
`

func TestParse(t *testing.T) {
	got, err := docker.Parse([]byte(saved))
	if err != nil {
		t.Fatal(err)
	}
	want := []docker.Image{
		{Config: "c.json", RepoTags: []string{"app:1", "app:latest"}, Layers: []string{"a/layer.tar", "b/layer.tar"}},
		{Config: "d.json", Layers: []string{}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, data string
		want       error
	}{
		{"empty", ``, content.ErrCorrupt},
		{"an object", `{"Config":"c.json"}`, content.ErrCorrupt},
		{"truncated", saved[:40], content.ErrCorrupt},
		{"trailing", saved + `[]`, content.ErrCorrupt},
		{"key twice", `[{"Config":"c.json","Config":"d.json"}]`, content.ErrCorrupt},
		{"key in two cases", `[{"Config":"c.json","config":"d.json"}]`, content.ErrCorrupt},
		{"layers as an object", `[{"Config":"c.json","Layers":{}}]`, content.ErrCorrupt},
		{"no config", `[{"RepoTags":["a:1"],"Layers":[]}]`, content.ErrCorrupt},
		{"empty layer name", `[{"Config":"c.json","Layers":[""]}]`, content.ErrCorrupt},
		{"deep", `[{"Config":"c.json","X":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}]`, content.ErrCorrupt},
		{"long name", `[{"Config":"` + strings.Repeat("c", 5000) + `"}]`, content.ErrRefused},
		{"many layers", `[{"Config":"c","Layers":["a"` + strings.Repeat(`,"a"`, 5000) + `]}]`, content.ErrRefused},
		{"many tags", `[{"Config":"c","RepoTags":["a"` + strings.Repeat(`,"a"`, 70000) + `]}]`, content.ErrRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			images, err := docker.Parse([]byte(tt.data))
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, %v; want %v", images, err, tt.want)
			}
		})
	}
}

func TestMarshal(t *testing.T) {
	got, err := docker.Marshal([]docker.Image{
		{Config: "blobs/sha256/ab", RepoTags: []string{"a<b:1"}, Layers: []string{"blobs/sha256/cd"}},
		{Config: "c.json", RepoTags: []string{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"Config":"blobs/sha256/ab","RepoTags":["a<b:1"],"Layers":["blobs/sha256/cd"]},` +
		`{"Config":"c.json","RepoTags":null,"Layers":[]}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// FuzzParse: what parses is written and read again as the same images.
func FuzzParse(f *testing.F) {
	f.Add([]byte(saved))
	f.Add([]byte(`[{"Config":"c","RepoTags":[],"Layers":["a"],"LayerSources":{"sha256:ab":{"mediaType":"m","digest":"sha256:ab","size":3}}}]`))
	f.Add([]byte(`[null]`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		images, err := docker.Parse(data)
		if err != nil {
			if !errors.Is(err, content.ErrCorrupt) && !errors.Is(err, content.ErrRefused) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		written, err := docker.Marshal(images)
		if err != nil {
			t.Fatal(err)
		}
		again, err := docker.Parse(written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		second, err := docker.Marshal(again)
		if err != nil || string(second) != string(written) {
			t.Fatalf("got %s, %v; first %s", second, err, written)
		}
	})
}
