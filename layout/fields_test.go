package layout_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// TestTransferBringsFields: of a whole layout, members of index.json that nobody
// here knows come along byte for byte. What the destination says stays.
func TestTransferBringsFields(t *testing.T) {
	src := build.Hello()
	entry := string(build.JSON(src.Entries[0]))
	src.IndexJSON = []byte(`{"z": 1.50,"schemaVersion":2, "annotations":{"k":"<&>","a.b":"\u00e9"},"manifests":[` + entry + `],"mediaType":"application/vnd.oci.image.index.v1+json","x.y":[ 1e3 ]}`)
	const came = `,"annotations":{"k":"<&>","a.b":"\u00e9"},"x.y":[ 1e3 ],"z":1.50`
	for name, c := range map[string]struct{ dst, want string }{
		"none there":        {`{"schemaVersion":2,"manifests":[]}`, `{"schemaVersion":2,"manifests":[` + entry + `]` + came + `}`},
		"space":             {"{\n \"manifests\": [ ] , \"b\": 1\n}\n", "{\n \"manifests\": [ " + entry + "] , \"b\": 1\n" + came + "}\n"},
		"no array":          {`{"b":2}`, `{"b":2,"manifests":[` + entry + `]` + came + `}`},
		"no members":        {`{}`, `{"manifests":[` + entry + `]` + came + `}`},
		"null":              {`{"manifests":null,"b":2}`, `{"manifests":[` + entry + `],"b":2` + came + `}`},
		"one there":         {`{"manifests":[],"x.y":0}`, `{"manifests":[` + entry + `],"x.y":0,"annotations":{"k":"<&>","a.b":"\u00e9"},"z":1.50}`},
		"one in other case": {`{"Annotations":{},"manifests":[]}`, `{"Annotations":{},"manifests":[` + entry + `],"x.y":[ 1e3 ],"z":1.50}`},
	} {
		b := build.NewLayout()
		b.IndexJSON = []byte(c.dst)
		dst := openWritable(t, testkit.Layout(t, b, testkit.BrokenOK)) // most lack schemaVersion
		both := []layout.Source{{Reader: openBuilt(t, src)}, {Reader: openBuilt(t, src)}}
		for range 2 { // the second finds all of it there
			if _, err := layout.Transfer(t.Context(), dst, both, layout.TransferOptions{}); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(dst.Path(), "index.json"))
			if err != nil || string(got) != c.want || !json.Valid(got) {
				t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, c.want)
			}
		}
	}

	one := writable(t)
	if _, err := layout.Transfer(t.Context(), one, []layout.Source{{Reader: openBuilt(t, src), Ref: layout.Reference{Name: "v1"}}}, layout.TransferOptions{}); err != nil {
		t.Fatal(err)
	}
	err := one.View(t.Context(), func(x *layout.Index) error {
		if x.Field("x.y") != nil {
			t.Error("one image brought what is said of its layout")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
