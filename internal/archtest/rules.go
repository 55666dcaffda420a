package archtest

// Rules is what the module may look like.
type Rules struct {
	Module string
	Rooms  []Room
	Bans   []Ban
	Uses   []Use
}

// Room is a directory with the packages below it, except those of a room of
// their own.
type Room struct {
	Dir string
	// Imports names the other rooms whose packages this one may import.
	Imports []string
	// Planned is set while the room may be absent.
	Planned bool
	// ForTests is set for a room that only tests, and other such rooms, import.
	ForTests bool
}

// Ban forbids the import of a package and of what lies below it.
type Ban struct {
	Import string
	// Deep forbids that package alone, and forbids getting it through others too.
	Deep bool
	// Through names packages whose own imports a deep ban does not count.
	Through []string
	// Except names the rooms that the ban does not hold for.
	Except []string
	Why    string
}

// Use forbids naming a package's function or variable in the source, or, with an
// empty Package, calling a method of that name without arguments.
type Use struct {
	Package, Name string
	Except        []string
	Why           string
}

// internals are the packages below internal/ that the libraries share.
var internals = []string{
	"internal/durable", "internal/compress", "internal/tarx", "internal/tarfs",
	"internal/docker", "internal/rawjson",
}

// programs are the rooms of main packages and of help for tests: they may print,
// end the process and run others.
var programs = join([]string{"cmd/ocilayout", "bench", "interop", "internal/archtest"}, testHelp)

// testHelp are the rooms for tests: they may import anything.
var testHelp = []string{"internal/testkit", "internal/torture", "content/contenttest"}

// libraries are the four rooms that never import one another.
var libraries = []string{"export", "ingest", "mutate", "verify"}

// middle are the rooms between the store and those four.
var middle = []string{"artifact", "imagefs", "consumer", "retain", "toolref"}

func join(lists ...[]string) []string {
	var all []string
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

// House is the table of this module: imports point from the commands down to
// content, and never up or sideways.
func House() Rules {
	core := join([]string{"content"}, internals)
	store := join([]string{"layout"}, core)
	works := join(middle, store)
	codecs := join([]string{"internal/compress"}, testHelp)
	return Rules{
		Module: "github.com/ocilayout/ocilayout",
		Rooms: []Room{
			{Dir: "content"},
			{Dir: "internal/rawjson", Imports: []string{"content"}},
			{Dir: "internal/durable", Imports: []string{"content"}},
			{Dir: "internal/compress", Imports: []string{"content"}},
			{Dir: "internal/tarx", Imports: []string{"content"}},
			{Dir: "internal/tarfs", Imports: []string{"content", "internal/tarx"}},
			{Dir: "internal/docker", Imports: []string{"content", "internal/rawjson", "internal/tarx"}},
			{Dir: "layout", Imports: join(core, []string{"layout/internal/catalog"})},
			{Dir: "layout/internal/catalog", Imports: core, Planned: true},
			{Dir: "artifact", Imports: store, Planned: true},
			{Dir: "imagefs", Imports: store, Planned: true},
			{Dir: "consumer", Imports: store, Planned: true},
			{Dir: "retain", Imports: store},
			{Dir: "toolref", Imports: store},
			{Dir: "export", Imports: works},
			{Dir: "ingest", Imports: works},
			{Dir: "verify", Imports: works},
			{Dir: "mutate", Imports: join(works, []string{"mutate/rootfs"})},
			{Dir: "mutate/rootfs", Imports: works, Planned: true},
			{Dir: "registry", Imports: join([]string{"registry/internal/hosts"}, libraries, works)},
			{Dir: "registry/internal/hosts", Imports: []string{"content"}},
			{Dir: "registry/sync", Imports: join([]string{"registry"}, libraries, works), Planned: true},
			{Dir: "registry/serve", Imports: join([]string{"registry"}, libraries, works), Planned: true},
			{Dir: "cmd/ocilayout", Imports: join([]string{"registry", "registry/sync", "registry/serve", "mutate/rootfs"}, libraries, works)},
			{Dir: "bench", Imports: works},
			{Dir: "interop"},
			{Dir: "internal/archtest"},
			{Dir: "internal/torture", ForTests: true},
			{Dir: "internal/testkit", Imports: join(libraries, works), ForTests: true},
			{Dir: "content/contenttest", Imports: join([]string{"internal/testkit"}, works), ForTests: true},
		},
		Bans: []Ban{
			{Import: "net", Deep: true, Except: join(programs, []string{"registry", "registry/sync", "registry/serve"}),
				Through: []string{"golang.org/x/sys/windows"}, // it names socket types
				Why:     "a socket is opened only where the user asked for the network"},
			{Import: "compress", Except: codecs, Why: "codecs live in internal/compress"},
			{Import: "github.com/klauspost", Except: codecs, Why: "codecs live in internal/compress"},
			{Import: "github.com/ulikunitz", Except: codecs, Why: "codecs live in internal/compress"},
			{Import: "github.com/opencontainers/umoci", Except: []string{"mutate/rootfs"}, Why: "umoci is used in mutate/rootfs only"},
			{Import: "go.etcd.io/bbolt", Except: []string{"layout/internal/catalog"}, Why: "the catalog owns its database"},
			{Import: "os/exec", Except: programs, Why: "a library runs no other program"},
			{Import: "log", Except: programs, Why: "a library does not print"},
			{Import: "testing", Except: testHelp, Why: "testing is for tests"},
		},
		Uses: []Use{
			{Package: "os", Name: "Exit", Except: programs, Why: "a library does not end the process"},
			{Package: "os", Name: "Stdout", Except: programs, Why: "a library does not print"},
			{Package: "os", Name: "Stderr", Except: programs, Why: "a library does not print"},
			{Package: "fmt", Name: "Print", Except: programs, Why: "a library does not print"},
			{Package: "fmt", Name: "Printf", Except: programs, Why: "a library does not print"},
			{Package: "fmt", Name: "Println", Except: programs, Why: "a library does not print"},
			{Package: "os", Name: "Rename", Except: []string{"internal/durable"}, Why: "files are published by internal/durable"},
			{Name: "Sync", Except: []string{"internal/durable"}, Why: "files are made durable by internal/durable"},
		},
	}
}
