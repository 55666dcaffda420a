package layout_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ocilayout/ocilayout/layout"
)

// manyEntries writes a layout of n entries, one in twelve of them named, and
// returns its directory. Its blobs are not there.
func manyEntries(tb testing.TB, n int) string {
	tb.Helper()
	dir := tb.TempDir()
	var b bytes.Buffer
	b.WriteString(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		annotation := ""
		if i < n/12 {
			annotation = fmt.Sprintf(`,"annotations":{"org.opencontainers.image.ref.name":"v%d"}`, i)
		}
		fmt.Fprintf(&b, `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%064x","size":%d%s}`, i, 500+i, annotation)
	}
	b.WriteString(`]}`)
	for name, data := range map[string]string{"index.json": b.String(), "oci-layout": `{"imageLayoutVersion":"1.0.0"}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

func BenchmarkResolve(b *testing.B) {
	r, err := layout.OpenReader(manyEntries(b, 120_000), layout.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Resolve(context.Background(), "v7000"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUntag(b *testing.B) {
	l, err := layout.Open(manyEntries(b, 120_000), layout.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := l.Update(context.Background(), func(tx *layout.Tx) error {
			_, err := tx.Untag(fmt.Sprintf("v%d", i))
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
}
