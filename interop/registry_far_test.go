package interop

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// belongings is a layout of one index, app, with all that may belong to it: of two
// platforms, with an SBOM of the index and a signature of that, a report on one of the
// platforms, and what cosign stores under tags for the index and for a platform.
func belongings(t testing.TB) (dir string, points []string) {
	t.Helper()
	l, dir := build.NewLayout(), newLayout(t)
	amd64, arm64 := l.Image(packaged("app", "amd64")), l.Image(packaged("app", "arm64"))
	app := l.Index(amd64, arm64, attestation(l, amd64))
	l.Tag("app", app)
	sbom := l.Attach(app, "application/spdx+json", []byte(`{"spdxVersion":"SPDX-2.3"}`))
	l.Attach(sbom, "application/vnd.example.signature", []byte("of the SBOM"))
	l.Attach(arm64, "application/vnd.example.report", []byte("on arm64"))
	for tag, of := range map[string]content.Descriptor{".sig": app, ".att": arm64} {
		l.Tag(build.FallbackTag(of.Digest)+tag, unpackable(l, content.Platform{}, l.Put("application/vnd.dev.cosign.simplesigning.v1+json",
			fmt.Appendf(nil, `{"critical":{"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"}}`, of.Digest))))
	}
	made := filepath.Join(t.TempDir(), "made")
	if err := l.WriteDir(made); err != nil {
		t.Fatal(err)
	}
	us(t, "copy", made, dir)
	for _, d := range []content.Descriptor{app, amd64, arm64, sbom} {
		points = append(points, d.Digest.String())
	}
	return dir, points
}

// seen is what clients show of the points of a repository, with the types of artifacts
// or without: lines, sorted.
func seen(t testing.TB, at server, repo string, points []string, types bool) []string {
	t.Helper()
	oras, regctl := testkit.Client(t, "oras"), testkit.Client(t, "regctl")
	lines := map[string]bool{}
	for _, point := range points {
		ref := at.address + "/" + repo + "@" + point
		var found discovery
		decode(t, run(t, oras, slices.Concat([]string{"discover", "--format", "json"}, at.oras, []string{ref})...), &found)
		found.lines(lines, types)
		list := run(t, regctl, slices.Concat(at.regctl, []string{"artifact", "list", "--format", "{{json .Manifest}}", ref})...)
		for _, d := range listed(t, list, "manifests") {
			lines["regctl artifact list: "+point+" has "+d] = true
		}
	}
	for _, tag := range strings.Fields(run(t, oras, slices.Concat([]string{"repo", "tags"}, at.oras, []string{at.address + "/" + repo})...)) {
		if _, kind, ok := strings.Cut(tag, "."); ok {
			is := run(t, oras, slices.Concat([]string{"resolve"}, at.oras, []string{at.address + "/" + repo + ":" + tag})...)
			lines["cosign's "+kind+": "+tag+" is "+strings.TrimSpace(is)] = true
		}
	}
	return slices.Sorted(maps.Keys(lines))
}

// A discovery is what oras discover shows of one manifest.
type discovery struct {
	Digest, ArtifactType string
	Referrers            []discovery
}

func (d discovery) lines(into map[string]bool, types bool) {
	for _, r := range d.Referrers {
		line := "oras discover: " + d.Digest + " has " + r.Digest
		if types {
			line += ", " + r.ArtifactType
		}
		into[line] = true
		r.lines(into, types)
	}
}

// TestRegistryFarSide: what was pulled from one registry and pushed to another is shown
// there as here, whether or not they have the referrers API. The first is filled by
// regctl and by us, so that it does not matter who wrote the lists.
func TestRegistryFarSide(t *testing.T) {
	regctl := testkit.Client(t, "regctl")
	t.Setenv("REGCTL_CONFIG", file(t, "config.json"))
	made, points := belongings(t)
	near := map[string]func(testing.TB) server{"distribution": distribution, "with the API": referrersRegistry}
	far := map[string]func(testing.TB) server{
		"distribution": distribution, "Debian's": debianRegistry, "with the API": referrersRegistry, "distribution, locked": lockedRegistry,
	}
	for from, start := range near {
		t.Run(from, func(t *testing.T) {
			src := start(t)
			us(t, "push", made+":app", src.address+"/ours:v1")
			run(t, regctl, slices.Concat(src.regctl, []string{"image", "copy", "--referrers", "--digest-tags", "ocidir://" + made + ":app", src.address + "/theirs:v1"})...)
			want := seen(t, src, "ours", points, !src.mistypes)
			// Of the index an SBOM and its signature, which are seen from two points, of a
			// platform a report, each by oras and regctl; and two tags.
			if len(want) != 8 {
				t.Fatalf("the source shows %d lines:\n%s", len(want), strings.Join(want, "\n"))
			}
			if got := seen(t, src, "theirs", points, !src.mistypes); !slices.Equal(got, want) {
				t.Fatalf("regctl pushed\n%s\nwe pushed\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			for to, start := range far {
				t.Run(to, func(t *testing.T) {
					dst := start(t)
					types := !src.mistypes && !dst.mistypes
					want := seen(t, src, "ours", points, types)
					for _, repo := range []string{"ours", "theirs"} {
						carried := newLayout(t)
						us(t, "pull", src.address+"/"+repo+":v1", carried+":app")
						us(t, "diff", made, carried)
						us(t, slices.Concat([]string{"push", carried + ":app", dst.address + "/" + repo + ":v1"}, dst.ours)...)
						if got := seen(t, dst, repo, points, types); !slices.Equal(got, want) {
							t.Errorf("%s: the far side shows\n%s\nwant\n%s", repo, strings.Join(got, "\n"), strings.Join(want, "\n"))
						}
						back := newLayout(t)
						us(t, slices.Concat([]string{"pull", dst.address + "/" + repo + ":v1", back + ":app"}, dst.ours)...)
						us(t, "diff", made, back)
					}
				})
			}
		})
	}
}

// TestRegistryLocked: without the certificate, or with another password, nothing is
// sent and nothing told.
func TestRegistryLocked(t *testing.T) {
	dst, layout, wrong := lockedRegistry(t), helloLayout(t), file(t, "wrong.json")
	trusting := dst.ours[:2]
	write(t, wrong, `{"auths":{"`+dst.address+`":{"username":"user","password":"open barley"}}}`)
	for kind, flags := range map[string][]string{
		"certificate":      {"--tls"},
		"401 Unauthorized": append(slices.Clone(trusting), "--authfile", wrong),
		"wants a user":     append(slices.Clone(trusting), "--authfile", file(t, "none.json")),
	} {
		out, err := output(exec.Command(ocilayout(t), append([]string{"push", layout + ":hello:1.0", dst.address + "/hello:v1"}, flags...)...))
		if err == nil || !strings.Contains(out, kind) || strings.Contains(out, "barley") || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: %v: %s", kind, err, out)
		}
	}
	us(t, slices.Concat([]string{"push", layout + ":hello:1.0", dst.address + "/hello:v1"}, dst.ours)...)
}
