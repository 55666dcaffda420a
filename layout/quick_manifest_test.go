package layout_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/layout"
)

// FuzzParseManifest: the fast way says what encoding/json says, whatever it is given.
func FuzzParseManifest(f *testing.F) {
	const desc = `{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:ab","size":3}`
	for _, text := range []string{
		``, `{}`, ` {}`, `{} `, `{}x`, `[]`, `null`, `{"layers":null}`, `{"layers":[]}`, `{"layers":[null]}`, `{"layers":[` + desc + `,]}`,
		`{"layers":[` + desc + ` , ` + desc + `]}`, `{"layers":[` + desc + `],"layers":[]}`, `{"layers":[],"Layers":[` + desc + `]}`, `{"layers":{}}`, `{"layers":[` + desc + desc + `]}`,
		`{"schemaVersion":2,"mediaType":"a","config":` + desc + `,"annotations":{"a":"b"}}`, `{"schemaVersion":2.0}`, `{"schemaVersion":-1}`, `{"schemaVersion":1,"schemaVersion":2}`,
		`{"config":` + desc + `,"config":{"size":4}}`, `{"config":null}`, `{"config":{"size":-1}}`, `{"subject":` + desc + `}`, `{"refers":` + desc + `}`, `{"blobs":[` + desc + `]}`,
		`{"manifests":[` + desc + `],"config":` + desc + `}`, `{"annotations":{"a":"b","a":"c"}}`, `{"annotations":null}`, `{"other":[[[1]]],"mediaType":"x\u0041"}`, `{"med\u0069aType":"x"}`,
		`{"os":"linux","architecture":"arm","variant":"v7","os.version":"1","rootfs":{"type":"layers","diff_ids":["sha256:a","b"]}}`,
		`{"rootfs":null}`, `{"rootfs":{"diff_ids":null}}`, `{"rootfs":{"diff_ids":[1]}}`, `{"rootfs":{"diff_ids":["a"]},"rootfs":{}}`, `{"rootfs":{"diff_ids":["a"],"DIFF_IDS":["b"]}}`,
		`{"OS":"x","os":"y"}`, `{"os.features":["a"]}`, `{"os":"a","os":"b"}`, `{"history":[{"created_by":"é\n"}],"os":"a"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		want, wantErr := content.ParseManifest("", data)
		got, err := layout.ParseManifest("", data)
		if (err == nil) != (wantErr == nil) || !reflect.DeepEqual(got, want) {
			t.Errorf("ParseManifest(%q) = %+v, %v; want %+v, %v", data, got, err, want, wantErr)
		}
		var config struct {
			content.Platform
			RootFS struct {
				DiffIDs []content.Digest `json:"diff_ids"`
			} `json:"rootfs"`
		}
		wantErr = json.Unmarshal(data, &config)
		facts, err := layout.ParseFacts(data)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("ParseFacts(%q): %v; want %v", data, err, wantErr)
		}
		if wantFacts := (layout.Facts{Platform: config.Platform, DiffIDs: config.RootFS.DiffIDs}); err == nil && !reflect.DeepEqual(facts, wantFacts) {
			t.Errorf("ParseFacts(%q) = %+v; want %+v", data, facts, wantFacts)
		}
	})
}
