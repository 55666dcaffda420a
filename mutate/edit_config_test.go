package mutate_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/mutate"
)

// The parts of a config around its field config, with odd spellings.
const (
	confHead = `{ "os" : "linux","architecture":"\u0061md64","config":`
	confTail = `,"rootfs":{"type":"layers", "diff_ids":["` + diffID + `"]},"history":[{"created_by":"a"}], "x":[1.0,2e0] }`
	newHead  = `{"os":"linux","architecture":"\u0061md64","config":`
	newTail  = `,"rootfs":{"type":"layers", "diff_ids":["` + diffID + `"]},"history":[{"created_by":"a"}],"x":[1.0,2e0]}`
)

// TestConfigEdits holds every edit of the config to the exact bytes that it leaves. An
// empty want says that nothing changes.
func TestConfigEdits(t *testing.T) {
	for _, test := range []struct {
		name, had, want string
		edits           []string
	}{
		{"entrypoint", `{}`, `{"Entrypoint":["/app","-v"]}`, []string{`entrypoint ["/app", "-v"]`}},
		{"entrypoint in place", `{"Entrypoint":["a"],"y":1.50}`, `{"Entrypoint":["/bin/sh","-c","exec a <b"],"y":1.50}`, []string{`entrypoint exec a <b`}},
		{"entrypoint goes", `{"Entrypoint":["a"],"Cmd":["b"]}`, `{"Cmd":["b"]}`, []string{"entrypoint "}},
		{"entrypoint of no words", `{"Entrypoint":["a"],"Cmd":["b"]}`, `{"Cmd":["b"]}`, []string{"entrypoint []"}},
		{"entrypoint as it is", `{"Entrypoint":[ "\u0061" ]}`, ``, []string{`entrypoint ["a"]`}},
		{"cmd with a test", `null`, `{"Cmd":["/bin/sh","-c","[ -f /x ] && run, now"]}`, []string{"cmd [ -f /x ] && run, now"}},
		{"cmd selected", `{}`, `{"Cmd":["a"]}`, []string{`cmd [linux/arm64]["b"]`, `cmd [linux/amd64]["a"]`}},
		{"env keeps its order", `{"Env":["A=1", "B\u003d2","C=3"]}`, `{"Env":["A=1","B=x,y","C=3"]}`, []string{"env B=x,y"}},
		{"env that is new", `{"Env":["\u0041=1"]}`, `{"Env":["\u0041=1","D=a=b"]}`, []string{"env D=a=b"}},
		{"env goes", `{"Env":["A=1","\u0042=2","C=3"]}`, `{"Env":["A=1","C=3"]}`, []string{"env B="}},
		{"the last env goes", `{"Env":["A=1"],"User":""}`, `{"User":""}`, []string{"env A="}},
		{"env there twice", `{"Env":["A=1","B=2","A=3"]}`, `{"Env":["A=2","B=2"]}`, []string{"env A=2"}},
		{"env as it is", `{"Env":["A=1", "B=2"]}`, ``, []string{"env A=1", "env C="}},
		{"env in another spelling", `{"env":["A=1"]}`, `{"env":["A=2"]}`, []string{"env A=2"}},
		{"label", `{"Labels":{"a.b":"1", "c":"\u0031"}}`, `{"Labels":{"a.b":"x","c":"\u0031","A.b":"2"}}`, []string{"label a.b=x", "label A.b=2", "label c=1"}},
		{"label goes", `{"Labels":{"a":"1","b":"2"}}`, `{"Labels":{"b":"2"}}`, []string{"label a="}},
		{"the last label goes", `{"Labels":{"a":"1"}}`, `{}`, []string{"label a="}},
		{"labels that are null", `{"Labels":null}`, `{"Labels":{"a":"1"}}`, []string{"label a=1"}},
		{"user", `{"User":"root"}`, `{"User":"1000:staff"}`, []string{"user 1000:staff"}},
		{"user goes", `{"User":"root"}`, `{}`, []string{"user "}},
		{"workdir", `{"WorkingDir":"/"}`, `{"WorkingDir":"/srv"}`, []string{"workdir /srv"}},
		{"expose", `{"ExposedPorts":{"53/udp":{}}}`, `{"ExposedPorts":{"53/udp":{},"8080/tcp":{}}}`, []string{"expose 8080", "expose 53/udp"}},
		{"expose what is short", `{"ExposedPorts":{"80":{}}}`, `{"ExposedPorts":{"80/tcp":{}}}`, []string{"expose 80/tcp"}},
		{"expose goes", `{"ExposedPorts":{"80":{},"53/udp":{ }}}`, `{"ExposedPorts":{"53/udp":{ }}}`, []string{"expose 80/tcp="}},
		{"volume", `{"Volumes":{"/a":{}}}`, `{"Volumes":{"/b=c":{}}}`, []string{"volume /b=c", "volume /a="}},
		{"stop-signal", `{}`, `{"StopSignal":"SIGRTMIN+3"}`, []string{"stop-signal SIGRTMIN+3"}},
		{"healthcheck", `{"Healthcheck":{"Test":["NONE"]}}`, `{"Healthcheck":{"Test":["CMD","a"], "Interval":1000000}}`, []string{`healthcheck {"Test":["CMD","a"], "Interval":1000000}`}},
		{"healthcheck goes", `{"Healthcheck":{"Test":["NONE"]}}`, `{}`, []string{"healthcheck "}},
		{"clear", `{"Env":["A=1"],"Labels":{"a":"1"},"OnBuild":["RUN a"],"Cmd":["a"]}`, `{"Cmd":["a"]}`, []string{"clear env,label,onbuild"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, r := edited(t, rawImage(confHead+test.had+confTail, ""), flags(t, test.edits...)...)
			want := newHead + test.want + newTail
			if test.want == "" {
				want = confHead + test.had + confTail
			}
			if got := configOf(t, l, r.Entry.Descriptor); got != want {
				t.Errorf("config is\n%s, want\n%s", got, want)
			}
			if (r.New != r.Old) != (test.want != "") {
				t.Errorf("changed: %v", r.New != r.Old)
			}
		})
	}
}

// TestTopEdits does the same for fields beside config.
func TestTopEdits(t *testing.T) {
	const tail = `"rootfs":{"type":"layers","diff_ids":["` + diffID + `"]}`
	for _, test := range []struct {
		name, had, want string
		edits           []string
	}{
		{"author", `{"author":"a\u0062",`, `{"author":"me, & you",`, []string{"author me, & you"}},
		{"author goes", `{"author":"ab",`, `{`, []string{"author "}},
		{"created", `{"created":"2020-01-01T00:00:00Z",`, `{"created":"2026-11-25T12:00:00.50+01:00",`, []string{"created 2026-11-25T12:00:00.50+01:00"}},
		{"created now", `{"created":"2020-01-01T00:00:00Z",`, `{"created":"2023-11-14T22:13:20Z",`, []string{"created now"}},
		{"clear", `{"author":"a","created":"2020-01-01T00:00:00Z",`, `{`, []string{"clear author,created"}},
		{"set-platform", `{"architecture":"amd64","os":"linux","os.version":"1","x":0.0,`, `{"architecture":"arm","os":"linux","x":0.0,"variant":"v7",`, []string{"set-platform linux/arm"}},
		{"set-platform with features", `{"architecture":"amd64","os":"linux",`, `{"architecture":"amd64","os":"windows","os.version":"10.0","os.features":["win32k"],`, []string{"set-platform windows(10.0+win32k)/amd64"}},
		{"no-history", `{"history":[{"created_by":"a"}],`, `{`, []string{"no-history"}},
		{"clear history", `{"history":[{"created_by":"a"}],`, `{`, []string{"clear history"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, r := edited(t, rawImage(test.had+tail+"}", ""), flags(t, test.edits...)...)
			head, rest, ok := strings.Cut(configOf(t, l, r.Entry.Descriptor), tail)
			if got := head + strings.TrimPrefix(strings.TrimSuffix(rest, "}"), ","); !ok || sortedFields(got) != sortedFields(test.want) {
				t.Errorf("config is\n%s without rootfs, want\n%s", got, test.want)
			}
		})
	}
}

// sortedFields is text that says where new fields stand in a config no more.
func sortedFields(text string) string { return strings.Trim(text, "{,") }

func TestHistory(t *testing.T) {
	l, r := edited(t, rawImage(confHead+"{}"+confTail, ""), flags(t, "history strip & sign")...)
	want := `[{"created_by":"a"},{"created":"2023-11-14T22:13:20Z","created_by":"strip & sign","empty_layer":true}]`
	if got := configOf(t, l, r.Entry.Descriptor); !strings.Contains(got, want) {
		t.Errorf("config is %s, want history %s", got, want)
	}
}

// TestPlatformInIndex changes the platform of one image of an index.
func TestPlatformInIndex(t *testing.T) {
	l, d := twoPlatforms()
	dst, r := edited(t, l, flags(t, "set-platform [linux/arm64]linux/arm/v6", "label [linux/arm/v6]a=b", "label [linux/arm64]c=d")...)
	m := manifestOf(t, dst, r.Entry.Descriptor)
	if len(m.Manifests) != 2 || !content.SameContent(m.Manifests[0], d[0]) || content.FormatPlatform(*m.Manifests[1].Platform) != "linux/arm/v6" {
		t.Fatalf("index lists %+v", m.Manifests)
	}
	if conf := configOf(t, dst, m.Manifests[1]); !strings.Contains(conf, `"Labels":{"a":"b"}`) || !strings.Contains(conf, `"variant":"v6"`) {
		t.Errorf("config is %s", conf)
	}
}

// twoPlatforms is a layout with an index v1 of images for linux/amd64 and linux/arm64.
func twoPlatforms() (*build.Layout, []content.Descriptor) {
	l := build.NewLayout()
	d := []content.Descriptor{
		l.Image(build.Image{Annotations: map[string]string{"same": "1", "other": "amd64"}}),
		l.Image(build.Image{Platform: content.Platform{OS: "linux", Architecture: "arm64"}, Annotations: map[string]string{"other": "arm64", "same": "1"}}),
	}
	l.Tag("v1", l.Index(d...))
	return l, d
}

// TestRefusedFlags gives values that no edit is made of.
func TestRefusedFlags(t *testing.T) {
	for _, text := range []string{
		`cmd ["a"`, `entrypoint [ "a", 1 ]`, "env =x", "env ", "env PATH", "label a", "annotation a", "env [linux/arm64]PATH", "env [linux/amd64,a/b/c/d]A=1", "env [what]A=1", "env [linux/amd/64/x]A=1",
		"env A=\xff", "label A=\x00", "expose 0", "expose 70000/tcp", "expose 80/tls", "expose =", "volume ", "volume data", "workdir srv", "stop-signal sigterm now",
		`healthcheck {"Test":["RUN"]}`, `healthcheck {"Test":[],"Interval":5}`, `healthcheck {"Interval":"30s"}`, `healthcheck {"Test":["NONE"],"Test":["NONE"]}`,
		`healthcheck {"test":["NONE"]}`, "healthcheck []", `healthcheck {"Retries":-1}`, "created yesterday", "set-platform ", "set-platform linux", "layer-add dir=.,platform=linux", "env [linux]A=1", "env [linux/arm64,windows]A=1", "clear env,nothing", "clear ",
		"history ", "build-arg-rm =x", "build-arg-rm ", "build-arg-rm-regex (", "annotation-base a,b", "annotation-base ,sha256:" + strings.Repeat("a", 64),
		"data-max -1", "data-max many", "digest-algo md5",
	} {
		if e, err := tryFlag(text, testEnv); !errors.Is(err, content.ErrInvalid) {
			t.Errorf("%s: %+v, %v, want ErrInvalid", text, e, err)
		}
	}
}

// TestRefusedEdits applies edits that an image can't take.
func TestRefusedEdits(t *testing.T) {
	index, _ := twoPlatforms()
	chart := build.NewLayout()
	chart.Tag("v1", chart.Artifact("text/report", nil, []byte("x")))
	for _, test := range []struct {
		name string
		l    *build.Layout
		edit string
		want error
	}{
		{"a directory on a drive, on linux", build.Hello(), `workdir C:\srv`, content.ErrInvalid},
		{"a volume on a drive, on linux", build.Hello(), `volume C:\data`, content.ErrInvalid},
		{"two images for one platform", index, "set-platform linux/amd64", content.ErrInvalid},
		{"an artifact", chart, "env A=1", content.ErrUnsupported},
		{"an artifact's history", chart, "no-history", content.ErrUnsupported},
		{"no history", rawImage(`{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["`+diffID+`"]}}`, ""), "history x", content.ErrUnsupported},
		{"a list that is none", rawImage(confHead+`{"Env":[ 1 ]}`+confTail, ""), "env A=1", content.ErrCorrupt},
		{"a map that is none", rawImage(confHead+`{"Labels":[]}`+confTail, ""), "label A=1", content.ErrCorrupt},
		{"one key in two spellings", rawImage(confHead+`{"Env":[],"env":[]}`+confTail, ""), "env A=1", content.ErrCorrupt},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := tryApply(t, openedBroken(t, test.l), flags(t, test.edit)...); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

// TestArtifactInIndex has an edit pass over what is no image.
func TestArtifactInIndex(t *testing.T) {
	l := build.NewLayout()
	image := l.Image(build.Image{})
	artifact := l.Artifact("text/report", nil, []byte("x"))
	l.Tag("v1", l.Index(image, artifact))
	dst, r := edited(t, l, flags(t, "env A=1", "user me", "no-history", "clear cmd")...)
	m := manifestOf(t, dst, r.Entry.Descriptor)
	if !content.SameContent(m.Manifests[1], artifact) || content.SameContent(m.Manifests[0], image) {
		t.Errorf("index lists %+v", m.Manifests)
	}
}

// TestFlagsAreWhole holds that every flag says what it does, once.
func TestFlagsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range mutate.Flags() {
		if seen[f.Name] || f.Usage == "" || f.Parse == nil || f.Bare == strings.Contains(f.Usage, "`") {
			t.Errorf("%s: %q", f.Name, f.Usage)
		}
		seen[f.Name] = true
	}
}

// TestFlagsAlone parses what needs a layout where there is none.
func TestFlagsAlone(t *testing.T) {
	for _, text := range []string{"annotation-base :v1", "time set=1,base=:v1", "to-oci-referrers "} {
		if _, err := tryFlag(text, mutate.FlagEnv{}); !errors.Is(err, content.ErrUnsupported) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
