//go:build full

package interop

import (
	"maps"
	"regexp"
	"slices"
	"testing"
)

// loadedImage is a name that docker load says it loaded.
var loadedImage = regexp.MustCompile(`(?m)^Loaded image: (.*)$`)

// TestFullConsumers: today's docker loads what is written for docker, whichever store
// it has, and for the store that it has, which needs some of the rules.
func TestFullConsumers(t *testing.T) {
	d, said := startTodaysDocker(t), []string{}
	c := loader{
		load: func(archive string) (string, error) {
			text, err := output(d.command("load", "-i", archive))
			said = nil
			for _, found := range loadedImage.FindAllStringSubmatch(text, -1) {
				said = append(said, found[1])
			}
			return text, err
		},
		// Names of what it takes for no image are not in its list.
		names: func() []string {
			names := append(slices.Collect(maps.Keys(d.list())), said...)
			slices.Sort(names)
			return slices.Compact(names)
		},
		clear: func() {
			for _, name := range said {
				d.run("rmi", "-f", name)
			}
			for _, id := range d.list() {
				d.run("rmi", "-f", id)
			}
			said = nil
		},
	}
	for _, consumer := range []string{"docker", "docker-containerd"} {
		t.Run(consumer, func(t *testing.T) {
			d.t = t
			loadsAsPrinted(t, c, consumer, everything(t), nil, []string{appName, dbName})
			c.clear()
		})
	}
	for _, rule := range []string{"fallback-tag", "cosign-tag", "artifact", "name-missing", "name-repository", "name-twice", "something"} {
		t.Run(rule, func(t *testing.T) {
			d.t = t
			i := slices.IndexFunc(brokenCases, func(b brokenCase) bool { return b.rule == rule })
			brokenCases[i].run(t, c, "docker-containerd")
		})
	}
}
