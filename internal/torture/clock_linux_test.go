//go:build amd64

package torture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const year = 365 * 24 * time.Hour

// jumps are by how far the clock is put back, and forward.
var jumps = []time.Duration{-time.Hour, -10 * year, 10 * year}

// TestClockJumps puts the clock back, or forward, while a command runs: at many calls
// of each command on files. It does what it does on any other day, and what other
// commands say afterwards is what they say without a catalog. The clock is that of the
// command alone, whose questions to the kernel are answered with another time.
func TestClockJumps(t *testing.T) {
	asked(t)
	program := subject(t)
	canTrace(t, program)
	scene := filepath.Join(work, "scene-jumps")
	stage(t, scene)
	total := 0
	for i, c := range commands {
		t.Run(c.title, func(t *testing.T) {
			dir := filepath.Join(work, fmt.Sprintf("jumps-%d", i))
			o, undisturbed, err := record(dir, scene, program, c, false)
			if err != nil {
				t.Fatal(err)
			}
			var all []jump
			points := min(amount(3, 60), len(undisturbed.calls))
			for n := range points {
				for _, by := range jumps {
					all = append(all, jump{after: n * len(undisturbed.calls) / points, by: by})
				}
			}
			runs, told, wrong := make([]run, len(all)), 0, 0
			numbers := make([]int, len(all))
			for n := range numbers {
				numbers[n] = n
			}
			each(numbers, func(worker int, n int) {
				where := fmt.Sprintf("%s-%d", dir, worker)
				var err error
				if runs[n], err = leap(where, scene, program, c, o, all[n]); err != nil {
					t.Errorf("by %s from call %d on: %v", all[n].by, all[n].after, err)
				}
			})
			for _, r := range runs {
				told, wrong = told+r.told, wrong+r.wrong
			}
			t.Logf("%d jumps: the time of day was asked for %d times, %d of them after the jump", len(all), told, wrong)
			total += wrong
		})
	}
	if total == 0 {
		t.Error("no command has seen another time")
	}
}

// leap runs a command whose clock jumps, and checks what is left.
func leap(dir, scene, program string, c command, o outcome, j jump) (run, error) {
	if err := remake(dir, scene); err != nil {
		return run{}, err
	}
	r, err := trace(tracing{below: dir, dir: dir, env: environment(), jump: &j}, program, c.args...)
	if err != nil {
		return r, err
	}
	if r.exit != 0 {
		return r, fmt.Errorf("exit code %d: %s", r.exit, r.stderr)
	}
	target := filepath.Join(dir, c.target)
	err = errors.Join(o.done(dir, c), o.removed(dir, c), leftovers(dir, c, false), sound(target))
	if err != nil {
		return r, err
	}
	return r, errors.Join(sameAnswers(dir, c, program), swept(target))
}

// sameAnswers holds that the layout tells the same with its catalog as without.
func sameAnswers(dir string, c command, program string) error {
	bare := dir + "-bare"
	if err := remake(bare, dir); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(bare, c.target, ".ocilayout")); err != nil {
		return err
	}
	name := "app:v1"
	if c.target == "fresh" {
		name = "new:v1"
	}
	for _, args := range [][]string{
		{"ls", "--format", "json", c.target},
		{"referrers", "--format", "json", c.target + ":" + name},
		{"tree", "--format", "json", c.target},
	} {
		exit, with, err := execute(dir, program, args...)
		if err != nil {
			return err
		}
		exitBare, without, err := execute(bare, program, args...)
		if err != nil {
			return err
		}
		if exit != exitBare || with != without {
			return fmt.Errorf("%s: exit code %d, without a catalog %d:\n%s\n%s", strings.Join(args, " "), exit, exitBare, with, without)
		}
	}
	return nil
}

// TestClockBetweenCommands has a series of commands change one layout, each with
// another clock, most of them put back: all that was acknowledged is there, gc keeps
// what was just written whatever its clock says, and a catalog that was sealed at another
// time is not believed about an index.json which changed since.
func TestClockBetweenCommands(t *testing.T) {
	asked(t)
	program := subject(t)
	canTrace(t, program)
	dir := filepath.Join(work, "clock-between")
	stage(t, dir)
	path := filepath.Join(dir, "layout")
	blobs, err := blobsIn(path)
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	at := func(by time.Duration, args ...string) run {
		t.Helper()
		r, err := trace(tracing{below: dir, dir: dir, env: environment(), jump: &jump{by: by}}, program, args...)
		if err != nil || r.exit != 0 {
			t.Errorf("%v at %s: exit code %d, %s: %v", args, by, r.exit, r.stderr, err)
		}
		wrong += r.wrong
		return r
	}
	var told []string
	for round := range amount(2, 20) {
		for i, by := range append([]time.Duration{0}, jumps...) {
			name := func(what string) string { return fmt.Sprintf("%s-%d-%d", what, round, i) }
			at(by, "tag", "layout:app:v1", name("tag"))
			at(by, "import", "in/new.tar", "layout:"+name("import"), "--name", "new:v2")
			at(by, "mutate", "layout:app:v1", "--tag", name("mutate"), "--label", "l="+name("mutate"))
			at(by, "attach", "layout:app:v1", "in/note.txt:text/plain", "--annotation", "n="+name("note"))
			told = append(told, name("tag"), name("import"), name("mutate"))
			at(by, "prune", "--untagged", "--older-than", "7300d", "layout")

			// What nothing reaches is as old as this test, or younger than the future.
			if by < time.Hour {
				at(by, "gc", "layout")
				now, err := blobsIn(path)
				if err != nil {
					t.Fatal(err)
				}
				for _, b := range blobs {
					if !slices.Contains(now, b) {
						t.Errorf("gc at %s removed %s, which is young", by, b)
					}
				}
			}

			// A question at this time seals the catalog; then a name of the same length takes
			// the place of another, as other tools write: in place.
			at(by, "referrers", "layout:app:v1")
			index := filepath.Join(path, "index.json")
			old, err := os.ReadFile(index)
			if err != nil {
				t.Fatal(err)
			}
			was, is := name("mutate"), name("swapat")
			if err := os.WriteFile(index, []byte(strings.ReplaceAll(string(old), was, is)), 0o644); err != nil {
				t.Fatal(err)
			}
			if got := at(by, "ls", "layout").stdout; strings.Contains(got, was) || !strings.Contains(got, is) {
				t.Errorf("at %s ls tells of a name that another tool has changed:\n%s", by, got)
			}
			if err := sameAnswers(dir, command{target: "layout"}, program); err != nil {
				t.Errorf("at %s: %v", by, err)
			}
			if err := os.WriteFile(index, old, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	there, err := names(path)
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, name := range told {
		if _, ok := there[name]; !ok {
			t.Errorf("%s was acknowledged and is not there", name)
			continue
		}
		kept++
	}
	if err := sound(path); err != nil {
		t.Error(err)
	}
	if wrong == 0 {
		t.Error("no command has seen another time")
	}
	t.Logf("%d of %d acknowledged names kept; a shifted time of day was told %d times", kept, len(told), wrong)
}
