package mutate_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/imagefs"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// flagged parses a flag as the command line would.
func flagged(t *testing.T, name, value string) mutate.Edit {
	t.Helper()
	e, err := parseFlag(name, value, mutate.FlagEnv{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func parseFlag(name, value string, env mutate.FlagEnv) (mutate.Edit, error) {
	for _, f := range mutate.Flags() {
		if f.Name == name {
			return f.Parse(value, env)
		}
	}
	return mutate.Edit{}, fmt.Errorf("no flag %s", name)
}

// image describes the image under a digest.
func image(t *testing.T, l *layout.Layout, d content.Descriptor) (m content.Manifest, ids []content.Digest) {
	t.Helper()
	m, _, err := content.FetchManifest(t.Context(), l, d, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	config, _, err := content.FetchConfig(t.Context(), l, *m.Config, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return m, config.RootFS.DiffIDs
}

// plain is the tar of a layer of an image, from 1.
func plain(t *testing.T, l *layout.Layout, d content.Descriptor, number int) []byte {
	t.Helper()
	m, ids := image(t, l, d)
	rc, err := imagefs.OpenLayer(t.Context(), l, imagefs.Layer{Descriptor: m.Layers[number-1], DiffID: ids[number-1]}, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	if err := rc.Close(); err != nil {
		t.Fatal(err)
	}
	return data
}

// headers lists the members of a tar.
func headers(t *testing.T, data []byte) []*tar.Header {
	t.Helper()
	var list []*tar.Header
	tr := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, h)
	}
}

func TestTimeSet(t *testing.T) {
	want := time.Unix(1000000000, 0)
	dst, r := edited(t, build.Hello(), flagged(t, "time", "set=1000000000"))
	if !r.Changed {
		t.Fatal("nothing changed")
	}
	for _, h := range headers(t, plain(t, dst, r.Entry.Descriptor, 1)) {
		if !h.ModTime.Equal(want) {
			t.Errorf("%s: %s", h.Name, h.ModTime)
		}
	}
	_, again := edited(t, build.Hello(), flagged(t, "config-time", "set=2001-09-09T01:46:40Z"), flagged(t, "layer-time", "set=2001-09-09T01:46:40Z"))
	if r.New != again.New {
		t.Errorf("--time gives %s, its two parts %s", r.New, again.New)
	}
}

// times lists the times of the members of a layer, as seconds.
func times(t *testing.T, l *layout.Layout, d content.Descriptor, number int) []string {
	t.Helper()
	var list []string
	for _, h := range headers(t, plain(t, l, d, number)) {
		list = append(list, itoa(h.ModTime.Unix()))
	}
	return list
}

// configTimes lists created, and those of the history.
func configTimes(t *testing.T, l *layout.Layout, d content.Descriptor) []string {
	t.Helper()
	m, _ := image(t, l, d)
	c, _, err := content.FetchConfig(t.Context(), l, *m.Config, content.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	list := []string{"none"}
	if c.Created != nil {
		list[0] = itoa(c.Created.Unix())
	}
	for _, h := range c.History {
		list = append(list, itoa(h.Created.Unix()))
	}
	return list
}

// TestTimeSpecs tries every part of a time on an image of two layers.
func TestTimeSpecs(t *testing.T) {
	at := func(n int64) build.File {
		return build.File{Name: "t" + itoa(n), Time: time.Unix(n, 0)}
	}
	low := build.Layer{Files: []build.File{at(100), at(300)}}
	l := build.NewLayout()
	l.Tag("base", l.Image(build.Image{Layers: []build.Layer{low}, EditConfig: withHistory}))
	l.Tag("v1", l.Image(build.Image{Layers: []build.Layer{low, {Files: []build.File{at(200), at(400)}}}, EditConfig: func(c *ocispec.Image) {
		withHistory(c)
		c.Config.Labels = map[string]string{"at": "1970-01-01T00:04:10Z"}
	}}))
	l.Tag("other", l.Image(build.Image{Layers: []build.Layer{{Files: []build.File{at(1)}}}}))
	clock := itoa(build.Clock.Unix())
	for spec, want := range map[string][3][]string{
		"set=250":                       {{"250", "250", "250", "250"}, {"250", "250"}, {"250", "250"}},
		"set=1970-01-02":                {{"86400", "86400", "86400", "86400"}, {"86400", "86400"}, {"86400", "86400"}},
		"set=5,after=200":               {{"5", "5", "5", "5"}, {"100", "5"}, {"200", "5"}},
		"max=250":                       {{"250", "250", "250", "250"}, {"100", "250"}, {"200", "250"}},
		"from-label=at":                 {{"250", "250", "250", "250"}, {"250", "250"}, {"250", "250"}},
		"from-label=none,set=7":         {{"7", "7", "7", "7"}, {"7", "7"}, {"7", "7"}},
		"set=now":                       {{"77", "77", "77", "77"}, {"77", "77"}, {"77", "77"}},
		"set=9,base-layers=1":           {{"9", clock, "9", "9"}, {"100", "300"}, {"9", "9"}},
		"set=9,base-layers=2":           {{"9", clock, clock, "9"}, {"100", "300"}, {"200", "400"}},
		"set=9,base=:base":              {{"9", clock, clock, "9"}, {"100", "300"}, {"9", "9"}},
		"from-label=at,after=320":       {{"250", "250", "250", "250"}, {"100", "300"}, {"200", "250"}},
		"max=1970-01-01T00:05:50+00:01": {{"290", "290", "290", "290"}, {"100", "290"}, {"200", "290"}},
	} {
		dst := opened(t, l)
		env := mutate.FlagEnv{Now: func() time.Time { return time.Unix(77, 0) }, Resolve: func(ref string) (content.Fetcher, content.Descriptor, error) {
			e, err := dst.Lookup(t.Context(), layout.Reference{Name: strings.TrimPrefix(ref, ":")})
			return dst, e.Descriptor, err
		}}
		e, err := parseFlag("time", spec, env)
		if err != nil {
			t.Errorf("%s: %v", spec, err)
			continue
		}
		r, err := tryApply(t, dst, e)
		if err != nil {
			t.Errorf("%s: %v", spec, err)
			continue
		}
		// created is there only if the kit's config has it.
		got := configTimes(t, dst, r.Entry.Descriptor)
		if got[0] == "none" {
			got[0] = want[0][0]
		}
		equal(t, spec+": config", got, want[0])
		equal(t, spec+": layer 1", times(t, dst, r.Entry.Descriptor, 1), want[1])
		equal(t, spec+": layer 2", times(t, dst, r.Entry.Descriptor, 2), want[2])
		for _, bad := range []string{"set=1,base=:other", "set=1,base-layers=3", "from-label=none"} {
			e, err := parseFlag("time", bad, env)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tryApply(t, dst, e); !errors.Is(err, content.ErrInvalid) && !errors.Is(err, content.ErrNotFound) {
				t.Errorf("%s: got %v", bad, err)
			}
		}
	}
}

func TestTimeSpecRefuses(t *testing.T) {
	for _, bad := range []string{"", "set", "set=", "set=yesterday", "after=5", "set=1,max=2", "max=1,after=2", "base-layers=1", "base-layers=x,set=1", "set=-1", "when=1", "set=1,base=x"} {
		if _, err := mutate.ParseTimeSpec(bad, mutate.FlagEnv{}); !errors.Is(err, content.ErrInvalid) && !errors.Is(err, content.ErrUnsupported) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestTimesKeepRecords changes times of members with PAX records, which stay.
func TestTimesKeepRecords(t *testing.T) {
	l := layers(build.Layer{Files: []build.File{{Name: strings.Repeat("n", 120), Body: []byte("1"), Time: time.Unix(5, 5e8), PAX: map[string]string{
		"SCHILY.xattr.security.capability": "\x01\x00\x00\x02", "VENDOR.unknown": "ü", "atime": "7.5"}}}})
	dst, r := edited(t, l, flagged(t, "layer-time", "set=1"))
	h := headers(t, plain(t, dst, r.Entry.Descriptor, 1))[0]
	if h.PAXRecords["SCHILY.xattr.security.capability"] != "\x01\x00\x00\x02" || h.PAXRecords["VENDOR.unknown"] != "ü" ||
		h.Name != strings.Repeat("n", 120) || h.ModTime.Unix() != 1 || h.ModTime.Nanosecond() != 0 || !h.AccessTime.IsZero() && h.AccessTime.Unix() != 1 {
		t.Errorf("%+v", h)
	}
}
