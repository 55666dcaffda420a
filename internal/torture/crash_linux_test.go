//go:build amd64

package torture

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A replay checks the crash states of one recorded run.
type replay struct {
	command command
	outcome outcome
	calls   []call
	root    string // that the calls' paths begin with
	before  string // a directory as the run found it
	scratch string // where states are laid out
	skip    string // the file or directory whose syncs are left out, if any
	random  *rand.Rand
	more    int  // fates at random, for each moment
	stop    bool // at the first wrong state

	moments, states, wrong int
	first                  error
	checked                map[[32]byte]bool
}

// moment is when a call begins or ends.
type moment struct {
	at  int
	c   call
	end bool
}

// run replays the calls, and at each moment checks what a power cut may leave.
func (p *replay) run() error {
	d, err := loadDisk(p.before)
	if err != nil {
		return err
	}
	var moments []moment
	for _, c := range p.calls {
		if c.kind == "read" || c.kind == "stat" || c.kind == "flock" {
			continue
		}
		moments = append(moments, moment{c.began, c, false}, moment{c.ended, c, true})
	}
	slices.SortFunc(moments, func(a, b moment) int { return a.at - b.at })
	p.checked = map[[32]byte]bool{}
	for i, m := range moments {
		switch {
		case m.end:
			if m.c.path != p.skip {
				d.sync(p.root, m.c)
			}
		default:
			if err := d.begin(p.root, m.c); err != nil {
				return err
			}
		}
		p.moments++
		if err := p.check(d, i == len(moments)-1); err != nil {
			return err
		}
		if p.stop && p.wrong > 0 {
			return nil
		}
	}
	if err := same(d.seen(), p.root); err != nil {
		return fmt.Errorf("the record is not whole: %w", err)
	}
	return nil
}

func (p *replay) check(d *disk, acknowledged bool) error {
	for _, f := range fates(p.random, p.more) {
		tree := d.crash(f)
		maps.DeleteFunc(tree, func(path string, _ []byte) bool {
			first, _, _ := strings.Cut(path, "/")
			return first != p.command.target && first != "out" // what is only read
		})
		sum := digestOf(tree, acknowledged)
		if p.checked[sum] {
			continue
		}
		p.checked[sum] = true
		p.states++
		if err := lay(tree, p.scratch); err != nil {
			return err
		}
		if err := p.judge(acknowledged); err != nil {
			p.wrong++
			if p.first == nil {
				p.first = err
			}
		}
	}
	return nil
}

// judge says what is wrong with the state that lies in scratch.
func (p *replay) judge(acknowledged bool) error {
	state, err := p.outcome.state(p.scratch, p.command)
	if err != nil {
		return err
	}
	if acknowledged {
		if err := p.outcome.done(p.scratch, p.command); err != nil {
			return fmt.Errorf("after success was told: %w", err)
		}
	}
	if err := p.outcome.whole(p.scratch, p.command); err != nil {
		return err
	}
	if err := sound(filepath.Join(p.scratch, p.command.target)); err != nil {
		return fmt.Errorf("at the %s state: %w", state, err)
	}
	return nil
}

func digestOf(tree map[string][]byte, acknowledged bool) [32]byte {
	h := sha256.New()
	fmt.Fprintln(h, acknowledged)
	for _, path := range slices.Sorted(maps.Keys(tree)) {
		fmt.Fprintf(h, "%q %v %d\n", path, tree[path] == nil, len(tree[path]))
		h.Write(tree[path])
	}
	return [32]byte(h.Sum(nil))
}

// recorded runs a command in a scene of its own, with all that it writes recorded.
func recorded(t *testing.T, name, scene, program string, c command) *replay {
	t.Helper()
	dir := filepath.Join(work, name)
	o, r, err := record(dir, scene, program, c, true)
	if err != nil {
		t.Fatal(err)
	}
	return &replay{command: c, outcome: o, calls: r.calls, root: dir, before: scene, scratch: dir + "-state",
		random: rand.New(rand.NewPCG(1, 2)), more: amount(2, 40)}
}

// TestCrashStates replays what each command did to the disk and cuts the power at
// every moment, with what was not synced lost, torn, zero or there in another order:
// the layout has its old state or its new one, and what names reach is right. After
// the command told success it is the new one.
func TestCrashStates(t *testing.T) {
	asked(t)
	program := subject(t)
	canTrace(t, program)
	scene := filepath.Join(work, "scene-crash")
	stage(t, scene)
	var moments, states int
	for i, c := range commands {
		t.Run(c.title, func(t *testing.T) {
			p := recorded(t, fmt.Sprintf("crash-%d", i), scene, program, c)
			if err := p.run(); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d moments, %d states, %d wrong", p.moments, p.states, p.wrong)
			if p.first != nil {
				t.Error(p.first)
			}
			moments, states = moments+p.moments, states+p.states
		})
	}
	t.Logf("all commands: %d moments, %d states", moments, states)
}

// TestNothingWaitsBeforeTheRename: between the last look at index.json and the rename
// of the new one over it there is no call but the rename, since another tool's write
// would be lost then.
func TestNothingWaitsBeforeTheRename(t *testing.T) {
	asked(t)
	program := subject(t)
	canTrace(t, program)
	scene := filepath.Join(work, "scene-window")
	stage(t, scene)
	renames := 0
	for _, c := range commands {
		p := recorded(t, "window", scene, program, c)
		index := filepath.Join(p.root, c.target, "index.json")
		for i, r := range p.calls {
			if r.kind != "rename" || r.path2 != index || c.target == "fresh" {
				continue
			}
			renames++
			if before := p.calls[i-1]; before.kind != "stat" || before.path != index {
				t.Errorf("%s: %s of %s stands right before the rename", c.title, before.name, before.path)
			}
		}
	}
	if renames == 0 {
		t.Error("no rename of index.json was seen")
	}
}

// TestCrashCheckerFinds holds the checker to its word: without syncs it must find
// wrong states, and it says how many of a command's syncs are missed when they alone
// are left out.
func TestCrashCheckerFinds(t *testing.T) {
	asked(t)
	program := subject(t)
	canTrace(t, program)
	scene := filepath.Join(work, "scene-finds")
	stage(t, scene)
	for i, c := range commands {
		t.Run(c.title, func(t *testing.T) {
			switch {
			case c.title == "gc":
				t.Skip("changes no name: without syncs it removes less, and that is right")
			case form == "short" && c.title != "tag" && c.title != "mutate" && c.title != "export":
				t.Skip("in the long form")
			}
			faulty := c
			faulty.args = append([]string{"--no-sync"}, c.args...)
			p := recorded(t, fmt.Sprintf("finds-%d", i), scene, program, faulty)
			p.more = 2
			if err := p.run(); err != nil {
				t.Fatal(err)
			}
			t.Logf("with --no-sync: %d of %d states wrong, such as: %v", p.wrong, p.states, oneLine(p.first))
			if p.wrong == 0 {
				t.Error("the checker finds nothing wrong with --no-sync")
			}
			p = recorded(t, fmt.Sprintf("finds-%d", i), scene, program, c)
			p.more, p.stop = 1, true
			missed, tried := 0, map[string]bool{}
			for _, s := range p.calls {
				if s.kind != "fsync" || tried[s.path] {
					continue
				}
				tried[s.path] = true
				without := *p
				without.skip = s.path
				if err := without.run(); err != nil {
					t.Fatal(err)
				}
				if without.wrong > 0 {
					missed++
				} else {
					t.Logf("nothing misses the %s of %s", s.name, strings.TrimPrefix(s.path, p.root+"/"))
				}
			}
			t.Logf("the syncs of %d files and directories taken out, one file at a time: %d are missed", len(tried), missed)
			if missed == 0 {
				t.Error("the checker misses no sync")
			}
		})
	}
}

func oneLine(err error) error {
	if err == nil {
		return nil
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(line)
}
