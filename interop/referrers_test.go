package interop

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// listed returns the digests in one field of a list of descriptors, sorted.
func listed(t testing.TB, text, field string) []string {
	t.Helper()
	var found map[string]any
	decode(t, text, &found)
	list, _ := found[field].([]any)
	digests := []string{}
	for _, d := range list {
		digests = append(digests, fmt.Sprint(d.(map[string]any)["digest"]))
	}
	slices.Sort(digests)
	return digests
}

// wantListed holds what ocilayout, oras and regctl list of an image, each reading
// the layout by itself, to the same digests.
func wantListed(t testing.TB, ref string, want []string) {
	t.Helper()
	oras, regctl := testkit.Client(t, "oras"), testkit.Client(t, "regctl")
	slices.Sort(want)
	for name, got := range map[string][]string{
		"ocilayout referrers":  listed(t, us(t, "referrers", ref, "--format", "json"), "manifests"),
		"oras discover":        listed(t, run(t, oras, "discover", "--format", "json", "--oci-layout", ref), "referrers"),
		"regctl artifact list": listed(t, run(t, regctl, "artifact", "list", "ocidir://"+ref, "--format", "{{json .Manifest}}"), "manifests"),
	} {
		if !slices.Equal(got, want) {
			t.Errorf("%s lists %d artifacts, want %d: %q, want %q", name, len(got), len(want), got, want)
		}
	}
}

// blobs counts the files below a layout's blobs.
func blobs(t testing.TB, layout string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(layout, "blobs", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// TestAttachAtOnce lets 32 processes attach to one image at the same time. Each
// prints the digest of what it made, and every tool lists all of them.
func TestAttachAtOnce(t *testing.T) {
	const writers = 32
	regctl(t) // gives regctl a configuration of its own
	layout := helloLayout(t)
	ref, image := layout+":1.0", digest(t, layout+":1.0")
	before, program := blobs(t, layout), ocilayout(t)
	outputs, errs := make([][]byte, writers), make([]error, writers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range writers {
		cmd := exec.Command(program, "attach", ref, "--type", "x/at-once", "--annotation", fmt.Sprint("writer=", i),
			"--format", "{{.digest}}")
		wg.Go(func() {
			<-start
			outputs[i], errs[i] = cmd.Output()
		})
	}
	close(start)
	wg.Wait()
	var made []string
	for i, err := range errs {
		if err != nil {
			t.Fatalf("writer %d: %v", i, err)
		}
		made = append(made, strings.TrimSpace(string(outputs[i])))
	}
	slices.Sort(made)
	if made = slices.Compact(made); len(made) != writers {
		t.Fatalf("%d artifacts of %d writers: %q", len(made), writers, made)
	}
	wantListed(t, ref, made)
	wantSame(t, "digest of the image", digest(t, ref), image)
	// An artifact of no files is a manifest and the empty blob, which all share.
	if got, want := blobs(t, layout), before+writers+2; got != want {
		t.Errorf("%d blobs, want %d: those of the image, %d artifacts, the empty one and one list", got, want, writers)
	}
}
