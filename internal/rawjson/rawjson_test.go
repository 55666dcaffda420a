package rawjson_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/ocilayout/ocilayout/internal/rawjson"
)

func TestEditKeepsTheRest(t *testing.T) {
	in := ` { "b" : 1e3 , "\u0061": {"x": [1, 2]}, "c":"<&>" } `
	o, err := rawjson.Parse([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	o.SetString("new", "<v>")
	o.Delete("b")
	o.Set("c", json.RawMessage("null"))
	want := `{"\u0061":{"x": [1, 2]},"c":null,"new":"<v>"}`
	if got := string(o.Bytes()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(o.Get("a")); got != `{"x": [1, 2]}` {
		t.Errorf("Get(a) = %s", got)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"plain", `{"a":{"b":[1,"x",null,{}]}}`, true},
		{"twice", `{"a":1,"a":2}`, false},
		{"case", `{"layers":1,"Layers":2}`, false},
		{"case in annotations", `{"annotations":{"a":"1","A":"2"}}`, true},
		{"twice in annotations", `{"annotations":{"a":"1","a":"2"}}`, false},
		{"twice in annotations, with another between", `{"annotations":{"a":"1","A":"2","a":"3"}}`, false},
		{"trailing", `{} {}`, false},
		{"utf8", "{\"a\":\"\xff\"}", false},
		{"deep", `[[[[[[]]]]]]`, false},
		{"cut", `{"a":`, false},
		{"empty", ``, false},
	} {
		if err := rawjson.Check([]byte(c.in), 5); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":[{}]}`, `{"\"":"\\"}`, ` { } `, `{"a":{"b":"}"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := rawjson.Parse(data)
		if err != nil {
			return
		}
		again, err := rawjson.Parse(o.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", o.Bytes(), err)
		}
		if string(again.Bytes()) != string(o.Bytes()) {
			t.Fatalf("%s != %s", again.Bytes(), o.Bytes())
		}
	})
}

func TestEach(t *testing.T) {
	var members, elements []string
	data := []byte(` { "a" : [ 1 , "]" , {"x":[]} , [ ] ] , "\u0062\"" : "}" ,"c":null} `)
	err := rawjson.EachMember(data, func(key, value []byte) error {
		members = append(members, string(key)+"="+string(value))
		return rawjson.EachElement(value, func(value []byte) error {
			elements = append(elements, string(value))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{`a=[ 1 , "]" , {"x":[]} , [ ] ]`, `b"="}"`, `c=null`}; !slices.Equal(members, want) {
		t.Errorf("members %q, want %q", members, want)
	}
	if want := []string{`1`, `"]"`, `{"x":[]}`, `[ ]`}; !slices.Equal(elements, want) {
		t.Errorf("elements %q, want %q", elements, want)
	}
	end := errors.New("end")
	if err := rawjson.EachMember(data, func(_, _ []byte) error { return end }); err != end {
		t.Errorf("EachMember: %v", err)
	}
	if err := rawjson.EachElement([]byte(`[[]]`), func([]byte) error { return end }); err != end {
		t.Errorf("EachElement: %v", err)
	}
	for _, other := range []string{``, ` `, `{}`, `[]`, `"{"`, `1`, ` {}`, `[ ]`} {
		if rawjson.EachMember([]byte(other), func(_, _ []byte) error { return end }) != nil || rawjson.EachElement([]byte(other), func([]byte) error { return end }) != nil {
			t.Errorf("%q has something in it", other)
		}
	}
}
