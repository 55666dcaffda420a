package archtest_test

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/archtest"
)

const module = "github.com/ocilayout/ocilayout/"

func pkg(dir string, imports ...string) archtest.Package {
	for i, imported := range imports {
		if rest, ok := strings.CutPrefix(imported, "./"); ok {
			imports[i] = module + rest
		}
	}
	return archtest.Package{ImportPath: module + dir, Imports: imports}
}

// TestCheckFinds feeds the checker graphs that each break one rule.
func TestCheckFinds(t *testing.T) {
	elsewhere := []archtest.Package{
		{ImportPath: "net/http", Imports: []string{"net"}},
		{ImportPath: "example.com/client", Imports: []string{"net/http"}},
		{ImportPath: "golang.org/x/sys/windows", Imports: []string{"net"}},
	}
	tests := []struct {
		name string
		p    archtest.Package
		want string // part of the sentence; empty for no sentence
	}{
		{"store on content", pkg("layout", "./content", "./internal/durable"), ""},
		{"command on a library", pkg("cmd/ocilayout", "./ingest", "fmt", "os"), ""},
		{"inner package of the command", pkg("cmd/ocilayout/internal/ui", "os/exec"), ""},
		{"content upwards", pkg("content", "./layout"), "content may not import layout"},
		{"content on an internal", pkg("content", "./internal/rawjson"), "content may not import internal/rawjson"},
		{"store upwards", pkg("layout", "./verify"), "layout may not import verify"},
		{"sideways", pkg("ingest", "./export"), "ingest may not import export"},
		{"library on the command", pkg("export", "./cmd/ocilayout/internal/render"), "export may not import cmd/ocilayout"},
		{"internals upwards", pkg("internal/tarx", "./internal/tarfs"), "internal/tarx may not import internal/tarfs"},
		{"an inner package counts as its room", pkg("verify/finding", "./ingest"), "verify may not import ingest"},
		{"test help in a library", pkg("layout", "./internal/testkit"), "is for tests"},
		{"test help in test help", pkg("content/contenttest", "./internal/testkit", "testing"), ""},
		{"no room", pkg("helpers", "./content"), "is in no room"},
		{"network, directly", pkg("ingest", "net"), "ingest imports net: a socket"},
		{"network, through another", pkg("verify", "example.com/client"), "example.com/client imports net/http imports net: a socket"},
		{"network, where it is meant", pkg("registry", "net/http"), ""},
		{"the system's package, which names socket types", pkg("internal/durable", "golang.org/x/sys/windows"), ""},
		{"a URL is no socket", pkg("ingest", "net/url"), ""},
		{"a name that only starts alike", pkg("ingest", "netip.example/x"), ""},
		{"codec", pkg("ingest", "compress/gzip"), "ingest imports compress/gzip: codecs"},
		{"codec of others", pkg("export", "github.com/klauspost/compress/zstd"), "codecs"},
		{"codec at home", pkg("internal/compress", "compress/bzip2", "github.com/ulikunitz/xz"), ""},
		{"bbolt", pkg("layout", "go.etcd.io/bbolt"), "the catalog owns"},
		{"umoci", pkg("mutate", "github.com/opencontainers/umoci/oci/layer"), "mutate/rootfs only"},
		{"umoci at home", pkg("mutate/rootfs", "github.com/opencontainers/umoci/oci/layer"), ""},
		{"another program", pkg("verify", "os/exec"), "runs no other program"},
		{"log", pkg("verify", "log/slog"), "does not print"},
		{"testing", pkg("content", "testing"), "testing is for tests"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := archtest.House().Check(append([]archtest.Package{test.p}, elsewhere...))
			if test.want == "" {
				if len(got) != 0 {
					t.Errorf("reported %q, and no rule is broken", got)
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[0], test.want) {
				t.Errorf("reported %q, want one sentence with %q", got, test.want)
			}
		})
	}
}

func TestCheckSourceFinds(t *testing.T) {
	tests := []struct {
		name, dir, body string
		want            string
	}{
		{"rename", "layout", `import "os"; func f() { os.Rename("a", "b") }`, "os.Rename"},
		{"rename by another name", "layout", `import sys "os"; func f() { sys.Rename("a", "b") }`, "os.Rename"},
		{"rename at home", "internal/durable", `import "os"; func f() { os.Rename("a", "b") }`, ""},
		{"sync", "ingest", `import "os"; func f(x *os.File) { x.Sync() }`, "Sync()"},
		{"sync with arguments is another", "ingest", `func f(x T) { x.Sync(1) }`, ""},
		{"printing", "verify", `import "fmt"; func f() { fmt.Println("x") }`, "fmt.Println"},
		{"printing to stderr", "verify", `import ("fmt"; "os"); func f() { fmt.Fprintln(os.Stderr, "x") }`, "os.Stderr"},
		{"formatting is not printing", "verify", `import "fmt"; var _ = fmt.Sprint("x")`, ""},
		{"exit", "content", `import "os"; func f() { os.Exit(1) }`, "os.Exit"},
		{"exit in the command", "cmd/ocilayout", `import "os"; func f() { os.Exit(1) }`, ""},
		{"another os", "content", `import "example.com/os"; func f() { os.Exit(1) }`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, "x.go", "package p; "+test.body, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			got := archtest.House().CheckSource(module+test.dir, fset, file)
			if test.want == "" {
				if len(got) != 0 {
					t.Errorf("reported %q, and no rule is broken", got)
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[0], test.want) {
				t.Errorf("reported %q, want one sentence with %q", got, test.want)
			}
		})
	}
}

func TestAbsent(t *testing.T) {
	rules := archtest.Rules{Module: "m", Rooms: []archtest.Room{
		{Dir: "here"}, {Dir: "gone"}, {Dir: "later", Planned: true},
	}}
	missing, planned := rules.Absent([]archtest.Package{{ImportPath: "m/here/inner"}})
	if strings.Join(missing, " ") != "gone" || strings.Join(planned, " ") != "later" {
		t.Errorf("missing %q, planned %q", missing, planned)
	}
}

func TestSoundFinds(t *testing.T) {
	rules := archtest.Rules{Module: "m", Rooms: []archtest.Room{
		{Dir: "a", Imports: []string{"b"}}, {Dir: "b", Imports: []string{"c"}},
		{Dir: "c", Imports: []string{"a", "nowhere"}}, {Dir: "d", Imports: []string{"a"}},
	}}
	got := strings.Join(rules.Sound(), "\n")
	for _, want := range []string{`c: names "nowhere"`, "a: its arrows", "b: its arrows", "c: its arrows"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "d: ") {
		t.Errorf("d is sound:\n%s", got)
	}
}
