package export

import (
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// FuzzEncode: an entry is written as encoding/json writes it.
func FuzzEncode(f *testing.F) {
	f.Add("org.opencontainers.image.ref.name", "v1", "", "application/vnd.oci.image.manifest.v1+json", "amd64", int64(3))
	f.Add("a", "<&>\"\\\x00\u2028é\x7f\xff", "b", "", "", int64(0))
	f.Fuzz(func(t *testing.T, key, value, artifactType, mediaType, arch string, size int64) {
		type tagged struct {
			Annotations  map[string]string `json:"annotations,omitempty"`
			ArtifactType string            `json:"artifactType,omitempty"`
			Digest       content.Digest    `json:"digest"`
			MediaType    string            `json:"mediaType"`
			Platform     *platform         `json:"platform,omitempty"`
			Size         int64             `json:"size"`
		}
		for _, annotations := range []map[string]string{nil, {}, {key: value}, {key: value, "b": "c"}} {
			for _, p := range []*platform{nil, {Architecture: arch, OS: value}} {
				want, err := rawjson.Marshal(tagged{annotations, artifactType, content.Digest(key), mediaType, p, size})
				if err != nil {
					t.Fatal(err)
				}
				got, err := fields{annotations, artifactType, content.Digest(key), mediaType, p, size}.encode()
				if err != nil || string(got) != string(want) {
					t.Errorf("got %s, %v; want %s", got, err, want)
				}
			}
		}
	})
}
