package interop

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// TestRegistryPullAsOthers: what we pull is what the other clients that know referrers
// bring of the same repository: tags, digests, referrers. It is the same archive, too.
func TestRegistryPullAsOthers(t *testing.T) {
	address := registry(t, testkit.Client(t, "registry"))
	src, ours := everything(t), newLayout(t)
	repo := address + "/team/app"
	us(t, "push", src+":"+appName, repo+":v1")
	us(t, "pull", repo+":v1", ours+":v1")
	want := digest(t, ours+":v1")
	blobs, cosign := blobsIn(t, ours)

	t.Run("regctl", func(t *testing.T) {
		theirs := filepath.Join(t.TempDir(), "theirs")
		run(t, testkit.Client(t, "regctl"), "--host", "reg="+address+",tls=disabled", "image", "copy", "--referrers", "--digest-tags", repo+":v1", "ocidir://"+theirs+":v1")
		wantSame(t, "digest", digest(t, theirs+":v1"), want)
		got, tags := blobsIn(t, theirs)
		if !slices.Equal(got, blobs) {
			t.Errorf("they have %q, we have %q", got, blobs)
		}
		if !slices.Equal(tags, cosign) {
			t.Errorf("they have the tags %q, we have %q", tags, cosign)
		}
	})
	t.Run("oras", func(t *testing.T) {
		theirs := filepath.Join(t.TempDir(), "theirs")
		run(t, testkit.Client(t, "oras"), "cp", "--no-tty", "-r", "--from-plain-http", repo+":v1", "--to-oci-layout", theirs+":v1")
		wantSame(t, "digest", digest(t, theirs+":v1"), want)
		own := newLayout(t)
		us(t, "pull", repo+":v1", own+":v1", "--referrer-type", "application/spdx+json") // which leaves out what cosign made
		with, _ := blobsIn(t, own)
		if got, _ := blobsIn(t, theirs); !slices.Equal(got, with) {
			t.Errorf("they have %q, we have %q", got, with)
		}
	})
	t.Run("archive", func(t *testing.T) {
		dir := t.TempDir()
		exported, pulled := filepath.Join(dir, "exported.tar"), filepath.Join(dir, "pulled.tar")
		us(t, "export", ours, exported)
		us(t, "pull", repo+":v1", pulled+":v1")
		a, err := os.ReadFile(exported)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(pulled); err != nil || string(a) != string(b) {
			t.Errorf("%d bytes, want %d: %v", len(b), len(a), err)
		}
	})
}

// blobsIn lists the blobs of a layout, but for lists of referrers, and the tags under
// which cosign stores.
func blobsIn(t testing.TB, dir string) (blobs, tags []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index struct {
		Manifests []struct {
			Digest      string            `json:"digest"`
			Annotations map[string]string `json:"annotations"`
		} `json:"manifests"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		t.Fatal(err)
	}
	lists := map[string]bool{}
	for _, e := range index.Manifests {
		name := e.Annotations["org.opencontainers.image.ref.name"]
		switch {
		case regexp.MustCompile(`^sha256-[0-9a-f]{64}$`).MatchString(name):
			lists[e.Digest] = true
		case regexp.MustCompile(`^sha256-[0-9a-f]{64}\.`).MatchString(name):
			tags = append(tags, name+" "+e.Digest)
		}
	}
	files, err := os.ReadDir(filepath.Join(dir, "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !lists["sha256:"+file.Name()] {
			blobs = append(blobs, file.Name())
		}
	}
	slices.Sort(tags)
	return blobs, tags
}
