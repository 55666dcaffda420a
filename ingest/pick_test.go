package ingest_test

import (
	"slices"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/ingest"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		patterns, want, left []string
	}{
		{[]string{"app"}, []string{appName}, []string{"app:1.0", dbName}},
		{[]string{"app:*"}, []string{app1, appName}, []string{dbName}},
		{[]string{appName}, []string{appName}, []string{"app:1.0", dbName}},
		{[]string{"latest"}, []string{appName, dbName}, []string{"app:1.0"}},
		{[]string{"*/team/*", "1.0"}, []string{app1, dbName}, []string{"app:latest"}},
	} {
		l, result := mustImport(t, build.Tar(saved()...), ingest.Options{Names: tt.patterns})
		if got := names(t, l); !slices.Equal(got, tt.want) {
			t.Errorf("%q picks %q, want %q", tt.patterns, got, tt.want)
		}
		if !slices.Equal(result.NotTaken, tt.left) {
			t.Errorf("%q leaves %q, want %q", tt.patterns, result.NotTaken, tt.left)
		}
	}
	archive := build.Tar(saved()...)
	refuse(t, archive, ingest.Options{Names: []string{"app", "nothing"}}, content.ErrNotFound, "nothing", "app:latest")
	refuse(t, archive, ingest.Options{Names: []string{"["}}, content.ErrInvalid)
}

// TestNamesWithReferrers: what refers to a picked image comes along, however it
// says so, and what refers to others does not.
func TestNamesWithReferrers(t *testing.T) {
	b := build.NewLayout()
	app := b.Image(build.Image{Layers: []build.Layer{appLayer("app")}})
	db := b.Image(build.Image{Layers: []build.Layer{appLayer("db")}})
	b.Tag("app", app)
	b.Tag("db", db)
	b.Tag(build.FallbackTag(app.Digest)+".sig", b.Image(build.Image{Layers: []build.Layer{appLayer("sig")}}))
	first := b.Attach(app, "example/sbom", []byte("sbom of app"))
	b.Add(b.Artifact("example/sig", &first, []byte("signature of the sbom")))
	bound := b.Artifact("example/note", nil, []byte("note on app"))
	bound.Annotations = map[string]string{content.AnnotationSubject: app.Digest.String()}
	b.Add(bound)
	want := len(b.Entries) - 1
	b.Attach(db, "example/sbom", []byte("sbom of db"))
	b.Add(b.Artifact("example/sig", &db, []byte("signature of db")))

	l, result := mustImport(t, b.Tar(), ingest.Options{Names: []string{"app"}, Rename: "mine"})
	if got := entries(t, l); len(got) != want || len(result.Images) != want-1 || result.Referrers != 2 {
		t.Errorf("%d entries, %d referrers, want %d: %q", len(got), result.Referrers, want, names(t, l))
	}
	if !slices.Contains(names(t, l), "mine") || slices.Contains(names(t, l), "app") {
		t.Errorf("names are %q", names(t, l))
	}
	if !slices.Contains(result.NotTaken, "db") || slices.Contains(blobs(t, l), db.Digest) {
		t.Errorf("db was taken, left are %q", result.NotTaken)
	}
}

func TestRename(t *testing.T) {
	l, _ := mustImport(t, build.Tar(saved()...), ingest.Options{Names: []string{"app:*"}, Rename: "reg.example/x:2"})
	if got := names(t, l); !slices.Equal(got, []string{"reg.example/x:2"}) {
		t.Errorf("names are %q", got)
	}
	l, _ = mustImport(t, build.Tar(build.DockerArchive(build.DockerImage{})...), ingest.Options{Rename: "v1"})
	if got := names(t, l); !slices.Equal(got, []string{"v1"}) {
		t.Errorf("names are %q", got)
	}
	refuse(t, build.Tar(saved()...), ingest.Options{Rename: "v1"}, content.ErrInvalid, "2 images", "app:latest")
	refuse(t, build.Tar(saved()...), ingest.Options{Rename: "a b"}, content.ErrInvalid)
}
