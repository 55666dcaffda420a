package layout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
)

const testDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func scanString(s string) (*Index, error) {
	return readIndex(bytes.NewReader([]byte(s)), int64(len(s)), content.Limits{}.WithDefaults(), nil, nil)
}

func TestScanRefuses(t *testing.T) {
	entry := `{"mediaType":"a/b","digest":"` + testDigest + `","size":1}`
	for _, in := range []string{
		``, `{`, `[]`, `null`, `{}x`, `{"manifests":[}`, `{"manifests":[` + entry, `{"manifests":[` + entry + `,]}`,
		`{"manifests":[` + entry + ` ` + entry + `]}`, `{"manifests":{}}`, `{"manifests":"x"}`, `{"manifests":[1]}`,
		`{"manifests":[],"manifests":[]}`, `{"a":1,"a":2}`, `{"a":01}`, `{"a":tru}`, `{"a":"` + "\n" + `"}`, `{"a":"\x"}`,
		`{"manifests":[{"digest":"` + testDigest + `","size":-1,"Digest":"sha256:x"}]}`,
		`{"manifests":[{"mediaType":"a"}]}`, `{"schemaVersion":1}`, `{a:1}`, `{"a":1,}`,
		`{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
	} {
		if _, err := scanString(in); err == nil {
			t.Errorf("took %s", in)
		}
	}
}

func TestScanSeesWhatJSONSees(t *testing.T) {
	for _, in := range []string{
		`{}`, ` { } `, `{"manifests":null}`, `{"manifests":[]}`, `{"schemaVersion":2,"manifests": [ ] , "x" : 1e3}`,
		`{"manifests":[{"digest":"` + testDigest + `","annotations":{"org.opencontainers.image.ref.name":"\u0061"}}]}`,
		`{"manifests":[{"Digest":"` + testDigest + `","mediaType":"x","mediaType":"y","annotations":{"\u006frg.opencontainers.image.ref.name":"a"}}]}`,
		`{"manifests":[{"digest":"` + testDigest + `","annotations":null},{"digest":"` + testDigest + `","annotations":{"io.containerd.image.name":"n","org.opencontainers.image.ref.name":"r"}}]}`,
	} {
		compareWithJSON(t, in)
	}
}

// compareWithJSON holds that the scan sees the entries that encoding/json sees.
func compareWithJSON(t *testing.T, in string) {
	t.Helper()
	x, err := scanString(in)
	if err != nil {
		return
	}
	var want struct {
		Manifests []content.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal([]byte(in), &want); err != nil {
		// Fields that a scan steps over are looked at when the entry is read.
		for _, errEntry := range x.Entries() {
			if errEntry != nil {
				return
			}
		}
		t.Fatalf("scan took what encoding/json refuses: %v\n%q", err, in)
	}
	if x.Len() != len(want.Manifests) {
		t.Fatalf("scan sees %d entries, encoding/json %d\n%q", x.Len(), len(want.Manifests), in)
	}
	i := 0
	for e, err := range x.Entries() {
		if err != nil {
			if content.CheckDigest(want.Manifests[i].Digest) == nil && want.Manifests[i].Size >= 0 {
				t.Fatalf("entry %d: %v\n%q", i, err, in)
			}
			return
		}
		w := Entry{Descriptor: want.Manifests[i]}
		if s, _ := x.live(i); s != (Summary{w.Name(), w.RefName(), w.Kind()}) || e.Digest != w.Digest {
			t.Fatalf("entry %d: scan sees %+v, encoding/json %+v\n%q", i, s, w, in)
		}
		i++
	}
}

func FuzzIndex(f *testing.F) {
	f.Add(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"` + testDigest + `","size":7,"annotations":{"org.opencontainers.image.ref.name":"v1"}}],"annotations":{"a":"b"}}`)
	f.Add(`{"manifests":[{"digest":"` + testDigest + `","DIGEST":"x","\u0061nnotations":{}} , {"digest":"` + testDigest + `","data":"e30="}]}`)
	f.Add(`{"manifests" : null , "x" : [1.5e-3, true, {"y":"\ud83d\ude00"}]}`)
	f.Fuzz(func(t *testing.T, in string) { compareWithJSON(t, in) })
}

func TestWindowEndsAnywhere(t *testing.T) {
	var entries []string
	for i := range 4000 {
		entries = append(entries, fmt.Sprintf(`{"mediaType":"a/b","digest":"%s","size":%d,"annotations":{"org.opencontainers.image.ref.name":"v%d","x":"%s"}}`,
			testDigest, i, i, strings.Repeat("y", i%311)))
	}
	in := `{"manifests":[` + strings.Join(entries, ", ") + `],"n":12}`
	compareWithJSON(t, in)
	huge := `{"annotations":{"x":"` + strings.Repeat("z", 3*scanWindow) + `"},"manifests":[` + entries[0] + `]}`
	compareWithJSON(t, huge)
	if x, err := scanString(huge); err != nil || x.Len() != 1 {
		t.Errorf("a field larger than the window: %v", err)
	}
}

// TestSpliceAgainstModel makes random changes to random indexes, and the same ones
// to a plain slice of entries.
func TestSpliceAgainstModel(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		in, model := randomIndex(r)
		x, err := scanString(in)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, in)
		}
		tx := &Tx{base: x, removed: map[int]bool{}, replaced: map[int]newcomer{}}
		for range r.IntN(25) {
			model = randomChange(t, r, tx, model)
		}
		var out bytes.Buffer
		if err := tx.write(&out); err != nil {
			t.Fatal(err)
		}
		y, err := scanString(out.String())
		if err != nil {
			t.Fatalf("seed %d: %v\n%s\n%s", seed, err, in, out.String())
		}
		var got []string
		for e, err := range y.Entries() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(e.Raw))
		}
		if slices.Sort(got); !slices.Equal(got, model) {
			t.Fatalf("seed %d:\nin   %s\nout  %s\nwant %s", seed, in, out.String(), model)
		}
		if string(y.Field("annotations")) != string(x.Field("annotations")) {
			t.Fatalf("seed %d: annotations changed", seed)
		}
	}
}

func randomIndex(r *rand.Rand) (in string, entries []string) {
	space := []string{"", " ", "\n    "}[r.IntN(3)]
	for i := range r.IntN(8) {
		raw := fmt.Sprintf(`{"mediaType":%q,%s"digest":"%s","size":%d,"x":[%d]`,
			[]string{"application/vnd.oci.image.manifest.v1+json", "text/plain"}[r.IntN(2)], space, testDigest, i, i)
		if r.IntN(3) > 0 {
			raw += fmt.Sprintf(`,"annotations":{"org.opencontainers.image.ref.name":"v%d"}`, i)
		}
		entries = append(entries, raw+"}")
	}
	array := "[" + space + strings.Join(entries, ","+space) + space + "]"
	slices.Sort(entries)
	switch {
	case len(entries) > 0:
		return `{"schemaVersion":2,` + space + `"manifests":` + array + `,"annotations":{"k":"v"}}`, entries
	case r.IntN(2) == 0:
		return `{"annotations":{"k":"v"},"manifests":` + []string{"null", "[ ]"}[r.IntN(2)] + `}`, nil
	}
	return []string{`{}`, `{"annotations":{}}`}[r.IntN(2)], nil
}

// randomChange changes tx and returns the model with the same change.
func randomChange(t *testing.T, r *rand.Rand, tx *Tx, model []string) []string {
	t.Helper()
	name := fmt.Sprintf("v%d", r.IntN(9))
	named := func(raw string) bool {
		e, err := ParseEntry([]byte(raw))
		return err == nil && e.Name() == name
	}
	if r.IntN(3) == 0 {
		if _, err := tx.Untag(name); err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(model, named)
	}
	e := NewEntry(content.Descriptor{MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: testDigest, Size: r.Int64N(1000)})
	if _, err := tx.Tag(e, name, Overwrite); err != nil {
		t.Fatal(err)
	}
	model = append(slices.DeleteFunc(model, named), string(e.WithName(name).Raw))
	slices.Sort(model)
	return model
}

func TestClassesKeepTheirOrder(t *testing.T) {
	x, err := scanString(emptyIndex)
	if err != nil {
		t.Fatal(err)
	}
	manifest := content.Descriptor{MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: testDigest, Size: 2}
	artifact, fallback := manifest, manifest
	artifact.ArtifactType = "application/spdx+json"
	fallback.MediaType = "application/vnd.oci.image.index.v1+json"
	tx := &Tx{base: x, removed: map[int]bool{}, replaced: map[int]newcomer{}}
	for _, add := range []func() error{
		func() error { return tx.Add(NewEntry(artifact)) },
		func() error {
			_, err := tx.Tag(NewEntry(fallback), "sha256-"+strings.Repeat("a", 64), Overwrite)
			return err
		},
		func() error { return tx.Add(NewEntry(manifest)) },
		func() error { _, err := tx.Tag(NewEntry(manifest), "v1", Overwrite); return err },
		func() error { _, err := tx.Tag(NewEntry(manifest), "app:v1", Overwrite); return err },
	} {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := tx.write(&out); err != nil {
		t.Fatal(err)
	}
	y, err := scanString(out.String())
	if err != nil {
		t.Fatal(err)
	}
	var kinds []Kind
	for e, err := range y.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, e.Kind())
	}
	if !slices.IsSorted(kinds) || len(kinds) != 5 {
		t.Errorf("classes are %v\n%s", kinds, out.String())
	}
}
