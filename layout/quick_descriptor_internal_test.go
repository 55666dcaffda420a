package layout

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/ocilayout/ocilayout/content"
)

const quickEntryText = `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":426,"annotations":{"org.opencontainers.image.ref.name":"v1","x":""},"platform":{"architecture":"arm64","os":"linux","variant":"v8"}}`

func TestQuickDescriptorIsTaken(t *testing.T) {
	d, ok := quickDescriptor([]byte(quickEntryText))
	if !ok {
		t.Fatal("an entry as everybody writes it is left to encoding/json")
	}
	var want content.Descriptor
	if err := json.Unmarshal([]byte(quickEntryText), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("got %+v, want %+v", d, want)
	}
}

// FuzzQuickDescriptor: what the quick decoder takes, encoding/json reads the same.
func FuzzQuickDescriptor(f *testing.F) {
	for _, seed := range []string{
		quickEntryText,
		`{}`, `{"size":1}`, `{"size":01}`, `{"size":1e3}`, `{"size":-1}`, `{"size":9223372036854775808}`, `{"size":1,"size":2}`,
		`{"size":1,"Size":2}`, `{"size":1,"digest":"a","digest":"b"}`, `{"size":1,"digest":"","digest":"b"}`,
		`{"size":1,"annotations":{"a":"b","a":"c"}}`, `{"size":1,"annotations":null}`, `{"size":1,"annotations":{},"annotations":{"a":"b"}}`,
		`{"size":1,"annotations":{"\u0061":"b"}}`, `{"size":1,"platform":{"OS":"linux"}}`, `{"size":1,"platform":{"os":"linux","os.features":["x"]}}`,
		`{"size":1,"urls":["x"]}`, `{"size":1,"data":"AA=="}`, `{"size":1,"other":[[{}]]}`, `{"size":1} `, `{"size":1}x`, `{"ſize":1,"size":2}`,
		`{"size":1,"mediaType":null}`, `{ "size" : 1 , "digest" : "a" }`, "{\"size\":1,\"digest\":\"\xff\"}", `{"size":1,"digest":"<&>"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, ok := quickDescriptor(raw)
		if !ok {
			return
		}
		var want content.Descriptor
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatalf("%s: taken, but %v", raw, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %+v, encoding/json reads %+v", raw, got, want)
		}
	})
}
