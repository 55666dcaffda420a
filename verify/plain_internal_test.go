package verify

import (
	"testing"

	"github.com/ocilayout/ocilayout/internal/rawjson"
	"github.com/ocilayout/ocilayout/internal/testkit/vector"
)

// FuzzPlainKeys: the quick pass never calls plain what the slow one objects to.
func FuzzPlainKeys(f *testing.F) {
	all, err := vector.Load("../testdata/vectors", 310)
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range all {
		if (v.Kind == "index" || v.Kind == "manifest") && len(v.Body) < 64<<10 {
			f.Add(v.Body)
		}
	}
	for _, text := range []string{
		`{"config":{"Digest":"x"}}`, `{"Config":{"digest":"x"}}`, `{"layers":[{"mediatype":1}]}`, `{"a\"":{"\u0053ize":1}}`,
		`{"annotations":{"Size":"1"}}`, `{"x":"\\"  :1,"Data" : 1}`, `{"platform" :{"OS":"x"},"plat\u0066orm":1}`, `"Size"`, `["Size",{"size":1}]`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if rawjson.Check(data, 16) != nil {
			return
		}
		if err := oddSpelling(data); err != nil && plainKeys(data) {
			t.Errorf("%q is plain, and %v", data, err)
		}
	})
}

// TestPlainKeys: what everybody writes takes the quick pass alone.
func TestPlainKeys(t *testing.T) {
	for text, want := range map[string]bool{
		`{"schemaVersion":2,"config":{"mediaType":"a","digest":"b","size":1},"layers":[],"annotations":{"org.example.Size":"\"Digest\":"}}`: true,
		`{"Size":1}`: false, `{"si\u007ae":1}`: false, `{"ſize":1}`: false, `{"CONFIG":{}}`: false, `{"a":"Size"}`: true,
	} {
		if got := plainKeys([]byte(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
