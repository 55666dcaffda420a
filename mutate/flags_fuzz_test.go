package mutate_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
	"github.com/ocilayout/ocilayout/internal/testkit/build"
	"github.com/ocilayout/ocilayout/layout"
	"github.com/ocilayout/ocilayout/mutate"
)

// FuzzFlags: whatever the value of a flag is, it is an edit or an error of one line
// that says what is wrong with it.
func FuzzFlags(f *testing.F) {
	flags := mutate.Flags()
	for i := range flags {
		for _, value := range []string{
			"", "a=b", "[linux/arm64]a=b", "[*]1", "2-4", `["sh","-c","x"]`, "sh -c x", "set=2023-01-02,after=now,base-layers=1",
			"dir=/x,dest=/y,owner=1:2,mode=0644,platform=linux/arm/v7", "8080/udp", "gzip:9", "linux/amd64",
			`{"Test":["NONE"]}`, "env,label", "*.pyc", "/etc/x=max=1700000000",
		} {
			f.Add(uint8(i), value)
		}
	}
	r, err := layout.OpenReader(testkit.Layout(f, build.Hello()), layout.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = r.Close() })
	f.Fuzz(func(t *testing.T, n uint8, value string) {
		flag := flags[int(n)%len(flags)]
		env := testEnv
		env.Layout = r
		env.Resolve = func(ref string) (content.Fetcher, content.Descriptor, error) {
			return nil, content.Descriptor{}, content.Errorf(content.ErrNotFound, "%q is not there", ref)
		}
		_, err := flag.Parse(value, env)
		if err == nil {
			return
		}
		if !errors.Is(err, content.ErrInvalid) && !errors.Is(err, content.ErrNotFound) {
			t.Errorf("--%s %q: an error of no kind: %v", flag.Name, value, err)
		}
		if strings.ContainsAny(err.Error(), "\r\n") && !strings.ContainsAny(value, "\r\n") {
			t.Errorf("--%s %q: an error of several lines: %q", flag.Name, value, err)
		}
	})
}
