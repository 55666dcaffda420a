//go:build amd64

package torture

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// injected are the errors that calls of a kind fail with; 0 kills the process.
var injected = map[string][]unix.Errno{
	"open":   {unix.EIO, unix.ENOSPC, unix.EMFILE, 0},
	"read":   {unix.EIO},
	"write":  {unix.EIO, unix.ENOSPC, 0},
	"mkdir":  {unix.EIO, unix.ENOSPC, 0},
	"rename": {unix.EIO, unix.ENOSPC, 0},
	"link":   {unix.EIO, unix.ENOSPC, 0},
	"unlink": {unix.EIO, 0},
	"fsync":  {unix.EIO, unix.ENOSPC, 0},
	"flock":  {unix.EIO, 0},
}

// TestFaults fails each call of each command, and kills each command before each
// call. After each: index.json is the old or the new one; the exit code is not 0
// unless all is done; the message names a file; nothing lies about; what names reach
// is right; the same command run again succeeds; and gc then leaves nothing behind.
func TestFaults(t *testing.T) {
	asked(t)
	program := subject(t)
	scene := filepath.Join(work, "scene-faults")
	stage(t, scene)
	canTrace(t, program)
	unnamedFiles(t)
	var all tally
	for i, c := range commands {
		t.Run(c.title, func(t *testing.T) {
			dir := filepath.Join(work, fmt.Sprintf("faults-%d", i))
			o, counted, err := record(dir, scene, program, c, false)
			if err != nil {
				t.Fatal(err)
			}
			var faults []fault
			count := kinds(counted.calls)
			for _, kind := range sorted(count) {
				for nth := 1; nth <= count[kind]; nth++ {
					for _, errno := range injected[kind] {
						faults = append(faults, fault{kind, nth, errno})
					}
				}
			}
			total := len(faults)
			random := rand.New(rand.NewPCG(uint64(i), 1))
			random.Shuffle(total, func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
			if c.output != "" { // the one moment in which something lies beside it is never left out
				slices.SortStableFunc(faults, func(a, b fault) int { return cmp.Compare(b.renameKill(), a.renameKill()) })
			}
			faults = faults[:min(total, amount(36, total))]
			var mine tally
			each(faults, func(worker int, f fault) {
				where := fmt.Sprintf("%s-%d", dir, worker)
				r, err := suffer(where, scene, program, c, o, f)
				mine.add(c, r, err)
				if err != nil {
					t.Errorf("%s: %s: exit code %d, %s: %v", f, hit(r), r.exit, strings.TrimSpace(r.stderr), err)
				}
			})
			t.Logf("%d calls, %d of %d faults: %s", len(counted.calls), len(faults), total, &mine)
			if c.output == written && mine.between == 0 {
				t.Error("it was never killed between link and rename")
			}
			all.merge(&mine)
		})
	}
	t.Logf("all commands: %s", &all)
	if all.faults == 0 {
		t.Error("no fault was injected")
	}
}

// unnamedFiles skips a test on a filesystem without files that have no name: beside
// what is written there lies what a killed command was writing.
func unnamedFiles(t *testing.T) {
	t.Helper()
	fd, err := unix.Open(work, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		lacking(t, "O_TMPFILE", err)
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
}

func canTrace(t *testing.T, program string) {
	t.Helper()
	if _, err := trace(tracing{below: work, dir: work, env: environment()}, program, "version"); err != nil {
		lacking(t, "ptrace", err)
	}
}

// renameKill is 1 for a kill before a rename.
func (f fault) renameKill() int {
	if f.kind == "rename" && f.errno == 0 {
		return 1
	}
	return 0
}

func hit(r run) string {
	if r.hit == nil {
		return "not reached"
	}
	return strings.TrimSpace(r.hit.name + " " + r.hit.path + " " + r.hit.path2)
}

// suffer runs a command with one fault and checks what is left.
func suffer(dir, scene, program string, c command, o outcome, f fault) (run, error) {
	if err := remake(dir, scene); err != nil {
		return run{}, err
	}
	r, err := trace(tracing{below: dir, dir: dir, env: environment(), fault: &f}, program, c.args...)
	if err != nil || r.hit == nil {
		return r, err
	}
	state, err := o.state(dir, c)
	if err = errors.Join(err, o.whole(dir, c)); err != nil {
		return r, err
	}
	switch {
	case f.errno == 0 && r.exit != -1:
		return r, errors.New("it lives")
	case r.exit == 0:
		if err := errors.Join(o.done(dir, c), o.removed(dir, c)); err != nil {
			return r, fmt.Errorf("success was told, but %w", err)
		}
	case f.errno != 0 && !namesFile(r, dir, c):
		return r, errors.New("the message names no file")
	}
	if err := errors.Join(leftovers(dir, c, inBetween(r, c)), sound(filepath.Join(dir, c.target))); err != nil {
		return r, err
	}
	again, err := trace(tracing{below: dir, dir: dir, env: environment()}, program, c.args...)
	if err != nil {
		return r, err
	}
	if again.exit != 0 && !(c.once && state == "new" && again.exit == 3) {
		return r, fmt.Errorf("run again: exit code %d: %s", again.exit, again.stderr)
	}
	if err := errors.Join(o.done(dir, c), o.removed(dir, c), leftovers(dir, c, false), sound(filepath.Join(dir, c.target))); err != nil {
		return r, fmt.Errorf("run again: %w", err)
	}
	return r, swept(filepath.Join(dir, c.target))
}

// inBetween says whether a command was killed right before the rename of its output
// over an older file. In this one moment it has two names, and both stay; the same
// command run again takes the one away.
func inBetween(r run, c command) bool {
	return c.output != "" && r.exit == -1 && r.hit != nil && r.hit.kind == "rename" &&
		strings.HasSuffix(r.hit.path2, "/"+c.output)
}

// namesFile says whether the message names the file of the call that failed, or the
// one that it was to become.
func namesFile(r run, dir string, c command) bool {
	message := strings.TrimPrefix(r.stderr, "ocilayout: ")
	if c.output != "" && strings.Contains(message, c.output) {
		return true // what it was to become has no name yet
	}
	for _, path := range []string{r.hit.path, r.hit.path2} {
		rel, err := filepath.Rel(dir, path)
		if path != "" && err == nil && (strings.Contains(message, rel) || strings.Contains(message, filepath.Base(path))) {
			return true
		}
	}
	return false
}

// each calls do for every item, on two goroutines at once.
func each[T any](items []T, do func(worker int, item T)) {
	queue := make(chan T)
	var workers sync.WaitGroup
	for worker := range 2 {
		workers.Go(func() {
			for item := range queue {
				do(worker, item)
			}
		})
	}
	for _, item := range items {
		queue <- item
	}
	close(queue)
	workers.Wait()
}

// A tally counts faults. It is safe for concurrent use.
type tally struct {
	sync.Mutex
	faults, kills, between, failed, survived, unreached, bad int
}

func (y *tally) add(c command, r run, err error) {
	y.Lock()
	defer y.Unlock()
	switch {
	case r.hit == nil:
		y.unreached++
	case r.exit == -1:
		y.kills++
	case r.exit == 0:
		y.survived++
	default:
		y.failed++
	}
	if r.hit != nil {
		y.faults++
	}
	if inBetween(r, c) {
		y.between++
	}
	if err != nil {
		y.bad++
	}
}

func (y *tally) merge(o *tally) {
	y.faults += o.faults
	y.kills += o.kills
	y.between += o.between
	y.failed += o.failed
	y.survived += o.survived
	y.unreached += o.unreached
	y.bad += o.bad
}

func (y *tally) String() string {
	return fmt.Sprintf("%d faults: %d kills (%d of them between link and rename), %d commands failed, %d done all the same, %d not reached, %d wrong",
		y.faults, y.kills, y.between, y.failed, y.survived, y.unreached, y.bad)
}
