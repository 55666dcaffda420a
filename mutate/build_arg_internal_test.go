package mutate

import (
	"strings"
	"testing"
)

// FuzzBuildArgText takes an argument out of any text: what does not name it stays, and
// doing it again changes nothing.
func FuzzBuildArgText(f *testing.F) {
	for _, text := range []string{
		"ARG TOKEN=x", "/bin/sh -c #(nop)  ARG TOKEN", "ARG A=1 TOKEN=2 B", "|1 TOKEN=x /bin/sh -c y", "RUN |2 A=1 TOKEN=a b /bin/sh -c y # buildkit",
		"RUN |3 TOKEN=", "RUN |9999 TOKEN=a TOKEN=b", "|1  TOKEN=x", "ARG ", "RUN |1 TOKEN=\n /bin/sh -c ", "ARG TOKEN= =",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		scan := func(text string) (string, error) {
			s := newArgScan(RemoveBuildArgs{Name: "TOKEN"}, []string{"/bin/sh -c"})
			s.learn(text)
			return s.text(text)
		}
		left, err := scan(text)
		if !strings.Contains(text, "TOKEN") && (left != text || err != nil) {
			t.Errorf("%q became %q, %v", text, left, err)
		}
		if err != nil || len(left) > len(text) {
			return
		}
		if again, err := scan(left); err == nil && again != left && strings.Count(text, "TOKEN") < 2 {
			t.Errorf("%q became %q and then %q", text, left, again)
		}
	})
}
