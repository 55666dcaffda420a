package rootfs_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate/rootfs"
)

// base is the image that changes are made to.
var base = [][]build.File{
	{
		build.Dir("etc"), build.Text("etc/a", "aaaa"), build.Text("etc/b", "bbbb"), build.Text("etc/c", "cccc"),
		build.Dir("lib"), build.Text("lib/one", "one"), build.Hardlink("lib/two", "lib/one"), build.Hardlink("lib/three", "lib/one"),
		build.Symlink("link", "etc/a"), build.Dir("deep"), build.Dir("deep/er"), build.Text("deep/er/x", "x"), build.Text("deep/er/y", "y"),
	},
	{build.Dir("etc"), build.Text("etc/c", "CCCC"), build.Text("empty", "")},
}

// a list of what to do in a directory, whose errors end the test
type doing struct {
	t   *testing.T
	dir string
}

func (d doing) path(name string) string { return filepath.Join(d.dir, name) }

func (d doing) ok(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d doing) write(name, text string) {
	d.t.Helper()
	d.ok(os.WriteFile(d.path(name), []byte(text), 0o644))
}
func (d doing) chmod(name string, mode uint32) { d.t.Helper(); d.ok(unix.Chmod(d.path(name), mode)) }
func (d doing) remove(name string)             { d.t.Helper(); d.ok(os.RemoveAll(d.path(name))) }
func (d doing) rename(a, b string)             { d.t.Helper(); d.ok(os.Rename(d.path(a), d.path(b))) }
func (d doing) mkdir(name string)              { d.t.Helper(); d.ok(os.Mkdir(d.path(name), 0o755)) }
func (d doing) link(a, b string)               { d.t.Helper(); d.ok(os.Link(d.path(a), d.path(b))) }

// keepingTime does something to a file and puts its time back.
func (d doing) keepingTime(name string, do func()) {
	d.t.Helper()
	fi, err := os.Lstat(d.path(name))
	d.ok(err)
	do()
	d.ok(os.Chtimes(d.path(name), fi.ModTime(), fi.ModTime()))
}

// TestRepackMakesTheDirectory makes changes, repacks, and unpacks the result, which
// must be the directory as it was changed. The layer must hold no more than it has to.
func TestRepackMakesTheDirectory(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(d doing)
		layer string // its members, sorted
		root  bool
	}{
		"nothing":                      {do: func(doing) {}},
		"a file":                       {do: func(d doing) { d.write("etc/a", "new") }, layer: "etc/ etc/a"},
		"of the same size":             {do: func(d doing) { d.write("etc/a", "AAAA") }, layer: "etc/ etc/a"},
		"of the same size and time":    {do: func(d doing) { d.keepingTime("etc/a", func() { d.write("etc/a", "AAAA") }) }, layer: "etc/ etc/a"},
		"written as it was":            {do: func(d doing) { d.keepingTime("etc/a", func() { d.write("etc/a", "aaaa") }) }},
		"of the upper layer as it was": {do: func(d doing) { d.keepingTime("etc/c", func() { d.write("etc/c", "CCCC") }) }},
		"of the lower layer again":     {do: func(d doing) { d.keepingTime("etc/c", func() { d.write("etc/c", "cccc") }) }, layer: "etc/ etc/c"},
		"shorter and longer":           {do: func(d doing) { d.write("etc/a", ""); d.write("etc/b", strings.Repeat("b", 1<<20)) }, layer: "etc/ etc/a etc/b"},
		"a mode there and back": {do: func(d doing) {
			d.chmod("etc/a", 0o600)
			d.chmod("etc/a", 0o644)
			d.chmod("lib/one", 0o600)
			d.chmod("lib/one", 0o644)
		}},
		"a mode":                 {do: func(d doing) { d.chmod("etc/a", 0o4711); d.chmod("deep", 0o1777) }, layer: "deep/ etc/ etc/a"},
		"a time":                 {do: func(d doing) { d.ok(os.Chtimes(d.path("etc/a"), time.Unix(5, 0), time.Unix(5, 0))) }, layer: "etc/ etc/a"},
		"a fraction of a second": {do: func(d doing) { d.ok(os.Chtimes(d.path("etc/a"), build.Clock.Add(7), build.Clock.Add(7))) }},
		"an attribute":           {do: func(d doing) { d.ok(unix.Setxattr(d.path("etc/a"), "user.x", []byte("y"), 0)) }, layer: "etc/ etc/a"},
		"an attribute there and back": {do: func(d doing) {
			d.ok(unix.Setxattr(d.path("etc/a"), "user.x", []byte("y"), 0))
			d.ok(unix.Removexattr(d.path("etc/a"), "user.x"))
		}},
		"new ones": {do: func(d doing) {
			d.mkdir("new")
			d.mkdir("new/dir")
			d.write("new/file", "f")
			d.ok(os.Symlink("../etc", d.path("new/link")))
			d.ok(unix.Mkfifo(d.path("new/pipe"), 0o600))
		}, layer: "./ new/ new/dir/ new/file new/link new/pipe"},
		"one goes":         {do: func(d doing) { d.remove("deep/er/x") }, layer: "deep/ deep/er/ deep/er/.wh.x"},
		"a directory goes": {do: func(d doing) { d.remove("deep") }, layer: "./ .wh.deep"},
		"all go": {do: func(d doing) {
			for _, n := range []string{"etc", "lib", "link", "deep", "empty"} {
				d.remove(n)
			}
		}, layer: "./ .wh.deep .wh.empty .wh.etc .wh.lib .wh.link"},
		"a directory moves":          {do: func(d doing) { d.rename("deep/er", "lib/er") }, layer: "deep/ deep/.wh.er lib/ lib/er/ lib/er/x lib/er/y"},
		"a directory is made anew":   {do: func(d doing) { d.remove("deep"); d.mkdir("deep"); d.write("deep/z", "z") }, layer: "./ deep/ deep/.wh.er deep/z"},
		"a file becomes a directory": {do: func(d doing) { d.remove("etc/a"); d.mkdir("etc/a"); d.write("etc/a/in", "in") }, layer: "etc/ etc/a/ etc/a/in"},
		"a directory becomes a file": {do: func(d doing) { d.remove("deep"); d.write("deep", "file") }, layer: "./ deep"},
		"a directory becomes a link": {do: func(d doing) { d.rename("deep", "lib/deep"); d.ok(os.Symlink("lib/deep", d.path("deep"))) }, layer: "./ deep lib/ lib/deep/ lib/deep/er/ lib/deep/er/x lib/deep/er/y"},
		"a link leads elsewhere":     {do: func(d doing) { d.remove("link"); d.ok(os.Symlink("etc/b", d.path("link"))) }, layer: "./ link"},
		"a hard link more":           {do: func(d doing) { d.link("etc/a", "lib/a") }, layer: "etc/ etc/a lib/ lib/a=etc/a"},
		"a hard link less":           {do: func(d doing) { d.remove("lib/two") }, layer: "lib/ lib/.wh.two"},
		"hard links of new files":    {do: func(d doing) { d.write("n1", "n"); d.link("n1", "n2"); d.link("n1", "etc/n3") }, layer: "./ etc/ etc/n3 n1=etc/n3 n2=etc/n3"},
		"a file with hard links":     {do: func(d doing) { d.write("lib/two", "other") }, layer: "lib/ lib/one lib/three=lib/one lib/two=lib/one"},
		"hard links part":            {do: func(d doing) { d.remove("lib/two"); d.write("lib/two", "one") }, layer: "lib/ lib/two"},
		"copied to another disk": {do: func(d doing) {
			d.ok(exec.Command("cp", "-a", d.dir, d.dir+".copy").Run())
			d.ok(os.RemoveAll(d.dir))
			d.ok(os.Rename(d.dir+".copy", d.dir))
		}},
		"a directory that is shut": {do: func(d doing) {
			d.mkdir("shut")
			d.write("shut/in", "in")
			d.chmod("shut/in", 0o200)
			d.chmod("shut", 0)
		}, layer: "./ shut/ shut/in"},
		"odd names": {do: func(d doing) {
			for _, name := range []string{"a\nb", "\xff\xfe", `back\slash`, "c:x", " ", "ä", strings.Repeat("long", 60), "-x", "*"} {
				d.write("deep/"+name, name)
			}
		}, layer: "deep/ " + "deep/  deep/* deep/-x deep/a\nb deep/back\\slash deep/c:x deep/" + strings.Repeat("long", 60) + " deep/ä deep/\xff\xfe"},
		"an old time": {do: func(d doing) { d.ok(os.Chtimes(d.path("etc/a"), time.Unix(-5, 0), time.Unix(-5, 0))) }, layer: "etc/ etc/a"},
		"owners": {root: true, do: func(d doing) {
			d.ok(os.Chown(d.path("etc/a"), 5, 6))
			d.ok(os.Lchown(d.path("link"), 7, 8))
			d.ok(os.Chown(d.path("deep"), 9, 10))
		}, layer: "deep/ etc/ etc/a link"},
		"owners there and back": {root: true, do: func(d doing) {
			d.ok(exec.Command("chown", "-R", "-h", "1:1", d.dir).Run())
			d.ok(exec.Command("chown", "-R", "-h", "0:0", d.dir).Run())
		}},
		"devices": {root: true, do: func(d doing) { d.ok(unix.Mknod(d.path("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3)))) }, layer: "./ null"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.root && !isRoot() {
				t.Skip("needs root")
			}
			o := rootfs.UnpackOptions{Rootless: !c.root, NoSync: true}
			l, image := open(t, store(t, base, nil))
			dir := filepath.Join(t.TempDir(), "root")
			if _, err := rootfs.Unpack(context.Background(), l, image, dir, o); err != nil {
				t.Fatal(err)
			}
			openedWhenDone(t, dir)
			c.do(doing{t, dir})
			done := repack(t, l, dir, rootfs.RepackOptions{})
			if got := members(t, l, done.Layer); got != c.layer {
				t.Errorf("the layer holds %q, want %q", got, c.layer)
			}
			if (done.Layer == "") != (c.layer == "") || (done.New == image.Digest) != (c.layer == "") || done.Base != image.Digest {
				t.Errorf("it is said that %+v", done)
			}
			want := facts(t, dir)
			again := filepath.Join(t.TempDir(), "again")
			next, err := l.Resolve(context.Background(), "next")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := rootfs.Unpack(context.Background(), l, next, again, o); err != nil {
				t.Fatal(err)
			}
			openedWhenDone(t, again)
			sameInSeconds(t, facts(t, again), want)
		})
	}
}

// repack repacks into the name next, twice: the second time nothing may change.
func repack(t *testing.T, l *layout.Layout, dir string, o rootfs.RepackOptions) rootfs.Repacked {
	t.Helper()
	o.Created = build.Clock
	done, err := rootfs.Repack(context.Background(), l, dir, "next", o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := rootfs.Repack(context.Background(), l, dir, "next", o)
	if err != nil {
		t.Fatal(err)
	}
	if again.New != done.New || again.Moved() {
		t.Errorf("repacked once it is %s, and then %s", done.New, again.New)
	}
	return done
}

// members lists a layer: directories end with a slash, hard links in what they link to.
func members(t *testing.T, l *layout.Layout, layer content.Digest) string {
	t.Helper()
	if layer == "" {
		return ""
	}
	size, err := l.Size(context.Background(), layer)
	if err != nil {
		t.Fatal(err)
	}
	list, err := imagefs.Scan(context.Background(), l, imagefs.Layer{Descriptor: content.Descriptor{
		MediaType: ocispec.MediaTypeImageLayerGzip, Digest: layer, Size: size}}, l.Limits())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range list {
		name := m.Path
		switch m.Type() {
		case "dir":
			name += "/"
		case "hardlink":
			name += "=" + m.Target()
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func sameInSeconds(t *testing.T, got, want map[string]fact) {
	t.Helper()
	for path, w := range want {
		g, ok := got[path]
		g.time, _, _ = strings.Cut(g.time, ".")
		w.time, _, _ = strings.Cut(w.time, ".")
		g.now = w.now
		if !ok || g != w {
			t.Errorf("%q comes back as %v, was %v", path, g, w)
		}
	}
	for path, g := range got {
		if _, ok := want[path]; !ok {
			t.Errorf("%q comes back as %v, and was gone", path, g)
		}
	}
}

// TestRepackKeepsWhatItDoesNotKnow edits a config and manifest with fields of
// others, spaces and an order of its own.
func TestRepackKeepsWhatItDoesNotKnow(t *testing.T) {
	l := build.NewLayout()
	layer := l.Put(ocispec.MediaTypeImageLayerGzip, build.Compress("gzip", build.Tar(base[0]...)))
	diffID := build.Descriptor("", build.Tar(base[0]...)).Digest.String()
	config := l.Put(ocispec.MediaTypeImageConfig, []byte(`{ "x": {"n" : 1e3}, "os":"linux", "architecture":"amd64",
		"config":{"Healthcheck":{"Test":["NONE"]},"OnBuild":["RUN x"],"Volumes":{"/lib":{}}},"rootfs":{"extra":[ ],"diff_ids":["`+diffID+`" ],"type":"layers"}}`))
	text := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	manifest := `{"layers":[` + text(layer) + `], "odd":[1 ,2],"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageManifest + `","config":{"z":1,` + text(config)[1:] + `,"annotations":{"a.b":"<&>"}}`
	image := l.Put(ocispec.MediaTypeImageManifest, []byte(manifest))
	l.Tag("app", image)
	l.Entries[0].Annotations["org.example.x"] = "y"
	store, found := open(t, testkit.Layout(t, l))
	dir := filepath.Join(t.TempDir(), "root")
	if _, err := rootfs.Unpack(context.Background(), store, found, dir, rootfs.UnpackOptions{Rootless: true, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	d := doing{t, dir}
	d.write("etc/a", "new")
	d.write("lib/in-a-volume", "new")
	done := repack(t, store, dir, rootfs.RepackOptions{})
	m, raw, err := content.FetchManifest(context.Background(), store, content.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: done.New, Size: sizeOf(t, store, done.New)}, store.Limits())
	if err != nil {
		t.Fatal(err)
	}
	next, nextRaw, err := content.FetchConfig(context.Background(), store, *m.Config, store.Limits())
	if err != nil {
		t.Fatal(err)
	}
	wantManifest := `{"layers":[` + text(layer) + `,` + text(m.Layers[1]) + `],"odd":[1 ,2],"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageManifest +
		`","config":{"z":1,` + text(m.Config)[1:] + `,"annotations":{"a.b":"<&>"}}`
	if string(raw) != wantManifest {
		t.Errorf("the manifest is\n%s, want\n%s", raw, wantManifest)
	}
	wantConfig := `{"x":{"n" : 1e3},"os":"linux","architecture":"amd64","config":{"Healthcheck":{"Test":["NONE"]},"OnBuild":["RUN x"],"Volumes":{"/lib":{}}},"rootfs":{"extra":[ ],"diff_ids":["` +
		diffID + `","` + next.RootFS.DiffIDs[1].String() + `"],"type":"layers"},"created":"2023-11-14T22:13:20Z"}`
	if string(nextRaw) != wantConfig {
		t.Errorf("the config is\n%s, want\n%s", nextRaw, wantConfig)
	}
	if got := members(t, store, done.Layer); got != "etc/ etc/a" {
		t.Errorf("the layer holds %q, with what is in a volume or without all", got)
	}
	// On the name that was unpacked the entry keeps what it has besides.
	if _, err := rootfs.Repack(context.Background(), store, dir, "app", rootfs.RepackOptions{Created: build.Clock}); err != nil {
		t.Fatal(err)
	}
	entry, err := store.Lookup(context.Background(), layout.Reference{Name: "app"})
	if err != nil || entry.Digest != done.New || entry.Annotations["org.example.x"] != "y" || entry.Platform == nil || entry.Platform.OS != "linux" {
		t.Errorf("the entry is %s, %v", entry.Raw, err)
	}
	// With a text the image gets a history, of all layers.
	if _, err := rootfs.Repack(context.Background(), store, dir, "told", rootfs.RepackOptions{History: "why", Created: build.Clock}); err != nil {
		t.Fatal(err)
	}
	told, err := store.Resolve(context.Background(), "told")
	if err != nil {
		t.Fatal(err)
	}
	data, err := layout.ConfigBytes(context.Background(), store, told, store.Limits())
	if err != nil {
		t.Fatal(err)
	}
	if want := `"history":[{"created_by":"unknown"},{"created":"2023-11-14T22:13:20Z","created_by":"why"}]`; !strings.Contains(string(data), want) {
		t.Errorf("the config is %s, and has no %s", data, want)
	}
}

// TestRepackReadsNoLayer damages the layers: that shows only where stat leaves a doubt.
func TestRepackReadsNoLayer(t *testing.T) {
	path := store(t, base, nil, testkit.BrokenOK)
	l, image := open(t, path)
	dir := filepath.Join(t.TempDir(), "root")
	if _, err := rootfs.Unpack(context.Background(), l, image, dir, rootfs.UnpackOptions{Rootless: true, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	m, _, err := content.FetchManifest(context.Background(), l, image, l.Limits())
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range m.Layers {
		if err := os.WriteFile(filepath.Join(path, build.BlobPath(layer.Digest)), make([]byte, layer.Size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d := doing{t, dir}
	d.write("etc/a", "changed")
	d.remove("deep")
	d.write("new", "new")
	if got := members(t, l, repack(t, l, dir, rootfs.RepackOptions{}).Layer); got != "./ .wh.deep etc/ etc/a new" {
		t.Errorf("the layer holds %q", got)
	}
	d.keepingTime("etc/b", func() { d.write("etc/b", "BBBB") })
	if _, err := rootfs.Repack(context.Background(), l, dir, "next", rootfs.RepackOptions{}); !errors.Is(err, content.ErrCorrupt) {
		t.Errorf("with a doubt: %v", err)
	}
}

// TestRepackOfDockersImage keeps to the media types of the image.
func TestRepackOfDockersImage(t *testing.T) {
	l, image := open(t, store(t, base[:1], func(i *build.Image) { i.Docker = true }))
	dir := filepath.Join(t.TempDir(), "root")
	if _, err := rootfs.Unpack(context.Background(), l, image, dir, rootfs.UnpackOptions{Rootless: true, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	doing{t, dir}.write("etc/a", "new")
	done := repack(t, l, dir, rootfs.RepackOptions{})
	next, err := l.Resolve(context.Background(), "next")
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := content.FetchManifest(context.Background(), l, next, l.Limits())
	if err != nil || next.MediaType != content.DockerManifest || m.Config.MediaType != content.DockerConfig || len(m.Layers) != 2 ||
		m.Layers[1].MediaType != content.DockerLayerGzip || m.Layers[1].Digest != done.Layer {
		t.Errorf("the image is %+v with %+v, %v", next, m, err)
	}
}

func sizeOf(t *testing.T, l *layout.Layout, d content.Digest) int64 {
	t.Helper()
	size, err := l.Size(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	return size
}

func TestRepackMasks(t *testing.T) {
	l := unpack(t, base, filepath.Join(t.TempDir(), "unused"), rootfs.UnpackOptions{Rootless: true, NoSync: true})
	image, err := l.Resolve(context.Background(), "app")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "root")
	if _, err := rootfs.Unpack(context.Background(), l, image, dir, rootfs.UnpackOptions{Rootless: true, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	d := doing{t, dir}
	d.write("etc/a", "new")
	d.remove("deep")
	d.link("lib/one", "etc/one")
	for masks, want := range map[string]string{
		"":              "./ .wh.deep etc/ etc/a etc/one lib/ lib/one=etc/one lib/three=etc/one lib/two=etc/one",
		"/etc":          "./ .wh.deep",
		"etc/ deep":     "./",
		"lib /et":       "./ .wh.deep etc/ etc/a etc/one",
		"/etc/a /deep/": "./ etc/ etc/one lib/ lib/one=etc/one lib/three=etc/one lib/two=etc/one",
		"/":             "",
	} {
		done := repack(t, l, dir, rootfs.RepackOptions{Masks: strings.Fields(masks)})
		if got := members(t, l, done.Layer); got != want {
			t.Errorf("without %q the layer holds %q, want %q", masks, got, want)
		}
	}
}

func TestRepackClampsTimes(t *testing.T) {
	l, image := open(t, store(t, base, nil))
	dir := filepath.Join(t.TempDir(), "root")
	if _, err := rootfs.Unpack(context.Background(), l, image, dir, rootfs.UnpackOptions{Rootless: true, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	d := doing{t, dir}
	d.write("etc/a", "new")
	d.write("etc/b", "old")
	d.ok(os.Chtimes(d.path("etc/b"), time.Unix(99, 0), time.Unix(99, 0)))
	repack(t, l, dir, rootfs.RepackOptions{MaxTime: time.Unix(1000, 500)})
	next, err := l.Resolve(context.Background(), "next")
	if err != nil {
		t.Fatal(err)
	}
	layers, err := imagefs.LayersOf(context.Background(), l, next, l.Limits())
	if err != nil {
		t.Fatal(err)
	}
	tree, err := imagefs.Build(context.Background(), l, layers, l.Limits())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{"etc/a": 1000, "etc/b": 99, "etc": 1000} {
		f, err := tree.Lookup(name, false)
		if err != nil || f.ModTime().Unix() != want {
			t.Errorf("%s is of %d, %v; want %d", name, f.ModTime().Unix(), err, want)
		}
	}
}

func TestRepackRefuses(t *testing.T) {
	l, image := open(t, store(t, base, nil))
	top := t.TempDir()
	dir := filepath.Join(top, "root")
	if _, err := rootfs.Unpack(context.Background(), l, image, dir, rootfs.UnpackOptions{Rootless: true, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	try := func(what string, want error) {
		t.Helper()
		if _, err := rootfs.Repack(context.Background(), l, dir, "next", rootfs.RepackOptions{}); !errors.Is(err, want) || err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := rootfs.Repack(context.Background(), l, dir, "a b", rootfs.RepackOptions{}); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("a name that is none: %v", err)
	}
	d := doing{t, dir}
	d.write("etc/.wh.a", "")
	try("a file named like a whiteout", content.ErrUnsupported)
	d.remove("etc/.wh.a")

	state := filepath.Join(top, "root.ocilayout", "state.json")
	files := filepath.Join(top, "root.ocilayout", "files")
	for _, file := range []string{state, files} {
		good, err := os.ReadFile(file)
		d.ok(err)
		for _, bad := range [][]byte{nil, good[:len(good)/2], append([]byte("x"), good...)} {
			d.ok(os.WriteFile(file, bad, 0o644))
			try(filepath.Base(file)+" that is damaged", content.ErrCorrupt)
		}
		d.ok(os.Remove(file))
		d.ok(unix.Mkfifo(file, 0o644))
		try(filepath.Base(file)+" that is a pipe", content.ErrRefused)
		d.ok(os.Remove(file))
		d.ok(os.WriteFile(file, good, 0o644))
	}
	try("all as it should be", nil)
	d.ok(os.RemoveAll(filepath.Join(top, "root.ocilayout")))
	try("no state", content.ErrNotFound)
}

// TestRepackLeavesOutSockets covers what a layer can't hold.
func TestRepackLeavesOutSockets(t *testing.T) {
	l, image := open(t, store(t, base, nil))
	dir, err := os.MkdirTemp("/tmp", "s") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir); os.RemoveAll(dir + ".ocilayout") })
	if _, err := rootfs.Unpack(context.Background(), l, image, dir, rootfs.UnpackOptions{Rootless: true, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	s, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var said []string
	done := repack(t, l, dir, rootfs.RepackOptions{Warn: func(err error) { said = append(said, err.Error()) }})
	if got := members(t, l, done.Layer); got != "./" {
		t.Errorf("the layer holds %q", got)
	}
	if len(said) != 2 || !strings.Contains(said[0], "sockets are left out") {
		t.Errorf("it is said that %q", said)
	}
}

// TestBundle covers the bundle's own files; what umoci thinks of them is a matter of
// the interop tests.
func TestBundle(t *testing.T) {
	l, image := open(t, store(t, base, func(i *build.Image) {
		i.EditConfig = func(c *ocispec.Image) { c.Config.Cmd, c.Config.WorkingDir = []string{"/bin/x", "y"}, "/etc" }
	}))
	dir := filepath.Join(t.TempDir(), "bundle")
	done, err := rootfs.Unpack(context.Background(), l, image, dir, rootfs.UnpackOptions{Rootless: true, Bundle: true, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if done.Path != filepath.Join(dir, "rootfs") {
		t.Errorf("the files are in %s", done.Path)
	}
	var spec struct {
		Process struct {
			Args []string
			Cwd  string
		}
		Linux struct {
			UIDMappings []rootfs.IDMap
			Namespaces  []struct{ Type string }
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		t.Fatal(err)
	}
	users := 0
	for _, n := range spec.Linux.Namespaces {
		if n.Type == "user" {
			users++
		}
	}
	if strings.Join(spec.Process.Args, " ") != "/bin/x y" || spec.Process.Cwd != "/etc" || users != 1 ||
		len(spec.Linux.UIDMappings) != 1 || spec.Linux.UIDMappings[0] != (rootfs.IDMap{Host: uint32(os.Geteuid()), Size: 1}) {
		t.Errorf("config.json is %s", data)
	}
	doing{t, dir}.write("rootfs/etc/a", "new")
	if got := members(t, l, repack(t, l, dir, rootfs.RepackOptions{}).Layer); got != "etc/ etc/a" {
		t.Errorf("the layer holds %q", got)
	}
	// Without our state umoci's does.
	if err := os.RemoveAll(dir + ".ocilayout"); err != nil {
		t.Fatal(err)
	}
	if got := members(t, l, repack(t, l, dir, rootfs.RepackOptions{}).Layer); got != "etc/ etc/a" {
		t.Errorf("by umoci's list the layer holds %q", got)
	}
}
