package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/artifact"
	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

func opener(body string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
}

const (
	emptyConfig = `{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"data":"e30="}`
	fileA       = `{"mediaType":"text/plain","digest":"sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","size":1,"annotations":{"org.opencontainers.image.title":"a.txt"}}`
)

// TestManifests: the bytes of a manifest depend on the options alone.
func TestManifests(t *testing.T) {
	when := time.Date(2024, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	for _, c := range []struct {
		name string
		o    artifact.Options
		want string // %s is the subject
	}{
		{"nothing", artifact.Options{},
			`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.unknown.artifact.v1","config":` + emptyConfig +
				`,"layers":[` + emptyConfig + `],"subject":%s}`},
		{"the type of its file", artifact.Options{Files: []artifact.File{text("a.txt", "a")}},
			`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"text/plain","config":` + emptyConfig +
				`,"layers":[` + fileA + `],"subject":%s}`},
		{"all of it", artifact.Options{Type: "x/y", Annotations: map[string]string{"b": "<&>", "a": "1"}, Created: &when, Files: []artifact.File{text("a.txt", "a")}},
			`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"x/y","config":` + emptyConfig +
				`,"layers":[` + fileA + `],"subject":%s,"annotations":{"a":"1","b":"<&>","org.opencontainers.image.created":"2024-01-02T02:04:05Z"}}`},
		{"a time of its own", artifact.Options{Type: "x/y", Created: &when, Annotations: map[string]string{ocispec.AnnotationCreated: "never"}},
			`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"x/y","config":` + emptyConfig +
				`,"layers":[` + emptyConfig + `],"subject":%s,"annotations":{"org.opencontainers.image.created":"never"}}`},
		{"a config's type", artifact.Options{ConfigType: "x/config"},
			`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"x/config","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}` +
				`,"layers":[` + emptyConfig + `],"subject":%s}`},
		{"a config", artifact.Options{Config: &artifact.File{Open: opener("a")}},
			`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.unknown.config.v1+json","digest":"sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","size":1}` +
				`,"layers":[` + emptyConfig + `],"subject":%s}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, subject := hello(t)
			done := attach(t, l, subject, c.o)
			data, err := content.FetchAll(t.Context(), l, done.Descriptor, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf(c.want, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, subject.MediaType, subject.Digest, subject.Size))
			if string(data) != want {
				t.Errorf("manifest\n%s\nwant\n%s", data, want)
			}
			found, err := artifact.Find(t.Context(), l.Reader, artifact.Query{ReferrerQuery: layout.ReferrerQuery{Subject: subject}})
			if err != nil || len(found) != 1 || found[0].Digest != done.Digest || found[0].ArtifactType != done.ArtifactType {
				t.Errorf("found %+v, %v; attached %+v", found, err, done)
			}
		})
	}
}

func TestAttachTwice(t *testing.T) {
	l, subject := hello(t)
	o := artifact.Options{Type: "t/a", Files: []artifact.File{text("a", "a")}}
	first := attach(t, l, subject, o)
	index := readFile(t, filepath.Join(l.Path(), "index.json"))
	second := attach(t, l, subject, o)
	if !first.New || second.New || first.Digest != second.Digest {
		t.Errorf("first %+v, second %+v", first, second)
	}
	if !bytes.Equal(index, readFile(t, filepath.Join(l.Path(), "index.json"))) {
		t.Error("the second changed index.json")
	}
	if got := resolve(t, l, "v1"); got.Digest != subject.Digest {
		t.Errorf("the image is %s now", got.Digest)
	}
}

// TestAttachAll: many attachments make one list of referrers, and no list that was
// superseded stays behind.
func TestAttachAll(t *testing.T) {
	l, subject := hello(t)
	var list []artifact.Attachment
	for i := range 200 {
		o := artifact.Options{Type: "t/a", Files: []artifact.File{text("f", fmt.Sprint(i))}}
		list = append(list, artifact.Attachment{Subject: subject, Options: o})
	}
	done, err := artifact.AttachAll(t.Context(), l, list)
	if err != nil || len(done) != 200 {
		t.Fatalf("%d attached, %v", len(done), err)
	}
	found, err := artifact.Find(t.Context(), l.Reader, artifact.Query{ReferrerQuery: layout.ReferrerQuery{Subject: subject}})
	if err != nil || len(found) != 200 {
		t.Errorf("%d found, %v", len(found), err)
	}
	attach(t, l, done[0].Descriptor, artifact.Options{Type: "t/b"})
	entries := 0
	err = l.View(t.Context(), func(x *layout.Index) error {
		entries = x.Len()
		return nil
	})
	if err != nil || entries != 3 { // the image, and two lists
		t.Errorf("%d entries, %v", entries, err)
	}
	blobs := 0
	for _, err := range l.Blobs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		blobs++
	}
	if want := 3 + 200 + 200 + 1 + 1 + 2; blobs != want { // image, files, manifests, empty, t/b, lists
		t.Errorf("%d blobs, want %d", blobs, want)
	}
}

// TestAttachReadsLittle: manifests that have nothing to do with the subject are
// not read, or their bytes would be complained of.
func TestAttachReadsLittle(t *testing.T) {
	b := build.NewLayout()
	image := b.Image(build.Image{})
	b.Tag("v1", image)
	other := b.Image(build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("x", "x")}}}})
	b.Tag("other", other)
	broken := b.Attach(other, "t/a", []byte("x"))
	b.Blobs[broken.Digest] = []byte("not what it was")
	b.Blobs[other.Digest] = []byte("not what it was")
	l := open(t, testkit.Layout(t, b, testkit.BrokenOK))
	attach(t, l, image, artifact.Options{Type: "t/b"})
}

func TestAttachAtOnce(t *testing.T) {
	l, subject := hello(t)
	const writers, each = 8, 4
	var wg sync.WaitGroup
	for w := range writers {
		own := open(t, l.Path())
		wg.Go(func() {
			for i := range each {
				o := artifact.Options{Type: "t/a", Annotations: map[string]string{"n": fmt.Sprint(w, i)}}
				if _, err := artifact.Attach(context.Background(), own, subject, o); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	found, err := artifact.Find(t.Context(), l.Reader, artifact.Query{ReferrerQuery: layout.ReferrerQuery{Subject: subject}})
	if err != nil || len(found) != writers*each {
		t.Errorf("%d found, %v", len(found), err)
	}
}

func TestAttachRefuses(t *testing.T) {
	l, subject := hello(t)
	absent := subject
	absent.Digest = build.Descriptor("", []byte("absent")).Digest
	layer := content.Descriptor{MediaType: "application/octet-stream", Digest: subject.Digest, Size: subject.Size}
	for _, c := range []struct {
		name    string
		subject content.Descriptor
		o       artifact.Options
		want    error
	}{
		{"absent subject", absent, artifact.Options{}, content.ErrNotFound},
		{"subject that is no manifest", layer, artifact.Options{}, content.ErrInvalid},
		{"type", subject, artifact.Options{Type: "no type"}, content.ErrInvalid},
		{"config type", subject, artifact.Options{ConfigType: "x"}, content.ErrInvalid},
		{"media type", subject, artifact.Options{Files: []artifact.File{{Title: "a", MediaType: "a/b/c", Open: opener("a")}}}, content.ErrInvalid},
		{"title up", subject, artifact.Options{Files: []artifact.File{text("../a", "a")}}, content.ErrInvalid},
		{"title of the directory", subject, artifact.Options{Files: []artifact.File{text(".", "a")}}, content.ErrInvalid},
		{"two titles", subject, artifact.Options{Files: []artifact.File{text("a", "a"), text("./a", "b")}}, content.ErrInvalid},
		{"absent file", subject, artifact.Options{Files: []artifact.File{{Path: filepath.Join(t.TempDir(), "x")}}}, content.ErrNotFound},
		{"config that is a directory", subject, artifact.Options{Config: &artifact.File{Path: t.TempDir()}}, content.ErrInvalid},
	} {
		_, err := artifact.Attach(t.Context(), l, c.subject, c.o)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	found, err := artifact.Find(t.Context(), l.Reader, artifact.Query{ReferrerQuery: layout.ReferrerQuery{Subject: subject}})
	if err != nil || len(found) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestDetach(t *testing.T) {
	l, subject := hello(t)
	a := attach(t, l, subject, artifact.Options{Type: "t/a"})
	b := attach(t, l, subject, artifact.Options{Type: "t/b"})
	onA := attach(t, l, a.Descriptor, artifact.Options{Type: "t/on-a"})
	done, err := artifact.Detach(t.Context(), l, a.Descriptor)
	if err != nil || len(done) != 1 || done[0].Subject != subject.Digest || done[0].Listed ||
		len(done[0].Referrers) != 1 || done[0].Referrers[0] != onA.Digest {
		t.Errorf("detached %+v, %v", done, err)
	}
	found, err := artifact.Find(t.Context(), l.Reader, artifact.Query{ReferrerQuery: layout.ReferrerQuery{Subject: subject}})
	if err != nil || len(found) != 1 || found[0].Digest != b.Digest {
		t.Errorf("found %+v, %v", found, err)
	}
	if _, err := artifact.Detach(t.Context(), l, subject); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("detach of an image: %v", err)
	}
}

// TestDetachStillListed: an index of another name that leads to the artifact keeps
// it, and Detach says so.
func TestDetachStillListed(t *testing.T) {
	b := build.Hello()
	a := b.Attach(b.Entries[0], "t/a", []byte("a"))
	b.Tag("collection", b.Index(a))
	l := open(t, testkit.Layout(t, b))
	done, err := artifact.Detach(t.Context(), l, a)
	if err != nil || len(done) != 1 || !done[0].Listed {
		t.Errorf("detached %+v, %v", done, err)
	}
}

// TestDetachWhatIsNotThere: an artifact whose blob is gone is taken off the list that
// has it, and leaves what is listed beside it; the last one takes the list with it.
func TestDetachWhatIsNotThere(t *testing.T) {
	b := build.Hello()
	image := b.Entries[0]
	long := image
	long.Digest = build.SHA512(b.Blobs[image.Digest])
	b.Blobs[long.Digest] = b.Blobs[image.Digest]
	b.Tag("long", long)
	gone := b.Artifact("t/gone", &image, []byte("gone"))
	ofLong := b.Artifact("t/gone", &long, []byte("gone"))
	stays := b.Artifact("t/stays", &image, []byte("stays"))
	b.Tag(layout.FallbackTag(image.Digest), b.Index(gone, stays))
	b.Tag(layout.FallbackTag(long.Digest), b.Index(ofLong))
	delete(b.Blobs, gone.Digest)
	delete(b.Blobs, ofLong.Digest)
	l, err := layout.Open(testkit.Layout(t, b), layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()

	done, err := artifact.Detach(t.Context(), l, gone, ofLong)
	if err != nil || len(done) != 2 {
		t.Fatalf("detached %+v, %v", done, err)
	}
	for i, want := range []struct{ subject, list string }{
		{image.Digest.String(), layout.FallbackTag(image.Digest)}, {"", layout.FallbackTag(long.Digest)},
	} {
		if d := done[i]; d.Subject.String() != want.subject || len(d.Lists) != 1 || d.Lists[0] != want.list || d.Listed {
			t.Errorf("detached %+v, want %+v", d, want)
		}
	}
	if _, err := l.Resolve(t.Context(), layout.FallbackTag(long.Digest)); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("the empty list: %v", err)
	}
	found, err := artifact.Find(t.Context(), l.Reader, artifact.Query{ReferrerQuery: layout.ReferrerQuery{Subject: image}})
	if err != nil || len(found) != 1 || found[0].Digest != stays.Digest {
		t.Errorf("found %+v, %v", found, err)
	}
	list, err := l.Resolve(t.Context(), layout.FallbackTag(image.Digest))
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := content.FetchManifest(t.Context(), l, list, content.Limits{})
	if err != nil || len(m.Manifests) != 1 || m.Manifests[0].Digest != stays.Digest {
		t.Errorf("the list has %+v, %v", m.Manifests, err)
	}
	if _, err := artifact.Detach(t.Context(), l, gone); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("a second time: %v", err)
	}
}

func TestPut(t *testing.T) {
	l, image := hello(t)
	o := artifact.Options{Type: "t/a", Files: []artifact.File{text("a", "a")}}
	stored, err := artifact.Put(t.Context(), l, "thing", o, layout.Fail)
	if err != nil || stored.Change.New != stored.Descriptor.Digest {
		t.Fatalf("stored %+v, %v", stored, err)
	}
	if got := resolve(t, l, "thing"); got.Digest != stored.Descriptor.Digest || got.ArtifactType != "t/a" {
		t.Errorf("resolved %+v", got)
	}
	if _, err := artifact.Put(t.Context(), l, "v1", o, layout.Fail); !errors.Is(err, content.ErrConflict) {
		t.Errorf("put over an image: %v", err)
	}
	if got := resolve(t, l, ""); got.Digest != image.Digest {
		t.Errorf("the only image is %s", got.Digest)
	}
	o.Subject = &image
	both, err := artifact.Put(t.Context(), l, "both", o, layout.Overwrite)
	if err != nil {
		t.Fatal(err)
	}
	found, err := artifact.Find(t.Context(), l.Reader, artifact.Query{ReferrerQuery: layout.ReferrerQuery{Subject: image}})
	if err != nil || len(found) != 1 || found[0].Digest != both.Descriptor.Digest {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestFind(t *testing.T) {
	l, subject := hello(t)
	for i, created := range []string{"2024-03-01T00:00:00Z", "", "2024-03-01T00:30:00+01:00", "yesterday"} {
		o := artifact.Options{Type: fmt.Sprintf("t/%d", i), Annotations: map[string]string{"n": fmt.Sprint(9 - i), "big": strings.Repeat("x", 10*i)}}
		if created != "" {
			o.Annotations[ocispec.AnnotationCreated] = created
		}
		attach(t, l, subject, o)
	}
	for _, c := range []struct {
		q    artifact.Query
		want string
	}{
		{artifact.Query{Sort: "type"}, "t/0 t/1 t/2 t/3"},
		{artifact.Query{Sort: "type", Descending: true}, "t/3 t/2 t/1 t/0"},
		{artifact.Query{Sort: "n"}, "t/3 t/2 t/1 t/0"},
		{artifact.Query{Sort: "annotation:n", Descending: true}, "t/0 t/1 t/2 t/3"},
		{artifact.Query{Sort: "created", Descending: true}, "t/0 t/2"},
		{artifact.Query{Latest: true}, "t/0"},
		{artifact.Query{Latest: true, Sort: "n"}, "t/0"},
		{artifact.Query{ReferrerQuery: layout.ReferrerQuery{Type: "t/2"}}, "t/2"},
		{artifact.Query{ReferrerQuery: layout.ReferrerQuery{Annotations: map[string]string{"n": "8"}}}, "t/1"},
		{artifact.Query{Latest: true, ReferrerQuery: layout.ReferrerQuery{Type: "t/none"}}, ""},
	} {
		c.q.Subject = subject
		found, err := artifact.Find(t.Context(), l.Reader, c.q)
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		for _, f := range found {
			types = append(types, f.ArtifactType)
		}
		if got := strings.Join(types, " "); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" || c.q.Latest && got != c.want {
			t.Errorf("%+v: %s, want %s", c.q, got, c.want)
		}
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestAttachBesideGC attaches to an image that another process deletes, and collects,
// before the artifact is listed: its referrer keeps it.
func TestAttachBesideGC(t *testing.T) {
	l, subject := hello(t)
	file := artifact.File{Title: "a.txt", Open: func() (io.ReadCloser, error) {
		other, err := layout.Open(l.Path(), layout.Options{})
		if err != nil {
			return nil, err
		}
		if _, err := other.Delete(t.Context(), subject.Digest, false); err != nil {
			return nil, err
		}
		if _, err := other.GC(t.Context(), layout.GCOptions{}); err != nil {
			return nil, err
		}
		return io.NopCloser(strings.NewReader("a")), other.Close()
	}}
	attach(t, l, subject, artifact.Options{Type: "x/y", Files: []artifact.File{file}})
	if _, _, err := content.FetchManifest(t.Context(), l, subject, content.Limits{}); err != nil {
		t.Error(err)
	}
}
