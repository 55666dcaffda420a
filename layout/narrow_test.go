package layout_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// blobs is content in memory.
type blobs map[content.Digest][]byte

func (b blobs) Fetch(_ context.Context, d content.Descriptor) (io.ReadCloser, error) {
	data, ok := b[d.Digest]
	if !ok {
		return nil, content.AtDigest(d.Digest, content.ErrNotFound)
	}
	return content.Verify(io.NopCloser(strings.NewReader(string(data))), d), nil
}

// TestNarrowBytes: what an index does not list apart stays as it was spelled, in nested
// indexes too, and embedded bytes of what became another go.
func TestNarrowBytes(t *testing.T) {
	l := build.NewLayout()
	amd, arm := l.Image(build.Image{}), l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}})
	store := blobs(l.Blobs)
	put := func(text string) content.Descriptor {
		d := build.Descriptor(ocispec.MediaTypeImageIndex, []byte(text))
		store[d.Digest] = []byte(text)
		return d
	}
	entry := func(d content.Descriptor, more string) string {
		return `{"mediaType":"` + d.MediaType + `", "x\u002fy" : 1.0, "digest":"` + d.Digest.String() + `","size":` + string(build.JSON(d.Size)) + more + `}`
	}
	const onARM = `,"platform":{"os":"linux","architecture":"arm64"}`
	onAMD := strings.Replace(onARM, "arm64", "amd64", 1)
	const front, back = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","a<b":[1, 2],"manifests":[`, `],"annotations":{"k":"é"}}`
	inner := put(front + entry(amd, onAMD) + "," + entry(arm, onARM) + back)
	gone := put(front + entry(amd, onAMD) + back)
	outer := put(front + entry(inner, `,"data":"e30="`) + "," + entry(gone, "") + "," + entry(arm, onARM) + back)
	want, err := content.ParsePlatform("linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	n := layout.NewNarrower(store, []content.Platform{want}, content.Limits{})
	d, news, err := n.Narrow(t.Context(), outer)
	if err != nil || len(news) != 2 || news[0].Old != inner.Digest || news[1].Old != outer.Digest || news[1].New != d.Digest {
		t.Fatalf("%v, %+v, %v", d, news, err)
	}
	newInner := build.Descriptor(ocispec.MediaTypeImageIndex, []byte(front+entry(arm, onARM)+back))
	got := string(n.Made(d.Digest))
	pointed := `{"mediaType":"` + inner.MediaType + `","x\u002fy":1.0,"digest":"` + newInner.Digest.String() + `","size":` + string(build.JSON(newInner.Size)) + `}`
	if wanted := front + pointed + "," + entry(arm, onARM) + back; got != wanted {
		t.Errorf("got  %s\nwant %s", got, wanted)
	}
	if _, data, err := content.FetchManifest(t.Context(), n, newInner, content.Limits{}.WithDefaults()); err != nil || string(data) != front+entry(arm, onARM)+back {
		t.Errorf("the inner one is %s, %v", data, err)
	}
	if same, news, err := n.Narrow(t.Context(), outer); err != nil || same.Digest != d.Digest || len(news) != 0 {
		t.Errorf("again: %v, %+v, %v", same, news, err)
	}
	if _, _, err := n.Narrow(t.Context(), gone); !errors.Is(err, content.ErrNotFound) {
		t.Errorf("nothing in it: %v", err)
	}
	if same, _, err := n.Narrow(t.Context(), arm); err != nil || same.Digest != arm.Digest {
		t.Errorf("an image: %v, %v", same, err)
	}
}
