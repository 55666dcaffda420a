package interop

import (
	"path/filepath"
	"strings"
	"testing"
)

// The secret that builds are given: a word, and words with signs between them that
// stand in history too.
var buildSecrets = map[string]string{"word": "s3cret-word", "words": "s3cret words=|1 and more"}

// secretContext is the context of a build of app that is given secrets.
func secretContext(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "Dockerfile"), `FROM app
ARG OTHER=some default
ARG TOKEN
RUN ["/bin/busybox", "true"]
RUN : "$TOKEN"
ARG LAST
RUN : done
CMD ["/bin/sh"]
`)
	return dir
}

// buildArgs are the arguments of a build with a secret.
func buildArgs(secret, tag, context string, more ...string) []string {
	return append([]string{"build", "-q", "--build-arg", "TOKEN=" + secret, "--build-arg", "LAST=last one", "-t", tag, context}, more...)
}

// wantSecretGone takes the build argument out of an archive's image and looks for what
// is left of it.
func wantSecretGone(t *testing.T, archive, tag, secret string) {
	t.Helper()
	layout := newLayout(t)
	us(t, "import", archive, layout)
	before := us(t, "inspect", layout+":"+tag, "--config")
	if !strings.Contains(before, secret) {
		t.Fatalf("the build does not tell its secret: %s", before)
	}
	us(t, "mutate", layout+":"+tag, "--tag", "named", "--build-arg-rm", "TOKEN="+secret)
	us(t, "mutate", layout+":"+tag, "--tag", "pattern", "--build-arg-rm-regex", "TOKEN="+secret[:6]+".*")
	us(t, "mutate", layout+":"+tag, "--tag", "all", "--build-arg-rm", "TOKEN")
	for _, name := range []string{"named", "pattern", "all"} {
		after := us(t, "inspect", layout+":"+name, "--config")
		for word := range strings.FieldsSeq(secret) {
			if len(word) > 3 && strings.Contains(after, word) {
				t.Errorf("%s: %q is still in %s, which was %s", name, word, after, before)
			}
		}
		if strings.Count(after, "LAST=last one") != strings.Count(before, "LAST=last one") || !strings.Contains(after, "LAST=last one") {
			t.Errorf("%s: other arguments are gone: %s, which was %s", name, after, before)
		}
	}
}

// TestBuildArgsOfDocker builds with docker's classic builder.
func TestBuildArgsOfDocker(t *testing.T) {
	d := startDocker(t)
	d.run("import", busyboxRoot(t), "app:latest")
	for name, secret := range buildSecrets {
		t.Run(name, func(t *testing.T) {
			d.t = t
			build := d.command(buildArgs(secret, "built:latest", secretContext(t), "--network", "none")...)
			build.Env = append(build.Env, "DOCKER_BUILDKIT=0")
			pipe(t, build)
			archive := file(t, "built.tar")
			d.run("save", "-o", archive, "built:latest")
			wantSecretGone(t, archive, "built", secret)
		})
	}
}

// TestBuildArgsOfPodman builds with podman.
func TestBuildArgsOfPodman(t *testing.T) {
	p := newPodman(t)
	p.run("import", "-q", busyboxRoot(t), "localhost/app:latest")
	for name, secret := range buildSecrets {
		t.Run(name, func(t *testing.T) {
			p.t = t
			p.run(buildArgs(secret, "localhost/built:latest", secretContext(t), "--isolation", "chroot", "--network", "host", "--layers")...)
			archive := file(t, "built.tar")
			p.run("save", "-q", "--format", "docker-archive", "-o", archive, "localhost/built:latest")
			wantSecretGone(t, archive, "localhost/built", secret)
		})
	}
}
