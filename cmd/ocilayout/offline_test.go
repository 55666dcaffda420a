package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// withoutNetwork is the command that runs another one without a network, or nil where
// that can't be.
var withoutNetwork = sync.OnceValue(func() []string {
	for _, way := range [][]string{{"unshare", "-n"}, {"unshare", "-rn"}} { // as root, or anybody
		if exec.Command(way[0], append(slices.Clone(way[1:]), "true")...).Run() == nil {
			return way
		}
	}
	return nil
})

// scriptOffline is exits for a program without a network.
func scriptOffline(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: offline N PROGRAM ARG...")
	}
	scriptExits(ts, neg, slices.Concat(args[:1], withoutNetwork(), args[1:]))
}

// TestOfflineHasAll: the script about working without a network leaves out no command.
func TestOfflineHasAll(t *testing.T) {
	script, err := os.ReadFile(filepath.Join("testdata", "script", "offline.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range commandTable() {
		line := `(?m)^(\[linux\] )?offline \d ocilayout ` + strings.ReplaceAll(regexp.QuoteMeta(c.name), " ", " +") + `( |$)`
		if !regexp.MustCompile(line).Match(script) {
			t.Errorf("offline.txtar does not run %s", c.name)
		}
	}
}
