package render_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/ocilayout/ocilayout/cmd/ocilayout/internal/render"
	"github.com/ocilayout/ocilayout/content"
)

type thing struct {
	Name  string            `json:"name"`
	Size  int64             `json:"size"`
	Notes map[string]string `json:"notes,omitempty"`
	Tags  []string          `json:"tags,omitempty"`
}

func (t thing) Tables() []render.Table {
	return []render.Table{
		{Rows: [][]string{{"Name", t.Name}}},
		{Title: "Tags", Header: []string{"TAG", "LENGTH"}, Rows: [][]string{{t.Tags[0], "1"}, {t.Tags[1], "20"}}},
	}
}

func (t thing) Form(w io.Writer, format string) error {
	_, err := io.WriteString(w, format+" of "+t.Name)
	return err
}

func list(items ...thing) render.List[thing] {
	return render.List[thing]{
		Header: []string{"NAME", "SIZE"},
		Row:    func(t thing) []string { return []string{t.Name, render.Size(t.Size)} },
		Items: func(yield func(thing, error) bool) {
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
		},
	}
}

func write(t *testing.T, format string, terminal bool, result any) string {
	t.Helper()
	f, err := render.Parse(format, terminal, "dot")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b, result); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWrite(t *testing.T) {
	one := thing{Name: "app", Size: 1200, Tags: []string{"v1", "latest"}, Notes: map[string]string{"a.b": "<c>"}}
	evil := thing{Name: "a\x1b[2J\n\u202eb\x7f\u009b", Tags: []string{"x", "y"}}
	for _, c := range []struct {
		name, format string
		result       any
		want         string
	}{
		{"nothing", "table", nil, ""},
		{"nothing json", "json", nil, ""},
		{"string", "table", "sha256:ab", "sha256:ab\n"},
		{"string escaped", "table", "a\nb", `a\nb` + "\n"},
		{"string json", "json", "sha256:ab", `"sha256:ab"` + "\n"},
		{"string template", "{{.}}!", "sha256:ab", "sha256:ab!\n"},
		{"tables", "table", one, "Name  app\n\nTags\nTAG     LENGTH\nv1      1\nlatest  20\n"},
		{"tables escaped", "table", evil, "Name  a\\x1b[2J\\n\\u202eb\\x7f\\u009b\n\nTags\nTAG  LENGTH\nx    1\ny    20\n"},
		{"json", "json", one, "{\n  \"name\": \"app\",\n  \"size\": 1200,\n  \"notes\": {\n    \"a.b\": \"<c>\"\n  },\n  \"tags\": [\n    \"v1\",\n    \"latest\"\n  ]\n}\n"},
		{"json escaped", "json", list(evil), "[\n{\"name\":\"a\\u001b[2J\\n\\u202eb\\u007f\\u009b\",\"size\":0,\"tags\":[\"x\",\"y\"]}\n]\n"},
		{"own format", "dot", one, "dot of app"},
		{"template", `{{.name}} {{.size}} {{index .notes "a.b"}} {{join "," .tags}}`, one, "app 1200 <c> v1,latest\n"},
		{"template functions", `{{size .size}} {{upper .name}} {{json .tags}} {{default "none" .other}} {{replace "p" "q" .name}} {{short "sha256:0123456789abcdef"}}`, one, `1.2 kB APP ["v1","latest"] none aqq sha256:0123456789ab` + "\n"},
		{"template ends its own line", "{{.name}}\n", one, "app\n"},
		{"list", "table", list(one, thing{Name: "database", Size: 7}), "NAME      SIZE\napp       1.2 kB\ndatabase  7 B\n"},
		{"empty list", "table", list(), ""},
		{"list json", "json", list(thing{Name: "a"}, thing{Name: "b"}), "[\n{\"name\":\"a\",\"size\":0},\n{\"name\":\"b\",\"size\":0}\n]\n"},
		{"empty list json", "json", list(), "[]\n"},
		{"list template", "{{.name}}", list(thing{Name: "a"}, thing{Name: "b"}), "a\nb\n"},
		{"no spaces at line ends", "table", list(thing{Name: "long name"}, thing{Name: ""}), "NAME       SIZE\nlong name  0 B\n           0 B\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := write(t, c.format, false, c.result); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestTemplateIsEscapedForTerminalsOnly(t *testing.T) {
	if got := write(t, "{{.}}", true, "a\x1bb"); got != `a\x1bb`+"\n" {
		t.Errorf("on a terminal: %q", got)
	}
	if got := write(t, "{{.}}", false, "a\x1bb"); got != "a\x1bb\n" {
		t.Errorf("elsewhere: %q", got)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "xml", "{{", "{{nofunc}}", "name"} {
		if _, err := render.Parse(text, false); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
	f, err := render.Parse("{{.name.x}}", false)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(io.Discard, thing{Name: "a"}); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("a template that fails: %v", err)
	}
}

type closer struct {
	io.Reader
	closed *bool
}

func (c closer) Close() error { *c.closed = true; return nil }

func TestRawIsWrittenAsItIsAndClosed(t *testing.T) {
	for _, format := range []string{"table", "json", "{{.}}"} {
		closed := false
		raw := render.Raw{ReadCloser: closer{strings.NewReader("\x00\x1b"), &closed}}
		if got := write(t, format, true, raw); got != "\x00\x1b" || !closed {
			t.Errorf("%s: %q, closed %v", format, got, closed)
		}
	}
}

// TestListFailsMidway: what came before the error is shown, but no JSON parser
// takes it for the whole.
func TestListFailsMidway(t *testing.T) {
	broken := errors.New("broken")
	l := list()
	l.Items = func(yield func(thing, error) bool) {
		_ = yield(thing{Name: "a"}, nil) && yield(thing{}, broken)
	}
	for _, format := range []string{"table", "json", "{{.name}}"} {
		f, err := render.Parse(format, false)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := f.Write(&b, l); !errors.Is(err, broken) {
			t.Errorf("%s: %v", format, err)
		}
		if !strings.Contains(b.String(), "a") {
			t.Errorf("%s: %q lacks the first item", format, b.String())
		}
		if format == "json" && json.Valid(b.Bytes()) {
			t.Errorf("%q is whole", b.String())
		}
	}
}

// TestListIsStreamed: rows reach the writer while the list goes on, and are not
// kept.
func TestListIsStreamed(t *testing.T) {
	const rows = 200_000
	l := list()
	l.Items = func(yield func(thing, error) bool) {
		for i := range rows {
			if !yield(thing{Name: fmt.Sprintf("name-%0100d", i)}, nil) {
				return
			}
		}
	}
	for _, format := range []string{"table", "json"} {
		w := &peak{every: 4 << 20}
		f, err := render.Parse(format, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Write(w, l); err != nil {
			t.Fatal(err)
		}
		if w.written < rows*100 {
			t.Errorf("%s: only %d bytes", format, w.written)
		}
		if w.heap > 8<<20 {
			t.Errorf("%s: %d bytes held for %d written", format, w.heap, w.written)
		}
	}
}

// peak counts bytes and looks at the live heap now and then.
type peak struct {
	written, next, every int
	heap                 uint64
}

func (p *peak) Write(b []byte) (int, error) {
	p.written += len(b)
	if p.written >= p.next {
		p.next += p.every
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		p.heap = max(p.heap, m.HeapAlloc)
	}
	return len(b), nil
}

func TestLaterRowsWiden(t *testing.T) {
	l := list()
	l.Items = func(yield func(thing, error) bool) {
		for range 600 {
			if !yield(thing{Name: "a"}, nil) {
				return
			}
		}
		_ = yield(thing{Name: "wider than all"}, nil) && yield(thing{Name: "b"}, nil)
	}
	lines := strings.Split(write(t, "table", false, l), "\n")
	if got := lines[len(lines)-2]; got != "b               0 B" {
		t.Errorf("last line is %q", got)
	}
	if lines[0] != "NAME  SIZE" || lines[1] != "a     0 B" {
		t.Errorf("first lines are %q, %q", lines[0], lines[1])
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB",
		593_100_000: "593.1 MB", 9_223_372_036_854_775_807: "9.2 EB", -5: "-5 B",
	} {
		if got := render.Size(n); got != want {
			t.Errorf("Size(%d) = %s, want %s", n, got, want)
		}
	}
}

// FuzzEscape: nothing but printable characters comes out, printable text is left
// alone, and JSON says the same after escaping.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"plain", "a\x1b[2J", "\xff\xfe", "\u202e", "日本", "\u0085\u009b", "\U000e0001", "a\tb\nc", `\x1b`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := render.Escape(s)
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q becomes %q with %U in it", s, got, r)
			}
		}
		if render.Escape(got) != got {
			t.Fatalf("%q is escaped twice", s)
		}
		var b bytes.Buffer
		if err := render.JSON(&b, s); err != nil {
			t.Fatal(err)
		}
		var back string
		if err := json.Unmarshal(b.Bytes(), &back); err != nil {
			t.Fatalf("%q: %v", b.String(), err)
		}
		if utf8.ValidString(s) && back != s {
			t.Fatalf("%q becomes %q", s, back)
		}
		for _, r := range strings.TrimSuffix(b.String(), "\n") {
			if !unicode.IsPrint(r) {
				t.Fatalf("JSON %q has %U in it", b.String(), r)
			}
		}
	})
}
