package layout_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// pad adds so many images that a catalog is kept.
func pad(l *build.Layout) {
	for i := range 70 {
		l.Tag(fmt.Sprintf("pad%d", i), l.Image(build.Image{Annotations: map[string]string{"n": fmt.Sprint(i)}}))
	}
}

func find(t *testing.T, r *layout.Reader, q layout.ReferrerQuery) []layout.Referrer {
	t.Helper()
	found, err := r.FindReferrers(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// kinds shows what was found: artifactType and origin, sorted.
func kinds(found []layout.Referrer) []string {
	var list []string
	for _, f := range found {
		list = append(list, f.ArtifactType+" "+string(f.Origin))
	}
	slices.Sort(list)
	return list
}

func annotated(d content.Descriptor, pairs ...string) content.Descriptor {
	d.Annotations = maps.Clone(d.Annotations)
	if d.Annotations == nil {
		d.Annotations = map[string]string{}
	}
	for i := 0; i < len(pairs); i += 2 {
		d.Annotations[pairs[i]] = pairs[i+1]
	}
	return d
}

const (
	listedBy = "org.opencontainers.image.referrer.subject"
	olareg   = "org.olareg.referrer.subject"
)

// referrerCase is a layout, and what is found of its image.
type referrerCase struct {
	name     string
	make     func(l *build.Layout, image content.Descriptor)
	legacy   bool
	found    []string
	warnings []string // parts of each one
}

var referrerCases = []referrerCase{
	{name: "untagged entry", make: func(l *build.Layout, image content.Descriptor) {
		l.Add(l.Artifact("a/b", &image, []byte("1")))
	}, found: []string{"a/b subject"}},
	{name: "fallback tag", make: func(l *build.Layout, image content.Descriptor) {
		l.Tag(build.FallbackTag(image.Digest), l.Index(l.Artifact("a/b", &image, []byte("1"))))
	}, found: []string{"a/b subject"}},
	{name: "nested, tagged, and listed", make: func(l *build.Layout, image content.Descriptor) {
		a := l.Artifact("a/b", &image, []byte("1"))
		l.Tag("a", a)
		l.Tag("set", l.Index(l.Index(a)))
		l.Tag(build.FallbackTag(image.Digest), l.Index(a))
	}, found: []string{"a/b subject"}},
	{name: "containerd's annotation", make: func(l *build.Layout, image content.Descriptor) {
		l.Add(annotated(l.Artifact("a/b", &image, []byte("1")), content.AnnotationSubject, image.Digest.String()))
	}, found: []string{"a/b subject"}},
	{name: "containerd's annotation on what has no subject", make: func(l *build.Layout, image content.Descriptor) {
		l.Add(annotated(l.Artifact("a/b", nil, []byte("1")), content.AnnotationSubject, image.Digest.String()))
	}, found: []string{"a/b unbound"}, warnings: []string{"own subject is another or none"}},
	{name: "index of referrers, as proposed", make: func(l *build.Layout, image content.Descriptor) {
		bound, not := l.Artifact("a/bound", &image, []byte("1")), l.Artifact("a/not", nil, []byte("2"))
		l.Add(annotated(l.Index(bound, not), listedBy, image.Digest.String()))
	}, found: []string{"a/bound subject", "a/not unbound"}, warnings: []string{"own subject is another or none"}},
	{name: "index of referrers, olareg's", make: func(l *build.Layout, image content.Descriptor) {
		l.Add(annotated(l.Index(l.Artifact("a/b", &image, []byte("1"))), olareg, image.Digest.String()))
	}, found: []string{"a/b subject"}},
	{name: "index of referrers that is none", make: func(l *build.Layout, image content.Descriptor) {
		l.Add(annotated(l.Artifact("a/b", nil, []byte("1")), listedBy, image.Digest.String()))
	}, warnings: []string{"is no index"}},
	{name: "retired artifact manifests", make: func(l *build.Layout, image content.Descriptor) {
		subject := string(build.JSON(content.Descriptor{MediaType: image.MediaType, Digest: image.Digest, Size: image.Size}))
		l.Add(l.Put(content.OCIArtifactManifest, []byte(`{"mediaType":"`+content.OCIArtifactManifest+`","artifactType":"a/refers","blobs":[],"refers":`+subject+`}`)))
		l.Add(l.Put(content.ORASArtifactManifest, []byte(`{"mediaType":"`+content.ORASArtifactManifest+`","artifactType":"a/oras","blobs":[],"subject":`+subject+`}`)))
	}, found: []string{"a/oras retired", "a/refers retired"}},
	{name: "an index with a subject has no type but its own", make: func(l *build.Layout, image content.Descriptor) {
		subject := content.Descriptor{MediaType: image.MediaType, Digest: image.Digest, Size: image.Size}
		for _, artifactType := range []string{"", "a/index"} {
			index := build.IndexOf()
			index.Subject, index.ArtifactType = &subject, artifactType
			l.Add(l.JSON(ocispec.MediaTypeImageIndex, index))
		}
	}, found: []string{" subject", "a/index subject"}},
	{name: "legacy", legacy: true, make: func(l *build.Layout, image content.Descriptor) {
		l.Tag(build.FallbackTag(image.Digest)+".sig", l.Artifact("a/ignored", nil, []byte("1")))
		l.Tag("r.example/x:"+build.FallbackTag(image.Digest)+".att", l.Artifact("a/ignored", nil, []byte("2")))
		attestation := annotated(l.Artifact("a/ignored", nil, []byte("3")),
			content.AnnotationReferenceType, "attestation-manifest", content.AnnotationReferenceDigest, image.Digest.String())
		l.Tag("multi", l.Index(image, attestation))
	}, found: []string{"application/octet-stream buildkit", "application/octet-stream cosign", "application/octet-stream cosign"}},
	{name: "legacy forms are not asked for", make: func(l *build.Layout, image content.Descriptor) {
		l.Tag(build.FallbackTag(image.Digest)+".sig", l.Artifact("a/b", nil, []byte("1")))
	}},
	{name: "a hostile list", make: func(l *build.Layout, image content.Descriptor) {
		good, foreign := l.Artifact("a/good", &image, []byte("1")), l.Artifact("a/foreign", nil, []byte("2"))
		liar := l.Artifact("a/honest", &image, []byte("3"))
		liar.ArtifactType = "a/lie"
		absent := content.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: build.SHA512([]byte("x")), Size: 3}
		children := slices.Repeat([]content.Descriptor{good}, 10_000)
		l.Tag(build.FallbackTag(image.Digest), l.Index(append(children, foreign, liar, absent, image)...))
	}, found: []string{"a/good subject", "a/honest subject"}, warnings: []string{"more than once (and 9998 more)", "own subject is another", "another artifactType", "can't be read", "to itself"}},
	{name: "an entry that belongs to itself", make: func(l *build.Layout, image content.Descriptor) {
		l.Add(annotated(image, content.AnnotationSubject, image.Digest.String()))
	}, warnings: []string{"to itself"}},
	{name: "a list that is not there", make: func(l *build.Layout, image content.Descriptor) {
		l.Add(annotated(build.Descriptor(ocispec.MediaTypeImageIndex, []byte(`{"absent":1}`)), content.AnnotationRefName, build.FallbackTag(image.Digest)))
		l.Add(l.Artifact("a/b", &image, []byte("1")))
	}, found: []string{"a/b subject"}, warnings: []string{"can't be read"}},
}

// TestFindReferrers tries each form and each lie, in a layout that is read each time
// and in one that has a catalog.
func TestFindReferrers(t *testing.T) {
	for _, c := range referrerCases {
		for _, large := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/large=%v", c.name, large), func(t *testing.T) {
				l := build.NewLayout()
				image := l.Image(build.Image{})
				l.Tag("app", image)
				c.make(l, image)
				if large {
					pad(l)
				}
				var warnings []string
				r, err := layout.OpenReader(testkit.Layout(t, l, testkit.BrokenOK), layout.Options{Warn: func(err error) { warnings = append(warnings, err.Error()) }})
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				for range 2 { // build, then ask
					warnings = nil
					if got := kinds(find(t, r, layout.ReferrerQuery{Subject: image, Legacy: c.legacy})); !slices.Equal(got, c.found) {
						t.Errorf("found %q, want %q", got, c.found)
					}
					checkWarnings(t, warnings, c.warnings)
				}
				if _, err := os.Stat(filepath.Join(r.Path(), ".ocilayout", "catalog")); large != (err == nil) {
					t.Errorf("catalog: %v", err)
				}
			})
		}
	}
}

func checkWarnings(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d warnings, want %d: %q", len(got), len(want), got)
	}
	for _, part := range want {
		if !slices.ContainsFunc(got, func(w string) bool { return strings.Contains(w, part) }) {
			t.Errorf("no warning has %q: %q", part, got)
		}
	}
}

func TestFindReferrersFiltersAndFollows(t *testing.T) {
	l := build.NewLayout()
	image := l.Image(build.Image{})
	l.Tag("app", image)
	sbom := l.Attach(image, "a/sbom", []byte("1"))
	signature := l.Attach(sbom, "a/signature", []byte("2"))
	l.Attach(signature, "a/sbom", []byte("3"))
	note := l.JSON(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		MediaType: ocispec.MediaTypeImageManifest, ArtifactType: "a/note", Config: l.Put("application/vnd.oci.empty.v1+json", []byte("{}")),
		Subject: &content.Descriptor{MediaType: image.MediaType, Digest: image.Digest, Size: image.Size}, Annotations: map[string]string{"k": "v"},
		Layers: []content.Descriptor{l.Put("text/plain", []byte("x"))},
	})
	l.Add(note)
	// Two entries that say to belong to each other, and to the image.
	one, two := l.Artifact("a/one", nil, []byte("4")), l.Artifact("a/two", nil, []byte("5"))
	l.Add(annotated(one, content.AnnotationSubject, two.Digest.String()), annotated(two, content.AnnotationSubject, one.Digest.String()),
		annotated(one, content.AnnotationSubject, image.Digest.String()))
	r := openBuilt(t, l, testkit.BrokenOK)
	for _, c := range []struct {
		q    layout.ReferrerQuery
		want []string
	}{
		{layout.ReferrerQuery{}, []string{"a/note subject", "a/one unbound", "a/sbom subject"}},
		{layout.ReferrerQuery{Type: "a/note"}, []string{"a/note subject"}},
		{layout.ReferrerQuery{Annotations: map[string]string{"k": "v"}}, []string{"a/note subject"}},
		{layout.ReferrerQuery{Annotations: map[string]string{"k": ""}}, nil},
		{layout.ReferrerQuery{Recursive: true}, []string{"a/note subject", "a/one unbound", "a/sbom subject", "a/sbom subject", "a/signature subject", "a/two unbound"}},
		{layout.ReferrerQuery{Recursive: true, Type: "a/sbom"}, []string{"a/sbom subject", "a/sbom subject"}},
	} {
		c.q.Subject = image
		if got := kinds(find(t, r, c.q)); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
	if _, err := r.FindReferrers(t.Context(), layout.ReferrerQuery{Subject: content.Descriptor{Digest: "sha256:../x"}}); !errors.Is(err, content.ErrInvalid) {
		t.Errorf("a digest that is none: %v", err)
	}
}

func TestPredecessors(t *testing.T) {
	l := build.NewLayout()
	image := l.Image(build.Image{})
	index := l.Index(image)
	l.Tag("app", index)
	sbom := l.Attach(image, "a/sbom", []byte("1"))
	r := openBuilt(t, l)
	digests := func(node content.Descriptor) []content.Digest {
		list, err := r.Predecessors(t.Context(), node)
		if err != nil {
			t.Fatal(err)
		}
		var digests []content.Digest
		for _, d := range list {
			digests = append(digests, d.Digest)
		}
		return digests
	}
	want := []content.Digest{index.Digest, sbom.Digest}
	slices.Sort(want)
	if got := digests(image); !slices.Equal(got, want) {
		t.Errorf("of the image: %v, want %v", got, want)
	}
	m, _, err := content.FetchManifest(t.Context(), r, image, r.Limits())
	if err != nil {
		t.Fatal(err)
	}
	if got := digests(*m.Config); !slices.Equal(got, []content.Digest{image.Digest}) {
		t.Errorf("of its config: %v", got)
	}
	if got := digests(index); got != nil {
		t.Errorf("of the index: %v", got)
	}
}

// attach pushes an artifact and lists it.
func attach(t *testing.T, l *layout.Layout, subject content.Descriptor, text string) content.Descriptor {
	t.Helper()
	b := l.Batch()
	defer b.Close()
	desc := pushArtifact(t, b, subject, text)
	err := l.Update(t.Context(), func(tx *layout.Tx) error { return tx.AddReferrer(t.Context(), b, subject, desc) })
	if err != nil {
		t.Fatal(err)
	}
	return desc
}

func pushArtifact(t *testing.T, b *layout.Batch, subject content.Descriptor, text string) content.Descriptor {
	t.Helper()
	desc, err := stageArtifact(t.Context(), b, subject, text)
	if err != nil {
		t.Fatal(err)
	}
	return desc
}

// lists reads the list of a subject's referrers, nil if there is none.
func list(t *testing.T, l *layout.Layout, subject content.Digest) []byte {
	t.Helper()
	d, err := l.Resolve(t.Context(), layout.FallbackTag(subject))
	if errors.Is(err, content.ErrNotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := content.FetchAll(t.Context(), l, d, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// countIndexes counts the blobs that are indexes.
func countIndexes(t *testing.T, l *layout.Layout) int {
	t.Helper()
	n := 0
	for b, err := range l.Blobs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(l.Path(), b.Path))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(`"manifests"`)) {
			n++
		}
	}
	return n
}

// TestManyAttachesLeaveOneList, also of a sha512 subject, whose tag is cut.
func TestManyAttachesLeaveOneList(t *testing.T) {
	for _, large := range []bool{false, true} {
		built := build.NewLayout()
		image := built.Image(build.Image{})
		data := built.Blobs[image.Digest]
		long := content.Descriptor{MediaType: image.MediaType, Digest: build.SHA512(data), Size: image.Size}
		built.Blobs[long.Digest] = data
		built.Tag("app", image)
		built.Tag("long", long)
		if large {
			pad(built)
		}
		l, err := layout.Open(testkit.Layout(t, built), layout.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for _, subject := range []content.Descriptor{image, long} {
			for i := range 30 {
				attach(t, l, subject, fmt.Sprint(i))
				if n := len(find(t, l.Reader, layout.ReferrerQuery{Subject: subject})); n != i+1 {
					t.Fatalf("after %d attaches %d are found", i+1, n)
				}
			}
		}
		if n := countIndexes(t, l); n != 2 {
			t.Errorf("%d indexes are there, want 2", n)
		}
		if tag := layout.FallbackTag(long.Digest); len(tag) != len("sha512-")+64 {
			t.Errorf("the tag is %s", tag)
		}
	}
}

// TestReplacedListStaysWhereItIsNeeded: another name, or another index, leads to it.
func TestReplacedListStaysWhereItIsNeeded(t *testing.T) {
	built := build.NewLayout()
	one, two, three := built.Image(build.Image{}), built.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}}), built.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "s390x"}})
	var lists []content.Descriptor
	for _, image := range []content.Descriptor{one, two, three} {
		built.Add(image)
		list := built.Index(built.Artifact("a/b", &image, []byte("1")))
		built.Tag(build.FallbackTag(image.Digest), list)
		lists = append(lists, list)
	}
	built.Tag("named", lists[0])
	built.Tag("nested", built.Index(built.Index(lists[1])))
	l, err := layout.Open(testkit.Layout(t, built), layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i, image := range []content.Descriptor{one, two, three} {
		attach(t, l, image, "2")
		there, err := l.Exists(t.Context(), lists[i])
		if err != nil || there != (i < 2) {
			t.Errorf("list %d is there: %v, %v", i, there, err)
		}
	}
}

// TestListsKeepWhatIsInThem: fields and children that we do not know stay byte for
// byte, and so do the annotations of the entry.
func TestListsKeepWhatIsInThem(t *testing.T) {
	built := build.NewLayout()
	image := built.Image(build.Image{})
	built.Tag("app", image)
	old := built.Artifact("a/b", &image, []byte("old"))
	odd := `{"mediaType":"` + old.MediaType + `", "digest":"` + old.Digest.String() + `","size":` + fmt.Sprint(old.Size) + `,"odd":1e3,"artifactType":"a/b"}`
	list0 := built.Put(ocispec.MediaTypeImageIndex, []byte(`{"schemaVersion":2,"x":[1.0],"mediaType":"`+ocispec.MediaTypeImageIndex+`","manifests":[ `+odd+` ],"annotations":{"k":"v"}}`))
	built.Tag(build.FallbackTag(image.Digest), annotated(list0, "entry", "kept"))
	l, err := layout.Open(testkit.Layout(t, built, testkit.BrokenOK), layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	added := attach(t, l, image, "new")
	data := list(t, l, image.Digest)
	for _, part := range []string{`"x":[1.0]`, odd, `"annotations":{"k":"v"}`} {
		if !bytes.Contains(data, []byte(part)) {
			t.Errorf("%s is not in %s", part, data)
		}
	}
	var index ocispec.Index
	if err := json.Unmarshal(data, &index); err != nil {
		t.Fatal(err)
	}
	if d := index.Manifests[1]; d.Digest != added.Digest || d.ArtifactType != "a/attached" || d.Annotations["text"] != "new" {
		t.Errorf("the new child is %+v", d)
	}
	e, err := l.Lookup(t.Context(), layout.Reference{Name: layout.FallbackTag(image.Digest)})
	if err != nil || e.Annotations["entry"] != "kept" {
		t.Errorf("the entry is %s, %v", e.Raw, err)
	}
	again := attach(t, l, image, "new")
	if again.Digest != added.Digest || !bytes.Equal(list(t, l, image.Digest), data) {
		t.Error("the same artifact attached twice changes the list")
	}
}

// TestManySubjectsInOneTransaction: each list is written once, and shows what came
// and went.
func TestManySubjectsInOneTransaction(t *testing.T) {
	l := writable(t)
	b := l.Batch()
	defer b.Close()
	var images []content.Descriptor
	for i := range 3 {
		d, err := b.PushBytes(t.Context(), ocispec.MediaTypeImageManifest, fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[],"annotations":{"i":"%d"}}`,
			ocispec.MediaTypeImageManifest, emptyConfig(t, b), i))
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, d)
	}
	artifacts := map[int][]content.Descriptor{}
	for i, image := range images {
		for j := range 4 {
			artifacts[i] = append(artifacts[i], pushArtifact(t, b, image, fmt.Sprint(j)))
		}
	}
	err := l.Update(t.Context(), func(tx *layout.Tx) error {
		for i, image := range images {
			for _, a := range artifacts[i] {
				if err := tx.AddReferrer(t.Context(), b, image, a); err != nil {
					return err
				}
			}
		}
		for _, a := range artifacts[2] {
			if err := tx.RemoveReferrer(t.Context(), b, images[2].Digest, a.Digest); err != nil {
				return err
			}
		}
		return tx.RemoveReferrer(t.Context(), b, images[1].Digest, artifacts[1][3].Digest)
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{4, 3, 0} {
		if n := len(find(t, l.Reader, layout.ReferrerQuery{Subject: images[i]})); n != want {
			t.Errorf("subject %d has %d referrers, want %d", i, n, want)
		}
	}
	if n := countIndexes(t, l); n != 2 {
		t.Errorf("%d lists were written", n)
	}
	err = l.Update(t.Context(), func(tx *layout.Tx) error {
		for _, a := range artifacts[0] {
			if err := tx.RemoveReferrer(t.Context(), nil, images[0].Digest, a.Digest); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || list(t, l, images[0].Digest) != nil || countIndexes(t, l) != 1 {
		t.Errorf("the list of nothing stays: %v", err)
	}
	err = l.Update(t.Context(), func(tx *layout.Tx) error {
		return tx.AddReferrer(t.Context(), b, images[0], artifacts[1][0])
	})
	if !errors.Is(err, content.ErrInvalid) {
		t.Errorf("an artifact of another subject: %v", err)
	}
}

// TestBrokenListIsBegunAnew, with a warning.
func TestBrokenListIsBegunAnew(t *testing.T) {
	built := build.NewLayout()
	image := built.Image(build.Image{})
	built.Tag("app", image)
	built.Add(annotated(build.Descriptor(ocispec.MediaTypeImageIndex, []byte(`{"absent":1}`)), content.AnnotationRefName, build.FallbackTag(image.Digest)))
	warned := 0
	l, err := layout.Open(testkit.Layout(t, built, testkit.BrokenOK), layout.Options{NoSync: true, Warn: func(error) { warned++ }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	attach(t, l, image, "1")
	if n := len(find(t, l.Reader, layout.ReferrerQuery{Subject: image})); n != 1 || warned != 1 {
		t.Errorf("%d found, %d warnings", n, warned)
	}
}

// TestPushedReferrerIsListed: Push of a manifest with a subject is all it takes.
func TestPushedReferrerIsListed(t *testing.T) {
	built := build.NewLayout()
	image := built.Image(build.Image{})
	built.Tag("app", image)
	l, err := layout.Open(testkit.Layout(t, built), layout.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	other := build.NewLayout()
	a := other.Artifact("a/b", &image, []byte("1"))
	for _, d := range other.Digests() {
		if d == a.Digest {
			continue
		}
		if err := l.Push(t.Context(), content.Descriptor{Digest: d, Size: int64(len(other.Blobs[d]))}, bytes.NewReader(other.Blobs[d])); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Push(t.Context(), a, bytes.NewReader(other.Blobs[a.Digest])); err != nil {
		t.Fatal(err)
	}
	if got := kinds(find(t, l.Reader, layout.ReferrerQuery{Subject: image})); !slices.Equal(got, []string{"a/b subject"}) {
		t.Errorf("found %q", got)
	}
}
