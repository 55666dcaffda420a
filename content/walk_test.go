package content_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
)

// blobs is content in memory that counts how often each is read.
type blobs struct {
	data  map[content.Digest]string
	reads map[content.Digest]int
}

func newBlobs() blobs {
	return blobs{map[content.Digest]string{}, map[content.Digest]int{}}
}

func (b blobs) put(mediaType, data string) content.Descriptor {
	d := digest.FromString(data)
	b.data[d] = data
	return content.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(data))}
}

func (b blobs) Fetch(_ context.Context, want content.Descriptor) (io.ReadCloser, error) {
	data, ok := b.data[want.Digest]
	if !ok {
		return nil, content.AtDigest(want.Digest, content.ErrNotFound)
	}
	b.reads[want.Digest]++
	return content.Verify(io.NopCloser(strings.NewReader(data)), want), nil
}

func ref(d content.Descriptor) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, d.MediaType, d.Digest, d.Size)
}

func (b blobs) index(children ...content.Descriptor) content.Descriptor {
	var list []string
	for _, c := range children {
		list = append(list, ref(c))
	}
	return b.put(ocispec.MediaTypeImageIndex, `{"schemaVersion":2,"manifests":[`+strings.Join(list, ",")+`]}`)
}

func (b blobs) image(name string) content.Descriptor {
	config := b.put(ocispec.MediaTypeImageConfig, `{"os":"linux","architecture":"`+name+`"}`)
	layer := b.put(ocispec.MediaTypeImageLayer, "layer")
	return b.put(ocispec.MediaTypeImageManifest, `{"schemaVersion":2,"config":`+ref(config)+`,"layers":[`+ref(layer)+`]}`)
}

func TestWalkVisitsOnceAndReadsManifestsAlone(t *testing.T) {
	b := newBlobs()
	a, c := b.image("amd64"), b.image("arm64")
	root := b.index(a, c, b.index(a))
	var order []content.Digest
	err := content.Walk(t.Context(), b, []content.Descriptor{root, a}, content.WalkOptions{}, func(n content.Node) error {
		order = append(order, n.Digest)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(order) != 7 || order[0] != root.Digest || order[1] != a.Digest {
		t.Errorf("visited %v", order)
	}
	for d, n := range b.reads {
		if n != 1 || !strings.Contains(b.data[d], "schemaVersion") {
			t.Errorf("%s was read %d times: %s", d, n, b.data[d])
		}
	}
}

func TestWalkOfWhatIsAbsent(t *testing.T) {
	b := newBlobs()
	child := b.image("amd64")
	sparse := b.index(child)
	delete(b.data, child.Digest)
	var absent []content.Digest
	visit := func(n content.Node) error {
		if n.Absent {
			absent = append(absent, n.Digest)
		}
		return nil
	}
	if err := content.Walk(t.Context(), b, []content.Descriptor{sparse}, content.WalkOptions{}, visit); err != nil || len(absent) != 1 {
		t.Errorf("a sparse index: %v, %v", absent, err)
	}
	if err := content.Walk(t.Context(), b, []content.Descriptor{child}, content.WalkOptions{}, visit); !errors.Is(err, content.ErrMissing) {
		t.Errorf("an absent root: %v", err)
	}
}

func TestWalkIsBounded(t *testing.T) {
	b := newBlobs()
	root := b.image("amd64")
	for range 20 {
		root = b.index(root)
	}
	visit := func(content.Node) error { return nil }
	if err := content.Walk(t.Context(), b, []content.Descriptor{root}, content.WalkOptions{}, visit); !errors.Is(err, content.ErrRefused) {
		t.Errorf("20 indexes deep: %v", err)
	}
	flat := b.index(b.image("a"), b.image("b"), b.image("c"))
	if err := content.Walk(t.Context(), b, []content.Descriptor{flat}, content.WalkOptions{Limits: content.Limits{Nodes: 5}}, visit); !errors.Is(err, content.ErrRefused) {
		t.Errorf("more nodes than the limit: %v", err)
	}
	huge := b.image("amd64")
	huge.Size = 1 << 40
	if err := content.Walk(t.Context(), b, []content.Descriptor{huge}, content.WalkOptions{}, visit); !errors.Is(err, content.ErrRefused) {
		t.Errorf("a manifest that says to be huge: %v", err)
	}
}

func TestSelectPlatform(t *testing.T) {
	b := newBlobs()
	amd, arm, absent := b.image("amd64"), b.image("arm64"), b.image("s390x")
	delete(b.data, absent.Digest)
	attestation := b.image("unknown")
	attestation.Platform = &content.Platform{OS: "unknown", Architecture: "unknown"}
	root := b.index(absent, attestation, b.index(amd), arm)
	for in, want := range map[string]content.Digest{"linux/amd64": amd.Digest, "linux/arm64/v8": arm.Digest, "linux/s390x": "", "unknown/unknown": ""} {
		p, err := content.ParsePlatform(in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := content.SelectPlatform(t.Context(), b, root, p, content.Limits{})
		if got.Digest != want || (want == "") != errors.Is(err, content.ErrNotFound) {
			t.Errorf("%s: %s, %v", in, got.Digest, err)
		}
	}
}
