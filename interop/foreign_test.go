package interop

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/testkit"
)

// writers are the tools that make layouts, each with a function that lets it make
// one of an image in our layout and returns the directory. Where the tool can it
// writes more than one entry.
var writers = map[string]func(t *testing.T, from string) string{
	"skopeo": func(t *testing.T, from string) string {
		dir, skopeo := newLayout(t), testkit.Client(t, "skopeo")
		for _, tag := range []string{"one", "two"} {
			run(t, skopeo, "copy", "-q", "oci:"+from+":1.0", "oci:"+dir+":"+tag)
		}
		return dir
	},
	"umoci": func(t *testing.T, _ string) string {
		dir, umoci := newLayout(t), testkit.Client(t, "umoci")
		run(t, umoci, "init", "--layout", dir)
		run(t, umoci, "new", "--image", dir+":one")
		run(t, umoci, "tag", "--image", dir+":one", "two")
		return dir
	},
	"oras": func(t *testing.T, from string) string {
		dir, oras := newLayout(t), testkit.Client(t, "oras")
		run(t, oras, "cp", "--no-tty", "--from-oci-layout", from+":1.0", "--to-oci-layout", dir+":one")
		run(t, oras, "attach", "--no-tty", "--disable-path-validation", "--oci-layout", dir+":one",
			"--artifact-type", "x/report", written(t, "report.txt", "all well\n"))
		return dir
	},
	"regctl": func(t *testing.T, from string) string {
		dir, regctl := newLayout(t), regctl(t)
		regctl(t, "image", "copy", "ocidir://"+from+":1.0", "ocidir://"+dir+":one")
		regctl(t, "artifact", "put", "--subject", "ocidir://"+dir+":one", "--artifact-type", "x/report",
			"-f", written(t, "report.txt", "all well\n"))
		return dir
	},
	"crane": func(t *testing.T, from string) string {
		dir, crane := newLayout(t), testkit.Client(t, "crane")
		pushed := registry(t, testkit.Client(t, "registry")) + "/hello:one"
		run(t, testkit.Client(t, "skopeo"), "copy", "-q", "--dest-tls-verify=false", "oci:"+from+":1.0", "docker://"+pushed)
		run(t, crane, "pull", "--insecure", "--format=oci", "--annotate-ref", pushed, dir)
		return dir
	},
	"podman": func(t *testing.T, _ string) string {
		dir, podman := newLayout(t), newPodman(t)
		podman.run("load", "-q", "-i", helloArchive)
		podman.run("save", "-q", "--format", "oci-dir", "-o", dir, "localhost/hello:1.0")
		return dir
	},
	"containerd 1": func(t *testing.T, from string) string {
		return exportedBy(t, startContainerd(t, "containerd", "ctr", 2), from)
	},
	"containerd 2": func(t *testing.T, from string) string {
		return exportedBy(t, startContainerd(t, "containerd2", "ctr2", 3), from)
	},
}

// exportedBy is the directory of what containerd exports of a layout's images.
func exportedBy(t *testing.T, c containerd, from string) string {
	t.Helper()
	archive, back, dir := file(t, "there.tar"), file(t, "back.tar"), newLayout(t)
	us(t, "export", from, archive)
	c.load(archive)
	c.save(back, helloNames...)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "tar", "-C", dir, "-xf", back)
	return dir
}

// What is put into each entry and beside them: spellings that do not survive a
// decoder and an encoder.
const (
	oddFields      = `"x.tool": {"n":1.50, "big":12345678901234567890, "e":1E3,"s":"\u003c<&\/"}, "Digest2":null ,`
	oddAnnotations = `"com.example.Keep": "a <&> b","com.example.keep":"\u00e9\ud83d\ude00" ,`
	oddTop         = "{ \"x.top\":[1.0, {\"b\":1,\"a\":2}] ,\n\t\"x.other\": \"\\u00e9\","
)

// foreignIndex is an index.json by its pieces.
type foreignIndex struct {
	manifests []string
	others    map[string]string
}

func readForeign(t *testing.T, dir string) foreignIndex {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var top map[string]json.RawMessage
	decode(t, string(data), &top)
	var list []json.RawMessage
	decode(t, string(top["manifests"]), &list)
	delete(top, "manifests")
	x := foreignIndex{others: map[string]string{}}
	for _, raw := range list {
		x.manifests = append(x.manifests, string(raw))
	}
	for key, raw := range top {
		x.others[key] = string(raw)
	}
	return x
}

// addOddities puts unknown fields and annotations into a layout's index.json and
// into each of its entries.
func addOddities(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "index.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range readForeign(t, dir).manifests {
		fresh := []byte("{" + oddFields + raw[1:])
		if annotations := []byte(`"annotations"`); bytes.Contains(fresh, annotations) {
			at := bytes.Index(fresh, annotations)
			at += bytes.IndexByte(fresh[at:], '{') + 1
			fresh = slices.Insert(fresh, at, []byte(oddAnnotations)...)
		} else {
			fresh = append(fresh[:len(fresh)-1], `,"annotations":{`+oddAnnotations+`"z":""}}`...)
		}
		data = bytes.Replace(data, []byte(raw), fresh, 1)
	}
	data = append([]byte(oddTop), bytes.TrimSpace(data)[1:]...)
	if err := os.WriteFile(path, data, 0o644); err != nil || !json.Valid(data) {
		t.Fatalf("%v: %s", err, data)
	}
}

// TestForeignEntriesSurvive: entries of every tool, with fields and annotations that
// nobody knows, keep their bytes through tag, untag and copy, and so do the fields
// beside them.
func TestForeignEntriesSurvive(t *testing.T) {
	from := helloLayout(t)
	for name, write := range writers {
		t.Run(name, func(t *testing.T) { keepsForeign(t, write(t, from)) })
	}
}

// TestNoFalseAlarm: verify finds nothing wrong, nor anything to warn of, in what every
// tool wrote.
func TestNoFalseAlarm(t *testing.T) {
	from := helloLayout(t)
	for name, write := range writers {
		t.Run(name, func(t *testing.T) {
			var report struct {
				OK       bool
				Checked  struct{ Manifests int }
				Problems []struct{ ID, Severity, Digest, Message string }
			}
			decode(t, us(t, "verify", write(t, from), "--level", "full", "--format", "json"), &report)
			for _, p := range report.Problems {
				if p.Severity != "note" {
					t.Errorf("%+v", p)
				}
			}
			if !report.OK || report.Checked.Manifests == 0 {
				t.Errorf("got %+v", report)
			}
		})
	}
}

// keepsForeign adds oddities to a layout that another tool made, and takes it through
// tag, untag and copy.
func keepsForeign(t *testing.T, dir string) {
	t.Helper()
	addOddities(t, dir)
	before := readForeign(t, dir)
	first := dir + "@" + digestIn(t, before.manifests[0])

	us(t, "tag", first, "added", "example.com/added:v1")
	tagged := readForeign(t, dir)
	if got := len(tagged.manifests); got != len(before.manifests)+2 {
		t.Errorf("%d entries after two tags, were %d", got, len(before.manifests))
	}
	tagged.manifests = slices.DeleteFunc(tagged.manifests, func(raw string) bool { return !slices.Contains(before.manifests, raw) })
	wantForeign(t, "tag", tagged, before)

	us(t, "untag", dir+":added", dir+":example.com/added:v1")
	wantForeign(t, "untag", readForeign(t, dir), before)

	copied := newLayout(t)
	us(t, "copy", dir, copied)
	wantForeign(t, "copy", sorted(readForeign(t, copied)), sorted(before))
	t.Logf("%d entries kept their bytes, such as %s", len(before.manifests), before.manifests[0])
}

func digestIn(t *testing.T, entry string) string {
	t.Helper()
	var d struct{ Digest string }
	decode(t, entry, &d)
	return d.Digest
}

// sorted is x with its entries in the order of their bytes: those of a copy are in
// that of their class.
func sorted(x foreignIndex) foreignIndex {
	return foreignIndex{slices.Sorted(slices.Values(x.manifests)), x.others}
}

func wantForeign(t *testing.T, what string, got, want foreignIndex) {
	t.Helper()
	if !slices.Equal(got.manifests, want.manifests) {
		t.Errorf("entries after %s:\n%q\nwere\n%q", what, got.manifests, want.manifests)
	}
	for key, raw := range want.others {
		if got.others[key] != raw {
			t.Errorf("%s after %s: %s, was %s", key, what, got.others[key], raw)
		}
	}
	if want.others["x.top"] == "" || len(want.manifests) == 0 || !strings.Contains(want.manifests[0], oddFields) {
		t.Error("nothing odd is there to be kept")
	}
}
