package mutate_test

import (
	"errors"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
)

// stepsImage is an image with texts in its history; the last one has the layer.
func stepsImage(edit func(*ocispec.Image), texts ...string) *build.Layout {
	l := build.NewLayout()
	l.Tag("v1", l.Image(build.Image{EditConfig: func(c *ocispec.Image) {
		c.History = nil
		for i, text := range texts {
			c.History = append(c.History, ocispec.History{CreatedBy: text, EmptyLayer: i+1 < len(texts)})
		}
		if edit != nil {
			edit(c)
		}
	}}))
	return l
}

func stepsOf(t *testing.T, l *layout.Layout, d content.Descriptor) []string {
	t.Helper()
	c, _, err := content.FetchConfig(t.Context(), l, *manifestOf(t, l, d).Config, content.Limits{}.WithDefaults())
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, h := range c.History {
		texts = append(texts, h.CreatedBy)
	}
	return texts
}

const nop = "/bin/sh -c #(nop)  "

// TestBuildArgs takes arguments out of texts as BuildKit and classic docker write them.
func TestBuildArgs(t *testing.T) {
	for _, test := range []struct {
		name, edit string
		had, want  []string
	}{
		{"buildkit", "build-arg-rm TOKEN",
			[]string{"FROM x", "ARG TOKEN=s3cret", "RUN |1 TOKEN=s3cret /bin/sh -c make TOKEN=1 # buildkit"},
			[]string{"FROM x", "RUN /bin/sh -c make TOKEN=1 # buildkit"}},
		{"classic", "build-arg-rm TOKEN",
			[]string{nop + "ARG TOKEN", nop + "ARG A=1", "|2 A=1 TOKEN=s3cret /bin/sh -c make"},
			[]string{nop + "ARG A=1", "|1 A=1 /bin/sh -c make"}},
		{"the first of three", "build-arg-rm A", []string{"RUN |3 A=1 B=2 C=3 /bin/sh -c x"}, []string{"RUN |2 B=2 C=3 /bin/sh -c x"}},
		{"not part of a name", "build-arg-rm TOKEN", []string{"ARG MYTOKEN=1", "RUN |1 MYTOKEN=1 /bin/sh -c TOKEN=2 x"}, nil},
		{"not part of a value", "build-arg-rm TOKEN=abc", []string{"ARG TOKEN=abcd", "RUN |1 TOKEN=abcd /bin/sh -c x"}, nil},
		{"a value", "build-arg-rm TOKEN=abc", []string{"ARG TOKEN=abc", "ARG TOKEN=default", "RUN |2 A=1 TOKEN=abc /bin/sh -c x"},
			[]string{"ARG TOKEN=default", "RUN |1 A=1 /bin/sh -c x"}},
		{"a value with spaces", "build-arg-rm TOKEN=two words=1", []string{"ARG TOKEN", "RUN |1 TOKEN=two words=1 make all"}, []string{"RUN make all"}},
		{"spaces before a shell", "build-arg-rm TOKEN", []string{"ARG TOKEN=two words", "ARG B", "RUN |2 B=x y TOKEN=two words /bin/sh -c x"},
			[]string{"ARG B", "RUN |1 B=x y /bin/sh -c x"}},
		{"equal signs in values", "build-arg-rm B", []string{"ARG A", "ARG B", "RUN |2 A=1 x=2 B=3 y=4 /bin/sh -c x"}, []string{"ARG A", "RUN |1 A=1 x=2 /bin/sh -c x"}},
		{"its own shell", "build-arg-rm B", []string{"SHELL [/bin/zsh -e -c]", "RUN |1 B=a b /bin/zsh -e -c x"}, []string{"SHELL [/bin/zsh -e -c]", "RUN /bin/zsh -e -c x"}},
		{"several lines", "build-arg-rm KEY", []string{"ARG KEY=-----BEGIN\nA B=\n-----END", "RUN |1 KEY=-----BEGIN\nA B=\n-----END /bin/sh -c x\ny "}, []string{"RUN /bin/sh -c x\ny "}},
		{"several in one", "build-arg-rm B", []string{"ARG A=1 B=2 C=3", "x"}, []string{"ARG A=1 C=3", "x"}},
		{"the layer's own entry", "build-arg-rm B", []string{"x", "ARG B=1"}, []string{"x", "ARG"}},
		{"another one of an exec form", "build-arg-rm A", []string{"ARG A", "ARG B", "RUN |2 A=1 B=2 make all"}, []string{"ARG B", "RUN |1 B=2 make all"}},
		{"an end that another entry tells", "build-arg-rm TOKEN", []string{"ARG TOKEN", "RUN |1 TOKEN=two words make all", "RUN |1 TOKEN=two words /bin/sh -c x"}, []string{"RUN make all", "RUN /bin/sh -c x"}},
		{"an end that the declaration tells", "build-arg-rm-regex TOKEN=.*", []string{"ARG TOKEN=two words", "RUN |1 TOKEN=two words make all"}, []string{"RUN make all"}},
		{"pattern", "build-arg-rm-regex (TOKEN|.*_KEY)=.+", []string{"ARG TOKEN", "ARG MY_KEY=1", "ARG A=1", "RUN |3 A=1 MY_KEY=1 TOKEN=2 /bin/sh -c x"},
			[]string{"ARG TOKEN", "ARG A=1", "RUN |1 A=1 /bin/sh -c x"}},
		{"pattern of a whole", "build-arg-rm-regex OKEN=.*", []string{"RUN |1 TOKEN=2 /bin/sh -c x"}, nil},
		{"pattern and an open end", "build-arg-rm-regex A=.*", []string{"ARG A", "ARG B", "RUN |2 A=1 B=2 make"}, []string{"ARG B", "RUN |1 B=2 make"}},
		{"podman counts words", "build-arg-rm TOKEN", []string{nop + "ARG A TOKEN", "|5 A=some TOKEN=s3cret words=|1 and more /bin/sh -c x"}, []string{nop + "ARG A", "|1 A=some /bin/sh -c x"}},
		{"podman's words by value", "build-arg-rm TOKEN=a b", []string{nop + "ARG A TOKEN", "|4 A=1 2 TOKEN=a b /bin/sh -c x"}, []string{nop + "ARG A", "|2 A=1 2 /bin/sh -c x"}},
		{"podman's words of another", "build-arg-rm A", []string{nop + "ARG A TOKEN", "|4 A=1 2 TOKEN=a b /bin/sh -c x"}, []string{nop + "ARG TOKEN", "|2 TOKEN=a b /bin/sh -c x"}},
		{"no arguments", "build-arg-rm A", []string{"RUN |0 /bin/sh -c A=1", "RUN |99999 A=1 x", "ARGS A=1", "COPY A=1 /", "RUN |01 B=1 /bin/sh -c x", "/bin/sh -c echo '#(nop) ARG A=1'", "RUN echo #(nop) ARG A=1"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := test.want
			if want == nil {
				want = test.had
			}
			l, r := edited(t, stepsImage(nil, test.had...), flags(t, test.edit)...)
			if got := stepsOf(t, l, r.Entry.Descriptor); strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("history is\n%q, want\n%q", got, want)
			}
			if none := len(r.Warnings) == 1 && strings.Contains(r.Warnings[0], "no build argument"); none != (test.want == nil) {
				t.Errorf("warnings: %q", r.Warnings)
			}
		})
	}
}

// TestBuildArgUnclear has the secret, with a space in it, in front of a command that no
// shell runs: half of it would stay.
func TestBuildArgUnclear(t *testing.T) {
	for _, steps := range [][]string{
		{"ARG TOKEN", "RUN |1 TOKEN=two words make all"},
		{"ARG A", "RUN |2 A=1 TOKEN=two words make all"},
		{"RUN |2 TOKEN=two words=1 A=1 make all"},
		{"RUN |2 TOKEN=two words=1 A=1 /bin/sh -c make"},
		{"ARG TOKEN", "ARG A", "RUN |1 TOKEN=two A=1 /bin/sh -c make"},
		{"ARG TOKEN", "RUN |2 TOKEN=two words=1 /bin/sh -c make"},
	} {
		for _, text := range []string{"build-arg-rm TOKEN", "build-arg-rm-regex TOKEN=.*"} {
			if _, err := tryApply(t, opened(t, stepsImage(nil, steps...)), flags(t, text)...); !errors.Is(err, content.ErrAmbiguous) {
				t.Errorf("%s of %q: %v, want ErrAmbiguous", text, steps, err)
			}
		}
	}
}

// TestBuildArgElsewhere warns of what else has the value.
func TestBuildArgElsewhere(t *testing.T) {
	_, r := edited(t, stepsImage(func(c *ocispec.Image) {
		c.Config.Env = []string{"NPM=s3cret<"}
		c.Author = "s3cret"
	}, "ENV NPM=s3cret<", "RUN |1 TOKEN=s3cret< /bin/sh -c x"), flags(t, "build-arg-rm TOKEN")...)
	if all := strings.Join(r.Warnings, "\n"); len(r.Warnings) != 2 || !strings.Contains(all, "still in history entry 1") || !strings.Contains(all, "still in the config's config") {
		t.Errorf("warnings: %q", r.Warnings)
	}
	for _, warning := range r.Warnings {
		if strings.Contains(warning, "s3cret") {
			t.Errorf("a warning tells the secret: %s", warning)
		}
	}
}

// TestBuildInfo warns of the arguments that BuildKit keeps in base64.
func TestBuildInfo(t *testing.T) {
	config := `{"os":"linux","architecture":"amd64","moby.buildkit.buildinfo.v1":"eyJhIjoiczNjcmV0In0=","rootfs":{"type":"layers","diff_ids":["` + diffID + `"]},` +
		`"history":[{"created_by":"RUN |1 T=s3cret /bin/sh -c x"}]}`
	_, r := edited(t, rawImage(config, ""), flags(t, "build-arg-rm T=s3cret")...)
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "moby.buildkit.buildinfo.v1") {
		t.Errorf("warnings: %q", r.Warnings)
	}
}
