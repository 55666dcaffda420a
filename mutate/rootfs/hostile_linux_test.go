package rootfs_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/mutate/rootfs"
)

// surroundings are what lies beside the directory that is unpacked into, and must
// stay as it is.
func surroundings(t *testing.T) (dir string, check func()) {
	t.Helper()
	top := t.TempDir()
	dir = filepath.Join(top, "in", "root")
	for _, name := range []string{"in", "out"} {
		if err := os.Mkdir(filepath.Join(top, name), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"secret", "victim"} {
			if err := os.WriteFile(filepath.Join(top, name, file), []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	outside := func() map[string]fact {
		all := facts(t, top)
		for path, f := range all {
			if strings.HasPrefix(path, "in/root") {
				delete(all, path)
			} else if f.now {
				f.time = "" // of the directories, where the root itself comes to lie
				all[path] = f
			}
		}
		return all
	}
	before := outside()
	return dir, func() {
		t.Helper()
		after := outside()
		for path, f := range before {
			if after[path] != f {
				t.Errorf("outside, %s was %v and is %v", path, f, after[path])
			}
			delete(after, path)
		}
		for path := range after {
			t.Errorf("outside, %s is new", path)
		}
	}
}

// TestHostileLayers gives layers that try to get out, and others that are odd. The
// files that want lists are there afterwards, with their bytes; an error is one of
// its kind.
func TestHostileLayers(t *testing.T) {
	up := strings.Repeat("../", 12)
	for name, c := range map[string]struct {
		layers [][]build.File
		fails  error
		want   map[string]string
	}{
		"up":                    {layers: [][]build.File{{build.Text("../victim", "x")}}, fails: content.ErrRefused},
		"up later":              {layers: [][]build.File{{build.Text("a/../../victim", "x")}}, fails: content.ErrRefused},
		"up and back":           {layers: [][]build.File{{build.Dir("a"), build.Text("a/../b", "b")}}, want: map[string]string{"b": "b"}},
		"absolute":              {layers: [][]build.File{{build.Text("/etc/x", "x")}}, want: map[string]string{"etc/x": "x"}},
		"link up":               {layers: [][]build.File{{build.Symlink("l", up+"tmp"), build.Text("l/x", "x")}}, want: map[string]string{"tmp/x": "x"}},
		"link to the outside":   {layers: [][]build.File{{build.Symlink("l", "../victim"), build.Text("l", "x")}}, want: map[string]string{"l": "x"}},
		"link to a link":        {layers: [][]build.File{{build.Symlink("a", ".."), build.Symlink("b", "a/.."), build.Text("b/out/victim", "x")}}, want: map[string]string{"out/victim": "x"}},
		"link in a lower one":   {layers: [][]build.File{{build.Symlink("l", "../../out")}, {build.Text("l/victim", "x"), build.Text("l/.wh.secret", "")}}, want: map[string]string{"out/victim": "x"}},
		"link through proc":     {layers: [][]build.File{{build.Symlink("l", "/proc/self/cwd"), build.Text("l/victim", "x")}}, want: map[string]string{"proc/self/cwd/victim": "x"}},
		"link to itself":        {layers: [][]build.File{{build.Symlink("l", "l"), build.Text("l/x", "x")}}, fails: content.ErrCorrupt},
		"links in a circle":     {layers: [][]build.File{{build.Symlink("a", "b/x"), build.Symlink("b", "a/x"), build.Text("a/y", "x")}}, fails: content.ErrCorrupt},
		"hard link up":          {layers: [][]build.File{{build.Hardlink("h", "../victim")}}, fails: content.ErrRefused},
		"hard link outside":     {layers: [][]build.File{{build.Symlink("l", "../../out"), build.Hardlink("h", "l/secret")}}, fails: content.ErrCorrupt},
		"hard link absolute":    {layers: [][]build.File{{build.Text("a", "a"), build.Hardlink("h", "/a")}}, want: map[string]string{"h": "a"}},
		"hard link to a link":   {layers: [][]build.File{{build.Symlink("l", "../../in/victim"), build.Hardlink("h", "l"), build.Text("h", "x")}}, want: map[string]string{"h": "x"}},
		"hard link to a dir":    {layers: [][]build.File{{build.Dir("d"), build.Hardlink("h", "d")}}, fails: content.ErrCorrupt},
		"hard link to root":     {layers: [][]build.File{{build.Hardlink("h", "/")}}, fails: content.ErrCorrupt},
		"hard link to nothing":  {layers: [][]build.File{{build.Hardlink("h", "gone")}}, fails: content.ErrCorrupt},
		"hard link to itself":   {layers: [][]build.File{{build.Text("a", "a"), build.Hardlink("a", "a")}}, want: map[string]string{"a": "a"}},
		"hard link for its dir": {layers: [][]build.File{{build.Dir("d"), build.Text("d/x", "x"), build.Hardlink("d", "d/x")}}, fails: content.ErrCorrupt},
		"whiteout of the root":  {layers: [][]build.File{{build.Text("a", "a")}, {build.Text(".wh.", ""), build.Text(".wh..", ""), build.Text(".wh...", "")}}, want: map[string]string{"a": "a"}},
		"whiteout up":           {layers: [][]build.File{{build.Text("../.wh.victim", "")}}, fails: content.ErrRefused},
		"whiteout by a link":    {layers: [][]build.File{{build.Symlink("l", "../../out"), build.Text("a", "a")}, {build.Text("l/.wh.victim", ""), build.Text("l/.wh..wh..opq", ""), build.Text(".wh.l", "")}}, want: map[string]string{"a": "a"}},
		"opaque link":           {layers: [][]build.File{{build.Symlink("l", "../../out"), build.Text("a", "a")}, {build.Text("l/.wh..wh..opq", "")}}, want: map[string]string{"a": "a"}},
		"aufs":                  {layers: [][]build.File{{build.Text(".wh..wh.plnk/1", "x"), build.Text("a", "a")}}, want: map[string]string{"a": "a"}},
		"root as a link":        {layers: [][]build.File{{build.Symlink("./", "../../out"), build.Text("victim", "x")}}, fails: content.ErrRefused},
		"root as a file":        {layers: [][]build.File{{{Name: ".", Type: tar.TypeReg, Body: []byte("x")}}}, fails: content.ErrRefused},
		"file for a full dir":   {layers: [][]build.File{{build.Dir("d"), build.Symlink("d/l", "../../../out"), build.Dir("d/e"), build.Text("d/e/x", "x")}, {build.Text("d", "d")}}, want: map[string]string{"d": "d"}},
		"dir turned link":       {layers: [][]build.File{{build.Dir("d"), build.Text("d/x", "x"), build.Symlink("d", "../../out"), build.Text("d/victim", "x")}}, want: map[string]string{"out/victim": "x"}},
		"dir turned link later": {layers: [][]build.File{{build.Dir("d/e"), build.Text("d/e/x", "x")}, {build.Symlink("d", "/"), build.Text("d/e/y", "y")}}, want: map[string]string{"e/y": "y"}},
		"long":                  {layers: [][]build.File{{build.Text(strings.Repeat("a", 300), "x")}}, fails: errAny},
		"longer":                {layers: [][]build.File{{build.Text(strings.Repeat("a/", 3000)+"x", "x")}}, fails: content.ErrRefused},
		"deep":                  {layers: [][]build.File{{build.Text(strings.Repeat("a/", 1500)+"x", "x")}, {build.Text(".wh.a", ""), build.Text("b", "b")}}, want: map[string]string{"b": "b"}},
		"owner beyond all":      {layers: [][]build.File{{{Name: "a", UID: 1<<32 - 1}}}, fails: content.ErrCorrupt},
		"owner below all":       {layers: [][]build.File{{{Name: "a", UID: -1}}}, fails: content.ErrCorrupt},
		"no type":               {layers: [][]build.File{{{Name: "a", Type: 'Z'}}}, fails: content.ErrUnsupported},
		"a device":              {layers: [][]build.File{{{Name: "null", Type: tar.TypeChar, Major: 1, Mode: 0o666}, {Name: "sda", Type: tar.TypeBlock, Major: 8}}}, want: map[string]string{"null": "", "sda": ""}},
		"a device of no kind":   {layers: [][]build.File{{{Name: "null", Type: tar.TypeChar, Major: -1}}}, fails: content.ErrCorrupt},
		"link to nowhere":       {layers: [][]build.File{{{Name: "a", Type: tar.TypeSymlink}}}, fails: content.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			dir, check := surroundings(t)
			defer check()
			l, image := open(t, store(t, c.layers, nil, testkit.BrokenOK)) // some of them verify refuses too
			_, err := rootfs.Unpack(context.Background(), l, image, dir, rootfs.UnpackOptions{Rootless: true, NoSync: true})
			judge(t, err, c.fails, dir)
			for path, want := range c.want {
				fi, err := os.Lstat(filepath.Join(dir, path))
				if err != nil || !fi.Mode().IsRegular() {
					t.Errorf("%s: %v, %v", path, fi, err)
					continue
				}
				if got, _ := os.ReadFile(filepath.Join(dir, path)); string(got) != want {
					t.Errorf("%s holds %q, want %q", path, got, want)
				}
			}
		})
	}
}

// errAny stands for an error of the system.
var errAny = errors.New("any error")

func judge(t *testing.T, err, want error, dir string) {
	t.Helper()
	_, stateErr := os.Stat(dir + ".ocilayout/state.json")
	switch {
	case want == nil && err != nil, want == errAny && err == nil, want != nil && want != errAny && !errors.Is(err, want):
		t.Errorf("error is %v, want %v", err, want)
	case err != nil && (!strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n")):
		t.Errorf("error %q is no line that says what is left where", err)
	case (err == nil) != (stateErr == nil):
		t.Errorf("error is %v, and of the state %v", err, stateErr)
	}
}

// TestOddBlobs gives layers whose compressed form is odd or wrong.
func TestOddBlobs(t *testing.T) {
	plain := build.Tar(build.Text("a", "a"), build.Text("b", strings.Repeat("b", 3000)))
	half := len(plain) / 2
	gzip := func(b []byte) []byte { return build.Compress("gzip", b) }
	zstd := func(b []byte) []byte { return build.Compress("zstd", b) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	skippable := []byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4}
	huge := func(size int64) []byte { // a header that claims size bytes, and nothing behind it
		var b bytes.Buffer
		if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "a", Size: size, Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		blob, plain []byte
		zstd        bool
		fails       error
	}{
		"two members":              {blob: join(gzip(plain[:half]), gzip(plain[half:])), plain: plain},
		"an empty member":          {blob: join(gzip(nil), gzip(plain), gzip(nil)), plain: plain},
		"trailing garbage":         {blob: join(gzip(plain), []byte("garbage")), plain: plain, fails: content.ErrCorrupt},
		"trailing zeros":           {blob: join(gzip(plain), make([]byte, 100)), plain: plain, fails: content.ErrCorrupt},
		"a truncated member":       {blob: gzip(plain)[:60], plain: plain, fails: content.ErrCorrupt},
		"not what the config says": {blob: gzip(plain), plain: plain[:512], fails: content.ErrDigest},
		"zstd, two frames":         {blob: join(zstd(plain[:half]), zstd(plain[half:])), plain: plain, zstd: true},
		"zstd, skippable frames":   {blob: join(skippable, zstd(plain), skippable), plain: plain, zstd: true},
		"more behind the tar":      {blob: gzip(join(plain, []byte("more"))), plain: join(plain, []byte("more"))},
		"no blocks at the end":     {blob: gzip(plain[:len(plain)-1024]), plain: plain[:len(plain)-1024]},
		"8 GiB and nothing":        {blob: gzip(huge(8 << 30)), plain: huge(8 << 30), fails: content.ErrCorrupt},
		"8 EiB and nothing":        {blob: gzip(huge(1<<63 - 1)), plain: huge(1<<63 - 1), fails: content.ErrCorrupt},
		"no tar":                   {blob: gzip([]byte(strings.Repeat("x", 2000))), plain: []byte(strings.Repeat("x", 2000)), fails: content.ErrCorrupt},
		"empty":                    {blob: gzip(nil), plain: nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir, check := surroundings(t)
			defer check()
			l := build.NewLayout()
			mediaType := ocispec.MediaTypeImageLayerGzip
			if c.zstd {
				mediaType = ocispec.MediaTypeImageLayerZstd
			}
			layer := l.Put(mediaType, c.blob)
			image := l.Image(build.Image{
				EditConfig: func(config *ocispec.Image) {
					config.RootFS.DiffIDs = []content.Digest{build.Descriptor("", c.plain).Digest}
				},
				EditManifest: func(m *ocispec.Manifest) { m.Layers = []content.Descriptor{layer} },
			})
			l.Tag("app", image)
			store, found := open(t, testkit.Layout(t, l, testkit.BrokenOK))
			_, err := rootfs.Unpack(context.Background(), store, found, dir, rootfs.UnpackOptions{Rootless: true, NoSync: true})
			judge(t, err, c.fails, dir)
			if err == nil && name != "empty" {
				if got, err := os.ReadFile(filepath.Join(dir, "b")); len(got) != 3000 {
					t.Errorf("b has %d bytes, %v", len(got), err)
				}
			}
		})
	}
}

func TestUnpackWithinLimits(t *testing.T) {
	var files []build.File
	for _, name := range strings.Fields("a b c d e f g h i j") {
		files = append(files, build.Dir(name), build.Text(name+"/x", "x"))
	}
	l, image := open(t, store(t, [][]build.File{files}, nil))
	for what, c := range map[string]struct {
		limits content.Limits
		fails  error
	}{
		"members":     {content.Limits{Members: 19}, content.ErrRefused},
		"directories": {content.Limits{Tree: 1200}, content.ErrRefused},
		"bytes":       {content.Limits{Layer: 5000}, content.ErrRefused},
		"just enough": {content.Limits{Members: 20, Tree: 10 * 151, Layer: 30*512 + 1024}, nil},
	} {
		o := rootfs.UnpackOptions{Rootless: true, NoSync: true, Limits: c.limits}
		if _, err := rootfs.Unpack(context.Background(), l, image, filepath.Join(t.TempDir(), "root"), o); !errors.Is(err, c.fails) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestUnpackNoImage(t *testing.T) {
	l := build.NewLayout()
	image := l.Image(build.Image{})
	l.Tag("app", l.Artifact("application/x", &image, []byte("x")))
	store, found := open(t, testkit.Layout(t, l, testkit.BrokenOK))
	dir := filepath.Join(t.TempDir(), "root")
	if _, err := rootfs.Unpack(context.Background(), store, found, dir, rootfs.UnpackOptions{}); !errors.Is(err, content.ErrUnsupported) {
		t.Errorf("an artifact: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the directory is made for what is no image")
	}
}

func TestUnpackEndsWithItsContext(t *testing.T) {
	l, image := open(t, store(t, images["plain"], nil))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := rootfs.Unpack(ctx, l, image, filepath.Join(t.TempDir(), "root"), rootfs.UnpackOptions{Rootless: true, NoSync: true})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

// TestUnpackOwnersNeedAMapping covers owners that no mapping has.
func TestUnpackOwnersNeedAMapping(t *testing.T) {
	if !isRoot() {
		t.Skip("needs root")
	}
	l, image := open(t, store(t, owned, nil))
	o := rootfs.UnpackOptions{UIDMap: []rootfs.IDMap{{Host: 1000, Size: 1}}, GIDMap: []rootfs.IDMap{{Host: 1000, Size: 1}}}
	_, err := rootfs.Unpack(context.Background(), l, image, filepath.Join(t.TempDir(), "root"), o)
	if !errors.Is(err, content.ErrInvalid) || !strings.Contains(err.Error(), "user or group 7") {
		t.Errorf("error is %v", err)
	}
}

func TestParseIDMap(t *testing.T) {
	for text, want := range map[string]rootfs.IDMap{
		"0:1000":         {Host: 1000, Size: 1},
		"1:100000:65536": {Container: 1, Host: 100000, Size: 65536},
		"4294967294:0:1": {Container: 4294967294, Size: 1},
		"0:0:4294967295": {Size: 4294967295},
	} {
		if got, err := rootfs.ParseIDMap(text); err != nil || got != want {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "0:", "a:0", "0:0:0", "0:1:2:3", "-1:0", "0:4294967295", "0:4294967290:10", "1:0:4294967295", "0:99999999999"} {
		if got, err := rootfs.ParseIDMap(text); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
}
