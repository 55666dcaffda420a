package interop

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
)

// refCases are references in the layouts that refLayouts makes, each with the programs
// that have no words for it.
var refCases = []struct{ ref, none string }{
	{"plain:v1", "crane"},
	{"plain:app:1.0", "crane"},
	{"plain", "crane"}, // the image called latest
	{"one:v1", ""},
	{"one:docker.io/library/app:v1", ""},
	{"with space:v1", "crane podman"},
	{"it's:v1", "regctl crane podman"},
	{"a:b:v1", "skopeo regctl crane podman"},
	{"we@home:v1", "regctl crane podman"},
	{"UPPER:v1", "crane podman"},
	{"./deep/er:v1", "crane podman"},
	{"deep/er:v1", "crane"},
	{"names:V1", "crane"},
	{"names:v1_x.y-z", "crane"},
	{"names:team/app", "crane"},
	{"equal:one.example/app:latest", "crane"},
	{"equal:two.example/app:latest", "crane"},
	{"same:v1", "skopeo crane podman"}, // foreign: two entries have the ref.name
	{"equal@ONE", "crane"},
	{"nameless@ONE", "skopeo crane podman"},
	{"index@CHILD", "skopeo crane podman"},
	{"lonely", ""},
	{"plain.tar:v1", "regctl crane"},
	{"one.tar:v1", "regctl"},
	{"with space.tar:v1", "regctl crane"},
	{"a:b.tar:v1", "skopeo regctl crane podman"},
	{"equal.tar:two.example/app:latest", "regctl crane"},
	{"nameless.tar@ONE", "skopeo regctl crane podman"},
	{"names.tar:V1", "regctl crane podman"},
	{"lonely.tar", "regctl"},
}

// refPrograms are the programs that the words are given to. Each gives what the
// program finds: the bytes of a manifest, or, of those that tell of no manifest,
// nothing but the digest of an image's config.
var refPrograms = map[string]func(t *testing.T) func(words string) (manifest []byte, config string, err error){
	"skopeo": func(t *testing.T) func(string) ([]byte, string, error) {
		return manifestBy(testkit.Client(t, "skopeo") + " inspect --raw %s")
	},
	"oras": func(t *testing.T) func(string) ([]byte, string, error) {
		return manifestBy(testkit.Client(t, "oras") + " manifest fetch %s")
	},
	"regctl": func(t *testing.T) func(string) ([]byte, string, error) {
		t.Setenv("REGCTL_CONFIG", file(t, "config.json"))
		return manifestBy(testkit.Client(t, "regctl") + " manifest get --format raw-body %s")
	},
	"crane": func(t *testing.T) func(string) ([]byte, string, error) {
		crane, repo := testkit.Client(t, "crane"), registry(t, testkit.Client(t, "registry"))+"/pushed"
		return func(words string) ([]byte, string, error) {
			pushed, err := shell(crane + " push --insecure " + words + " " + repo)
			if err != nil {
				return nil, "", err
			}
			manifest, err := shell(crane + " manifest --insecure " + strings.TrimSpace(string(pushed)))
			return nil, configOf(manifest), err
		}
	},
	"podman": func(t *testing.T) func(string) ([]byte, string, error) {
		p := newPodman(t)
		prefix := p.program + " --root " + p.dir + "/root --runroot " + p.dir + "/run --tmpdir " + p.dir +
			"/tmp --storage-driver=vfs --cgroup-manager=cgroupfs --events-backend=none"
		return func(words string) ([]byte, string, error) {
			id, err := shell(prefix + " pull -q " + words)
			return nil, "sha256:" + strings.TrimSpace(string(id)), err
		}
	},
}

func manifestBy(command string) func(string) ([]byte, string, error) {
	return func(words string) ([]byte, string, error) {
		manifest, err := shell(fmt.Sprintf(command, words))
		return manifest, "", err
	}
}

// shell runs a line as a person types it.
func shell(line string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.Command("sh", "-c", line)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", line, err, stderr.String())
	}
	return out, err
}

func configOf(manifest []byte) string {
	var m struct{ Config struct{ Digest string } }
	_ = json.Unmarshal(manifest, &m) // what is none has no config
	return m.Config.Digest
}

// TestRef gives the words for each image to each program, which must find that
// image; where there are none, it tries what a person would, and nothing may work.
func TestRef(t *testing.T) {
	digests := refLayouts(t)
	for program, begin := range refPrograms {
		t.Run(program, func(t *testing.T) {
			find := begin(t)
			for _, c := range refCases {
				ref := strings.NewReplacer("@ONE", "@"+digests["one"], "@CHILD", "@"+digests["child"]).Replace(c.ref)
				want := us(t, "inspect", ref, "--raw")
				right := func(words string) error {
					manifest, config, err := find(words)
					if err == nil && config != configOf([]byte(want)) && string(manifest) != want {
						err = fmt.Errorf("found another image: %s%s", manifest, config)
					}
					return err
				}
				none := strings.Contains(c.none, program)
				words, err := exec.Command(ocilayout(t), "ref", ref, "--for", program).Output()
				if (err != nil) != none {
					t.Errorf("%s: words %q, %v; want none: %v", ref, words, err, none)
					continue
				}
				if !none {
					if err := right(strings.TrimSpace(string(words))); err != nil {
						t.Errorf("%s: %v", ref, err)
					}
					continue
				}
				for _, attempt := range attempts(t, program, ref) {
					if err := right(attempt); err == nil {
						t.Errorf("%s: no words were given, and %q finds it", ref, attempt)
					}
				}
			}
		})
	}
}

// attempts are what a person would try who has the layout's path, and every name and
// the digest of the image.
func attempts(t *testing.T, program, ref string) []string {
	t.Helper()
	want := digest(t, ref)
	path := ref
	for {
		if _, err := os.Stat(path); err == nil {
			break
		}
		path = path[:strings.LastIndexAny(path, ":@")]
	}
	ends := []string{"", "@" + want}
	var entries []struct{ Name, Digest string }
	decode(t, us(t, "ls", path, "--all", "--format", "json"), &entries)
	for _, e := range entries {
		if e.Digest == want && e.Name != "" {
			ends = append(ends, ":"+e.Name, ":"+e.Name[strings.LastIndexByte(e.Name, ':')+1:])
		}
	}
	scheme := map[string]string{"skopeo": "oci:", "podman": "oci:", "regctl": "ocidir://", "oras": "--oci-layout "}[program]
	if strings.HasSuffix(path, ".tar") && scheme == "oci:" {
		scheme = "oci-archive:"
	}
	slices.Sort(ends)
	var all []string
	for _, end := range slices.Compact(ends) {
		all = append(all, scheme+"'"+strings.ReplaceAll(path+end, "'", `'\''`)+"'")
	}
	return all
}

// refLayouts makes the layouts of refCases below the working directory, which it
// changes, and gives the digests of images in them.
func refLayouts(t *testing.T) map[string]string {
	t.Helper()
	ocilayout(t) // is built in the directory of the tests
	t.Chdir(t.TempDir())
	image := func(text string) build.Image {
		return build.Image{Layers: []build.Layer{{Files: []build.File{build.Text("etc/motd", text+"\n")}}}}
	}
	save := func(path string, fill func(l *build.Layout)) {
		l := build.NewLayout()
		fill(l)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := l.WriteDir(path); err != nil {
			t.Fatal(err)
		}
	}
	two := func(l *build.Layout) {
		first, second := l.Image(image("one")), l.Image(image("two"))
		l.Tag("v1", first)
		l.Tag("docker.io/library/app:1.0", first)
		l.Tag("latest", second)
	}
	for _, path := range []string{"plain", "with space", "it's", "a:b", "we@home", "UPPER", "deep/er"} {
		save(path, two)
	}
	digests := map[string]string{}
	save("one", func(l *build.Layout) { l.Tag("docker.io/library/app:v1", l.Image(image("one"))) })
	save("lonely", func(l *build.Layout) { l.Add(l.Image(image("one"))) })
	save("names", func(l *build.Layout) {
		for _, name := range []string{"V1", "v1_x.y-z", "team/app"} {
			l.Tag(name, l.Image(image(name)))
		}
	})
	save("nameless", func(l *build.Layout) {
		first := l.Image(image("one"))
		digests["one"] = first.Digest.String()
		l.Add(first, l.Image(image("two")))
	})
	save("index", func(l *build.Layout) {
		other := image("one")
		other.Platform = content.Platform{OS: "linux", Architecture: "riscv64"} // that nobody takes unasked
		child := l.Image(other)
		digests["child"] = child.Digest.String()
		l.Tag("v1", l.Index(child, l.Image(image("two"))))
	})
	save("same", func(l *build.Layout) {
		second := l.Image(image("two"))
		l.Tag("other.example/app:v1", second)
		l.Tag("v1", l.Image(image("one")))
	})
	us(t, "copy", "nameless@"+digests["one"], "equal:one.example/app:latest")
	us(t, "copy", "plain:latest", "equal:two.example/app:latest")
	for _, path := range []string{"plain", "with space", "a:b", "equal", "nameless", "names", "lonely"} {
		us(t, "export", path, path+".tar")
	}
	us(t, "export", "one", "one.tar")
	if sum := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(us(t, "inspect", "nameless@"+digests["one"], "--raw")))); sum != digests["one"] {
		t.Fatalf("the image is %s, want %s", sum, digests["one"])
	}
	return digests
}
