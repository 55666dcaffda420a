package layout

import (
	"fmt"
	"strings"
	"testing"
)

// shapedEntries are entries as tools spell them.
var shapedEntries = []string{
	`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + testDigest + `","size":426,"annotations":{"org.opencontainers.image.ref.name":"v1"}}`,
	`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + testDigest + `","size":628,"artifactType":"application/vnd.example.report.v1+json"}`,
	`{ "size": 7, "digest": "` + testDigest + `", "annotations": { "io.containerd.image.name": "docker.io/library/app:v1", "org.opencontainers.image.created": "2026-01-01T00:00:00Z", "n": null }, "platform": {"os":"linux","architecture":"arm"} }`,
	`{"digest":"` + testDigest + `","annotations":{"io.containerd.manifest.subject":"` + testDigest + `","org.opencontainers.image.ref.name":""}}`,
	`{"digest":"` + testDigest + `","size":0,"data":"e30=","urls":["a"]}`,
}

// sameAsAlone holds that an entry reads the same behind another, whose shape is then
// known, as it does alone.
func sameAsAlone(t *testing.T, first, entry string) {
	t.Helper()
	alone, aloneErr := scanString(`{"manifests":[` + entry + `]}`)
	both, err := scanString(`{"manifests":[` + first + `,` + entry + `]}`)
	if (aloneErr == nil) != (err == nil) {
		t.Fatalf("behind another: %v, alone: %v\n%q\n%q", err, aloneErr, first, entry)
	}
	if err != nil || both.Len() != 2 {
		return
	}
	got, _ := both.live(1)
	if want, _ := alone.live(0); got != want || both.spans.at(1).digest != alone.spans.at(0).digest || both.spans.at(1).index != alone.spans.at(0).index {
		t.Fatalf("behind another %+v, alone %+v\n%q\n%q", got, want, first, entry)
	}
}

func TestShapeIsNoMoreThanAGuess(t *testing.T) {
	for _, entry := range shapedEntries {
		for i := range entry {
			for _, c := range []string{"", `"`, `\`, "\n", "\x80", "}", ",", "0", "1e3"} {
				sameAsAlone(t, entry, entry[:i]+c+entry[i+1:])
				sameAsAlone(t, entry, entry[:i]+c+entry[i:])
			}
		}
		for _, other := range shapedEntries {
			sameAsAlone(t, entry, other)
		}
	}
}

func FuzzShape(f *testing.F) {
	for _, entry := range shapedEntries {
		f.Add(entry, entry)
	}
	f.Fuzz(func(t *testing.T, first, entry string) {
		if x, err := scanString(`{"manifests":[` + first + `]}`); err == nil && x.Len() == 1 && strings.HasPrefix(entry, "{") {
			sameAsAlone(t, first, entry)
		}
	})
}

// TestEntriesOfOneToolAreLookedAtOnce: nearly every entry is read by a shape, and
// where all differ nobody goes on learning.
func TestEntriesOfOneToolAreLookedAtOnce(t *testing.T) {
	var alike, unlike []string
	for i := range 3000 {
		alike = append(alike, fmt.Sprintf(`{"mediaType":"a/%d","digest":"%s","size":%d,"annotations":{"org.opencontainers.image.ref.name":"v%d","at":"%d"}}`, i%3, testDigest, i, i, i))
		unlike = append(unlike, fmt.Sprintf(`{"mediaType":"a/b","digest":"%s","size":1,"x%d":1}`, testDigest, i))
	}
	for _, c := range []struct {
		entries       []string
		shapes, looks int
	}{{alike, 3, 3}, {unlike, maxShapes, 3000}} {
		x, err := scanString(`{"manifests":[` + strings.Join(c.entries, ",") + `]}`)
		if err != nil {
			t.Fatal(err)
		}
		if len(x.shapes.list) != c.shapes || x.shapes.looks != c.looks {
			t.Errorf("%d shapes and %d looks, want %d and %d", len(x.shapes.list), x.shapes.looks, c.shapes, c.looks)
		}
	}
}

func TestPlainLen(t *testing.T) {
	for n := range 40 {
		for _, c := range []byte{'"', '\\', 0, 0x1f, 0x80, 0xff} {
			text := strings.Repeat("a~ !", 10)[:n] + string([]byte{c}) + strings.Repeat("\xff\x00\"", 9)
			if got := plainLen([]byte(text)); got != n {
				t.Errorf("%q: %d, want %d", text, got, n)
			}
		}
		if got := plainLen([]byte(strings.Repeat("[", n))); got != n {
			t.Errorf("%d brackets: %d", n, got)
		}
	}
}

func TestNaturalLen(t *testing.T) {
	for text, want := range map[string]int{"": -1, "x": -1, "-1": -1, "0": 1, "00": -1, "01": -1, "10,": 2, "7e3": 1} {
		if got := naturalLen([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
