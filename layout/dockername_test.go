package layout_test

import (
	"strings"
	"testing"

	"github.com/distribution/reference"

	"github.com/ocilayout/ocilayout/layout"
)

// FuzzDockerName: names are read as the package reads them that docker and
// containerd use.
func FuzzDockerName(f *testing.F) {
	long := strings.Repeat("a", 255)
	sum := "@sha256:" + strings.Repeat("0a", 32)
	for _, name := range []string{
		"", "/", ":", "app", "app:v1", "library/app", "docker.io/app", "docker.io/library/app:v1", "index.docker.io/app",
		"docker.io/library/deep/app:1", "library/deep/app", "localhost/app", "localhost:5000/app:v1", "localhost:/app", "host:80a/app",
		"[::1]/app", "[::1]:5000/app:v1", "[]/app", "[::g]/app", "[::1/app", "[::1]5000/app", "[::1]:/app", "::1/app", ":80/app",
		"Example.com/app", "EXAMPLE/app", "example.com/App", "app/Other", "foo_bar.baz/app:v1", "foo_.bar/app", "-a.b/c", "a-.b/c", "a..b/c",
		"a.b-c/d", "xn--a.b/c", "a/b--c", "a/b__c", "a/b___c", "a/b._c", "a/b_.c", "a/b.c", "a/-b", "a/b-", "a//b", "a/b/", "/a/b",
		"app:.v", "app:-v", "app:_v", "app:v:w", "app:", "app:v/w", "app:" + long[:128], "app:" + long[:129], "app:ü", "ü/app", "É/app", "app\n", "a.b/app\n",
		"a.b/" + long, "a.b/" + long + "a", "a_b.c/" + long, strings.Repeat("0a", 32), "a/" + strings.Repeat("0a", 32),
		"app" + sum, "app:v1" + sum, "a.b/app" + sum, "a.b/app:v1" + sum, "app" + sum + "0", "app" + strings.ToUpper(sum), "app@", "@", "app@md5:" + strings.Repeat("0a", 16),
		"app@sha512:" + strings.Repeat("0a", 64), "app:v1@sha256:zz", sum, "a.b/app" + sum + "@x",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		full, tag, isFull, familiar := name, name, false, name
		if named, err := reference.ParseNormalizedNamed(name); err == nil && strings.ContainsAny(name, "/:") {
			familiar = reference.FamiliarString(named)
			if tagged, ok := reference.TagNameOnly(named).(reference.Tagged); ok {
				full, tag, isFull = reference.TrimNamed(named).String()+":"+tagged.Tag(), tagged.Tag(), true
			}
		}
		gotFull, gotTag, gotIsFull := layout.NormalizeName(name)
		if gotFull != full || gotTag != tag || gotIsFull != isFull {
			t.Errorf("NormalizeName(%q) = %q, %q, %v; want %q, %q, %v", name, gotFull, gotTag, gotIsFull, full, tag, isFull)
		}
		if got := layout.FamiliarName(name); got != familiar {
			t.Errorf("FamiliarName(%q) = %q, want %q", name, got, familiar)
		}
	})
}
