package rawjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ocilayout/ocilayout/internal/rawjson"
)

// slowCheck is Check by the tokens of encoding/json: what Check must agree with.
func slowCheck(data []byte, depth int) error {
	if !utf8.Valid(data) {
		return errors.New("invalid UTF-8")
	}
	s := slow{json.NewDecoder(bytes.NewReader(data))}
	s.d.UseNumber()
	if err := s.value("", "", depth); err != nil {
		return err
	}
	if _, err := s.d.Token(); err != io.EOF {
		return errors.New("data after the JSON value")
	}
	return nil
}

type slow struct{ d *json.Decoder }

// told is an error whose text Check must give too.
type told string

func (t told) Error() string { return string(t) }

func tell(path, format string, args ...any) error {
	if path = strings.TrimPrefix(path, "."); path == "" {
		path = "top level"
	}
	return told(path + ": " + fmt.Sprintf(format, args...))
}

func (s slow) value(path, parent string, depth int) error {
	token, err := s.d.Token()
	if err != nil {
		return err
	}
	delim, ok := token.(json.Delim)
	switch {
	case !ok:
		return nil
	case depth == 0:
		return tell(path, "nested too deep")
	case delim == '{':
		return s.object(path, parent, depth)
	}
	for i := 0; s.d.More(); i++ {
		if err := s.value(fmt.Sprintf("%s[%d]", path, i), "", depth-1); err != nil {
			return err
		}
	}
	_, err = s.d.Token()
	return err
}

func (s slow) object(path, parent string, depth int) error {
	seen := map[string]string{}
	fold := rawjson.Fold
	switch parent {
	case "annotations", "Labels", "ExposedPorts", "Volumes":
		fold = strings.Clone
	}
	for s.d.More() {
		token, err := s.d.Token()
		if err != nil {
			return err
		}
		key := token.(string)
		if other, ok := seen[fold(key)]; ok && other == key {
			return tell(path, "key %q is there twice", key)
		} else if ok {
			return tell(path, "keys %q and %q are one to some readers", other, key)
		}
		seen[fold(key)] = key
		if err := s.value(path+"."+key, key, depth-1); err != nil {
			return err
		}
	}
	_, err := s.d.Token()
	return err
}

// FuzzCheck: Check finds what a check by encoding/json finds, and says the same.
func FuzzCheck(f *testing.F) {
	for _, text := range []string{
		``, ` `, `1`, ` "a" `, `tru`, `truex`, `nul`, `-`, `-0.5e+7`, `01`, `1.`, `1e`, `.5`, `+1`, `1 2`, `{}]`, `[1,]`, `[,1]`, `[1 2]`, `[1}`, `{"a" 1}`, `{"a":1,}`, `{,}`, `{1:2}`,
		`{"a":{"b":[1,"x",null,{}]}}`, `{"a":1,"a":2}`, `{"A":1,"a":2}`, `{"\u0061":1,"a":2}`, `{"a":1,"\u0041":2}`, `{"s":1,"ſ":2}`, `{"s":1,"\u017f":2}`, `{"\ud800":1,"\udfff":2}`,
		`{"annotations":{"a":1,"A":2}}`, `{"annotations":{"a":1,"A":2,"a":3}}`, `{"\u0061nnotations":{"a":1,"A":2}}`, `{"x.annotations":{"a":1,"A":2}}`, `{"annotations":[{"a":1,"A":2}]}`,
		`[[[[[[]]]]]]`, `[[[[[]]]]]`, `{"a":{"a":{"a":{"a":{"a":{}}}}}}`, `[{"a":1},{"a":1}]`, `[0,[{"b":{"c":1,"c":2}}]]`, `{"a":"\x"}`, `{"a":"\u12g4"}`, `{"a":"\`, "\"\n\"", "\"\xff\"", `{"":1,"":2}`,
		many(15, "a"), many(16, "a"), many(17, "a"), many(16, "A15"), many(16, "ä"), many(40, "A20"), many(40, `\u0061`+"20"), many(40, "a40"),
	} {
		f.Add([]byte(text), 5)
	}
	f.Fuzz(func(t *testing.T, data []byte, depth int) {
		depth &= 31
		want, got := slowCheck(data, depth), rawjson.Check(data, depth)
		if (want == nil) != (got == nil) {
			t.Fatalf("%q: %v, want %v", data, got, want)
		}
		if text := told(""); errors.As(want, &text) && got.Error() != want.Error() {
			t.Fatalf("%q: %v, want %v", data, got, want)
		}
		if want == nil && !json.Valid(data) {
			t.Fatalf("%q passes and is not JSON", data)
		}
	})
}

// many is an object with n keys and one more.
func many(n int, last string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		fmt.Fprintf(&b, `"a%d":%d,`, i, i)
	}
	return b.String() + `"` + last + `":[]}`
}

// TestCheckAllocatesNothing for a manifest as everybody writes it.
func TestCheckAllocatesNothing(t *testing.T) {
	data := []byte(manifest)
	if n := testing.AllocsPerRun(100, func() {
		if err := rawjson.Check(data, 16); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

const manifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:4ff26019d6f471be19833bf116e22f9a2e22b9c3cb13dec821f61d7e6d03917f","size":1469},
"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:3c97ebbbd4e0b1dd8e8bb1ea5ba45bf2ab93b6a8c1fd5b3c2b7e5ed4b7ce8a1f","size":3623807},
{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:8a49fdb3b6a5ff2bd8ec6a86c05b2922a0f7454579ecc07637e94dfd1d0639b6","size":52191,"annotations":{"a":"b"}}],
"annotations":{"org.opencontainers.image.created":"2026-01-02T03:04:05Z","org.opencontainers.image.source":"https://example.com/app"}}`

func BenchmarkCheck(b *testing.B) {
	data := []byte(manifest)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := rawjson.Check(data, 16); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheckByTokens is what Check costs where encoding/json does it.
func BenchmarkCheckByTokens(b *testing.B) {
	data := []byte(manifest)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := slowCheck(data, 16); err != nil {
			b.Fatal(err)
		}
	}
}
