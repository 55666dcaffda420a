package artifact_test

import (
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

const chartText = `apiVersion: v2
name: demo
description: A chart <for> tests
version: 1.2.3-rc.1+build.5
appVersion: 1.10 # a number, which helm reads as one
home: https://example.com
sources: [https://example.com/a.git, https://example.com/b.git]
deprecated: true
unknown: {to: helm}
maintainers:
  - {name: Ann, email: ann@example.com}
  - name: Bob
annotations:
  org.opencontainers.image.title: ignored
  org.opencontainers.image.vendor: ACME
  changes: |
    - one
    - two
dependencies:
- name: sub
  version: ^1
  repository: oci://example.com/charts
  import-values:
  - child: a
    parent: b
`

// chartOf packs a chart with this Chart.yaml.
func chartOf(text string, more ...build.File) []byte {
	files := append([]build.File{build.Text("demo/Chart.yaml", text), build.Text("demo/templates/x.yaml", "{{ . }}")}, more...)
	return build.Compress("gzip", build.Tar(files...))
}

func provenanceOf(chart []byte) []byte {
	return []byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nname: demo\n\n...\nfiles:\n  demo.tgz: " +
		digest.FromBytes(chart).String() + "\n-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n")
}

func TestHelmChart(t *testing.T) {
	chart := chartOf(chartText)
	c, err := artifact.HelmChart(testkit.File(t, "x.tgz", chart), testkit.File(t, "x.prov", provenanceOf(chart)))
	if err != nil {
		t.Fatal(err)
	}
	const config = `{"name":"demo","home":"https://example.com","sources":["https://example.com/a.git","https://example.com/b.git"],` +
		`"version":"1.2.3-rc.1+build.5","description":"A chart \u003cfor\u003e tests","maintainers":[{"name":"Ann","email":"ann@example.com"},{"name":"Bob"}],` +
		`"apiVersion":"v2","appVersion":"1.1","deprecated":true,"annotations":{"changes":"- one\n- two\n","org.opencontainers.image.title":"ignored","org.opencontainers.image.vendor":"ACME"},` +
		`"dependencies":[{"name":"sub","version":"^1","repository":"oci://example.com/charts","import-values":[{"child":"a","parent":"b"}]}]}`
	if got := read(t, *c.Config); got != config {
		t.Errorf("config\n%s\nwant\n%s", got, config)
	}
	want := map[string]string{
		"changes":                              "- one\n- two\n",
		"org.opencontainers.image.authors":     "Ann (ann@example.com), Bob",
		"org.opencontainers.image.description": "A chart <for> tests",
		"org.opencontainers.image.source":      "https://example.com/a.git",
		"org.opencontainers.image.title":       "demo",
		"org.opencontainers.image.url":         "https://example.com",
		"org.opencontainers.image.vendor":      "ACME",
		"org.opencontainers.image.version":     "1.2.3-rc.1+build.5",
	}
	if !maps.Equal(c.Annotations, want) {
		t.Errorf("annotations %q, want %q", c.Annotations, want)
	}
	if c.Tag() != "1.2.3-rc.1_build.5" || c.Type != "" {
		t.Errorf("tag %s, type %s", c.Tag(), c.Type)
	}
	var files []string
	for _, f := range c.Files {
		files = append(files, f.Title+" "+f.MediaType)
	}
	if got, want := strings.Join(files, "\n"), "demo-1.2.3-rc.1+build.5.tgz application/vnd.cncf.helm.chart.content.v1.tar+gzip\n"+
		"demo-1.2.3-rc.1+build.5.tgz.prov application/vnd.cncf.helm.chart.provenance.v1.prov"; got != want {
		t.Errorf("files\n%s\nwant\n%s", got, want)
	}
}

// read is the content of a file that is held in memory.
func read(t testing.TB, f artifact.File) string {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestHelmChartNames(t *testing.T) {
	c := artifact.Chart{Name: "demo", Version: "1.0.0+a"}
	for name, want := range map[string]string{
		"":                              "demo:1.0.0_a",
		"stable":                        "stable",
		"example.com:5000/charts/demo":  "example.com:5000/charts/demo:1.0.0_a",
		"example.com/charts/demo:other": "example.com/charts/demo:other",
	} {
		if got := c.In(name); got != want {
			t.Errorf("In(%q) = %q, want %q", name, got, want)
		}
	}
}

// TestHelmChartStored puts the same chart from two files of another name and time.
func TestHelmChartStored(t *testing.T) {
	l := open(t, testkit.Layout(t, nil))
	var digests []content.Digest
	for i, name := range []string{"a.tgz", "b.tgz"} {
		path := testkit.File(t, name, chartOf(chartText))
		if err := os.Chtimes(path, time.Time{}, time.Unix(int64(i)*1e6, 0)); err != nil {
			t.Fatal(err)
		}
		c, err := artifact.HelmChart(path, "")
		if err != nil {
			t.Fatal(err)
		}
		stored, err := artifact.Put(t.Context(), l, c.In(""), c.Options, layout.Overwrite)
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, stored.Digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("%s and %s", digests[0], digests[1])
	}
	for _, name := range []string{"demo:1.2.3-rc.1_build.5", "1.2.3-rc.1_build.5"} {
		if got := resolve(t, l, name).Digest; got != digests[0] {
			t.Errorf("%s is %s, want %s", name, got, digests[0])
		}
	}
}

// TestHelmChartV1 takes a chart of Helm 2: no apiVersion, dependencies in a file of
// their own.
func TestHelmChartV1(t *testing.T) {
	requirements := build.Text("demo/requirements.yaml", "dependencies:\n- name: old\n  repository: https://example.com\n  version: 1.x\n")
	c, err := artifact.HelmChart(testkit.File(t, "x.tgz", chartOf("\xef\xbb\xbfname: demo\nversion: v1.0\n", requirements)), "")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"demo","version":"v1.0","apiVersion":"v1","dependencies":[{"name":"old","version":"1.x","repository":"https://example.com"}]}`
	if got := read(t, *c.Config); got != want {
		t.Errorf("config %s, want %s", got, want)
	}
}

func TestHelmChartRefused(t *testing.T) {
	plain := build.Tar(build.Text("demo/Chart.yaml", chartText))
	keys := func(n int) string {
		var b strings.Builder
		b.WriteString("name: demo\nversion: 1.0.0\nannotations:\n")
		for i := range n {
			fmt.Fprintf(&b, "  k%d: v\n", i)
		}
		return b.String()
	}
	const named = "name: demo\nversion: 1.0.0\n"
	for _, test := range []struct {
		name  string
		chart []byte
		want  error
	}{
		{"not compressed", plain, content.ErrCorrupt},
		{"cut", build.Compress("gzip", plain)[:80], content.ErrCorrupt},
		{"data after it", append(build.Compress("gzip", plain), "tail"...), content.ErrCorrupt},
		{"no chart", build.Compress("gzip", build.Tar(build.Text("demo/values.yaml", "a: b"))), content.ErrCorrupt},
		{"without a directory", build.Compress("gzip", build.Tar(build.Text("Chart.yaml", chartText))), content.ErrCorrupt},
		{"of a dependency only", build.Compress("gzip", build.Tar(build.Text("demo/charts/sub/Chart.yaml", chartText))), content.ErrCorrupt},
		{"twice", chartOf(chartText, build.Text("demo/Chart.yaml", "name: other")), content.ErrRefused},
		{"path outside", chartOf(chartText, build.Text("demo/../../x", "")), content.ErrRefused},
		{"absolute path", chartOf(chartText, build.Text("/etc/x", "")), content.ErrRefused},
		{"too large", chartOf(named + "# " + strings.Repeat("x", 200<<10)), content.ErrRefused},
		{"bomb", chartOf(chartText, build.Text("demo/big", strings.Repeat("\x00", 101<<20))), content.ErrRefused},
		{"no yaml", chartOf("name: [demo"), content.ErrCorrupt},
		{"a list", chartOf("- name"), content.ErrCorrupt},
		{"no name", chartOf("version: 1.0.0"), content.ErrCorrupt},
		{"name with a path", chartOf("name: ../demo\nversion: 1.0.0"), content.ErrCorrupt},
		{"no version", chartOf("name: demo"), content.ErrCorrupt},
		{"bad version", chartOf("name: demo\nversion: 1.0.0/../x"), content.ErrCorrupt},
		{"bad type", chartOf(named + "type: plugin"), content.ErrCorrupt},
		{"empty maintainer", chartOf(named + "maintainers: [null]"), content.ErrCorrupt},
		{"empty dependency", chartOf(named + "dependencies: [null]"), content.ErrCorrupt},
		{"alias", chartOf(named + "keywords: &a [x]\nsources: *a"), content.ErrRefused},
		{"merge", chartOf(named + "<<: {type: library}"), content.ErrRefused},
		{"deep brackets", chartOf(named + "x: " + strings.Repeat("[", 50000)), content.ErrRefused},
		{"deep braces", chartOf(named + "x: " + strings.Repeat("{a: ", 20000)), content.ErrRefused},
		{"deep lists", chartOf(named + "x:\n" + strings.Repeat("- ", 50000)), content.ErrRefused},
		{"deep tags", chartOf(named + "x: " + strings.Repeat("!!str ", 20000)), content.ErrRefused},
		{"very many keys", chartOf(keys(6000)), content.ErrRefused},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := testkit.File(t, "x.tgz", test.chart)
			_, err := artifact.HelmChart(path, "")
			wantError(t, err, test.want, path)
		})
	}
}

func TestHelmProvenance(t *testing.T) {
	chart := testkit.File(t, "x.tgz", chartOf(chartText))
	for _, test := range []struct {
		name string
		text []byte
		want error
	}{
		{"of another chart", provenanceOf([]byte("another")), content.ErrInvalid},
		{"not signed", []byte("files: " + digest.FromBytes(chartOf(chartText)).String()), content.ErrUnsupported},
		{"too large", []byte(strings.Repeat("x", 2<<20)), content.ErrRefused},
	} {
		path := testkit.File(t, "x.prov", test.text)
		_, err := artifact.HelmChart(chart, path)
		wantError(t, err, test.want, path)
	}
	_, err := artifact.HelmChart(chart, chart+".absent")
	wantError(t, err, content.ErrNotFound, chart+".absent")
}

func FuzzHelmChart(f *testing.F) {
	f.Add(chartText)
	f.Add("name: demo\nversion: 1\nimport-values: [{a: [b]}, \"x\"]\n? y\n: z")
	f.Add("name: 'demo'\nversion: \"1.0\"\ndescription: >-\n  a\n  b\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := artifact.HelmChart(testkit.File(t, "x.tgz", chartOf(text)), "")
		if err != nil {
			return
		}
		if strings.ContainsAny(c.Name+c.Version, "/\\ ") || layout.CheckName(c.In("")) != nil {
			t.Errorf("chart %q of version %q", c.Name, c.Version)
		}
	})
}
