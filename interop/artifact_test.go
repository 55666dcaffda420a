package interop

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// referrerTypes returns the artifact types that ocilayout lists of a reference,
// sorted.
func referrerTypes(t testing.TB, ref string) []string {
	t.Helper()
	return typesIn(t, us(t, "referrers", ref, "--format", "json"), "manifests")
}

// typesIn returns the artifact types in a list of descriptors, sorted.
func typesIn(t testing.TB, text, field string) []string {
	t.Helper()
	var found map[string]json.RawMessage
	decode(t, text, &found)
	var list []struct{ ArtifactType string }
	if raw := found[field]; raw != nil {
		decode(t, string(raw), &list)
	}
	types := []string{}
	for _, d := range list {
		types = append(types, d.ArtifactType)
	}
	slices.Sort(types)
	return types
}

func wantTypes(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// written writes a file and returns its path.
func written(t testing.TB, name, body string) string {
	t.Helper()
	path := file(t, name)
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// site writes a tree of files to dir/site.
func site(t testing.TB, dir string) {
	t.Helper()
	sub := filepath.Join(dir, "site", "sub")
	if err := os.MkdirAll(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, body := range map[string]string{"site/index.html": "<p>hello\n", "site/sub/deep.txt": "deep\n"} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "site", "run.sh"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../index.html", filepath.Join(sub, "link")); err != nil {
		t.Fatal(err)
	}
}

// in runs a program in a directory, which must succeed.
func in(t testing.TB, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	return pipe(t, cmd)
}

// TestArtifactBothWays attaches to one image with every tool in turn; each lists
// what all of them attached.
func TestArtifactBothWays(t *testing.T) {
	oras, regctl := testkit.Client(t, "oras"), regctl(t)
	layout := helloLayout(t)
	ref, want := layout+":1.0", digest(t, layout+":1.0")
	report := written(t, "report.txt", "all well\n")
	listed := func(types ...string) {
		t.Helper()
		wantTypes(t, "ocilayout referrers", referrerTypes(t, ref), types...)
		wantTypes(t, "oras discover", typesIn(t, run(t, oras, "discover", "--format", "json", "--oci-layout", ref), "referrers"), types...)
		wantTypes(t, "regctl artifact list", typesIn(t, regctl(t, "artifact", "list", "ocidir://"+ref, "--format", "{{json .Manifest}}"), "manifests"), types...)
		wantSame(t, "digest of the image", digest(t, ref), want)
	}

	us(t, "attach", ref, report, "--type", "x/ours", "--annotation", "by=us")
	listed("x/ours")
	run(t, oras, "attach", "--no-tty", "--disable-path-validation", "--oci-layout", ref, "--artifact-type", "x/oras", report)
	regctl(t, "artifact", "put", "--by-digest", "--subject", "ocidir://"+ref, "--artifact-type", "x/regctl", "-f", report)
	us(t, "attach", ref, report, "--type", "x/second")
	all := []string{"x/ours", "x/oras", "x/regctl", "x/second"}
	// oras attaches with an entry alone, which regctl does not look at.
	wantTypes(t, "ocilayout referrers", referrerTypes(t, ref), all...)
	wantTypes(t, "oras discover", typesIn(t, run(t, oras, "discover", "--format", "json", "--oci-layout", ref), "referrers"), all...)
	wantTypes(t, "regctl artifact list", typesIn(t, regctl(t, "artifact", "list", "ocidir://"+ref, "--format", "{{json .Manifest}}"), "manifests"),
		"x/ours", "x/regctl", "x/second")

	for _, kind := range all {
		wantSame(t, kind, us(t, "artifact", "get", "--subject", ref, "--type", kind), "all well")
	}
	wantSame(t, "ours by regctl", regctl(t, "artifact", "get", "--subject", "ocidir://"+ref, "--filter-artifact-type", "x/ours"), "all well")

	for _, kind := range all {
		var found struct{ Manifests []struct{ Digest string } }
		decode(t, us(t, "referrers", ref, "--type", kind, "--format", "json"), &found)
		us(t, "detach", layout+"@"+found.Manifests[0].Digest)
	}
	listed()
}

// TestArtifactTrees: what oras pushed of a directory we restore, and the other way.
func TestArtifactTrees(t *testing.T) {
	oras := testkit.Client(t, "oras")
	dir := t.TempDir()
	site(t, dir)
	layout := newLayout(t)
	in(t, dir, ocilayout(t), "artifact", "put", layout+":ours", "site", "--type", "x/site")
	in(t, dir, oras, "push", "--no-tty", "--oci-layout", layout+":theirs", "--artifact-type", "x/site", "site")
	for _, name := range []string{"ours", "theirs"} {
		byOras, byUs := t.TempDir(), t.TempDir()
		run(t, oras, "pull", "--no-tty", "--oci-layout", layout+":"+name, "-o", byOras)
		us(t, "artifact", "get", layout+":"+name, "-o", byUs)
		for _, restored := range []string{byOras, byUs} {
			run(t, "diff", "-r", "--no-dereference", filepath.Join(dir, "site"), filepath.Join(restored, "site"))
			info, err := os.Stat(filepath.Join(restored, "site", "run.sh"))
			if err != nil || info.Mode().Perm() != 0o755 {
				t.Errorf("%s: run.sh: %v, %v", name, info, err)
			}
		}
	}
}

// TestArtifactPush takes an image with what is attached to it to a registry, by oras
// and by regctl, and pulls the artifact there.
func TestArtifactPush(t *testing.T) {
	oras, regctl := testkit.Client(t, "oras"), regctl(t)
	address := registry(t, testkit.Client(t, "registry"))
	regctl(t, "registry", "set", "--tls", "disabled", address)
	layout := helloLayout(t)
	report := written(t, "report.txt", "all well\n")
	var done []struct{ Digest string }
	decode(t, us(t, "attach", layout+":1.0", report, "--type", "x/report", "--annotation", "level=low", "--format", "json"), &done)

	for name, push := range map[string]func(to string){
		"oras": func(to string) {
			run(t, oras, "cp", "--no-tty", "-r", "--from-oci-layout", layout+":1.0", "--to-plain-http", to)
		},
		"regctl": func(to string) {
			regctl(t, "image", "copy", "--referrers", "ocidir://"+layout+":1.0", to)
		},
	} {
		t.Run(name, func(t *testing.T) {
			repo := address + "/" + name
			push(repo + ":v1")
			wantTypes(t, "oras discover", typesIn(t, run(t, oras, "discover", "--format", "json", "--plain-http", repo+":v1"), "referrers"), "x/report")
			out := t.TempDir()
			run(t, oras, "pull", "--no-tty", "--plain-http", repo+"@"+done[0].Digest, "-o", out)
			data, err := os.ReadFile(filepath.Join(out, "report.txt"))
			if err != nil || string(data) != "all well\n" {
				t.Errorf("pulled %q, %v", data, err)
			}
			// And home again, into a layout.
			back := filepath.Join(t.TempDir(), "back")
			run(t, oras, "cp", "--no-tty", "-r", "--from-plain-http", repo+":v1", "--to-oci-layout", back+":v1")
			checked(t, back)
			wantTypes(t, "after the way back", referrerTypes(t, back+":v1"), "x/report")
			wantSame(t, "the file", us(t, "artifact", "get", "--subject", back+":v1", "--annotation", "level=low"), strings.TrimSpace(string(data)))
		})
	}
}
