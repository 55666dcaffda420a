//go:build amd64

package torture

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/testkit"
)

// names that writers were told are there, by name.
type acknowledged struct {
	sync.Mutex
	names map[string]content.Digest
}

func (a *acknowledged) add(name string, d content.Digest) {
	a.Lock()
	defer a.Unlock()
	a.names[name] = d
}

// missing are the acknowledged names that a layout does not have as they were told.
func (a *acknowledged) missing(t *testing.T, dir string) (missing []string) {
	t.Helper()
	there, err := names(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range a.names {
		if there[name] != d {
			missing = append(missing, fmt.Sprintf("%s is %q, told was %s", name, there[name], d))
		}
	}
	return missing
}

func prepared(dir, program string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = dir, environment()
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

// TestKilledCommands has many commands write at once, each killed at a random moment
// or left to end: every name of one that ended well is there and verifies, and nothing
// lies beside what export wrote.
func TestKilledCommands(t *testing.T) {
	asked(t)
	program := subject(t)
	unnamedFiles(t)
	dir := filepath.Join(work, "killed")
	stage(t, dir)
	const writers = 8
	rounds := amount(15, 3000)
	told := acknowledged{names: map[string]content.Digest{}}
	first, err := names(filepath.Join(dir, "layout"))
	if err != nil {
		t.Fatal(err)
	}
	v1 := first["docker.io/library/app:v1"]
	var killed, ended, failed int
	var count sync.Mutex
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 7))
			for i := range rounds {
				name := fmt.Sprintf("w%d-%d", w, i)
				var cmd *exec.Cmd
				var out *bytes.Buffer
				switch i % 5 {
				case 4:
					cmd, out = prepared(dir, program, "export", "layout:app:v1", fmt.Sprintf("out/w%d.tar", w))
				case 0:
					cmd, out = prepared(dir, program, "import", "in/new.tar", "layout:"+name, "--name", "new:v2")
				case 1:
					cmd, out = prepared(dir, program, "mutate", "layout:app:v1", "--tag", name, "--label", "w="+name)
				case 2:
					cmd, out = prepared(dir, program, "gc", "--grace", "0s", "layout")
				default:
					cmd, out = prepared(dir, program, "tag", "layout:app:v1", name)
				}
				if err := cmd.Start(); err != nil {
					t.Error(err)
					return
				}
				timer := time.AfterFunc(time.Duration(random.IntN(150))*time.Millisecond, func() { _ = cmd.Process.Kill() })
				err := cmd.Wait()
				inTime := timer.Stop()
				count.Lock()
				switch {
				case err == nil:
					ended++
				case inTime && cmd.ProcessState.Exited():
					failed++
					t.Errorf("%s: %v: %s", cmd.Args, err, out)
				default:
					killed++
				}
				count.Unlock()
				if err == nil && i%5 != 2 && i%5 != 4 {
					// What it is does not matter for the two that make a new image: it must resolve.
					d := content.Digest("")
					if i%5 == 3 {
						d = v1
					}
					told.add(name, d)
				}
			}
		})
	}
	group.Wait()
	path := filepath.Join(dir, "layout")
	there, err := names(path)
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for name, d := range told.names {
		got, ok := there[name]
		if !ok || d != "" && got != d {
			t.Errorf("%s was acknowledged and is %q", name, got)
			continue
		}
		kept++
	}
	if err := sound(path); err != nil {
		t.Error(err)
	}
	// What was killed right between naming its archive and the rename has left that, until
	// the same file is written again.
	staged, err := between(dir)
	if err != nil {
		t.Fatal(err)
	}
	for w := range writers {
		archive := fmt.Sprintf("out/w%d.tar", w)
		if exit, message, err := execute(dir, program, "export", "layout:app:v1", archive); err != nil || exit != 0 {
			t.Errorf("%s: exit code %d, %s: %v", archive, exit, message, err)
		}
		if err := os.Remove(filepath.Join(dir, archive)); err != nil {
			t.Error(err)
		}
	}
	if err := leftovers(dir, command{target: "layout"}, false); err != nil {
		t.Error(err)
	}
	t.Logf("%d writers: %d kills, %d commands ended well, %d failed; %d of %d acknowledged names kept; %d exports killed between link and rename",
		writers, killed, ended, failed, kept, len(told.names), staged)
	if killed == 0 || kept == 0 {
		t.Error("too little happened to prove anything")
	}
}

// TestHistory has many processes give names, and move one that all share, at once.
// One order of what was acknowledged must explain index.json: every name that one
// process alone gave is there, and the shared name is what was last given to it by a
// command that no later one followed.
func TestHistory(t *testing.T) {
	asked(t)
	program := subject(t)
	dir := filepath.Join(work, "history")
	stage(t, dir)
	writers, each := amount(16, 64), amount(5, 100)
	first, err := names(filepath.Join(dir, "layout"))
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]content.Digest{"app:v1": first["docker.io/library/app:v1"], "app:v2": first["docker.io/library/app:v2"]}
	type event struct {
		from, to time.Time
		moved    content.Digest
	}
	told := acknowledged{names: map[string]content.Digest{}}
	var events []event
	var lock sync.Mutex
	var group sync.WaitGroup
	began := time.Now()
	for w := range writers {
		group.Go(func() {
			for i := range each {
				version := []string{"app:v1", "app:v2"}[(w+i)%2]
				name := fmt.Sprintf("h%d-%d", w, i)
				from := time.Now()
				cmd, out := prepared(dir, program, "--lock-timeout", "10m", "tag", "layout:"+version, name, "shared")
				if err := cmd.Run(); err != nil {
					t.Errorf("%s: %v: %s", cmd.Args, err, out)
					continue
				}
				told.add(name, versions[version])
				lock.Lock()
				events = append(events, event{from, time.Now(), versions[version]})
				lock.Unlock()
			}
		})
	}
	group.Wait()
	path := filepath.Join(dir, "layout")
	missing := told.missing(t, path)
	for _, m := range missing {
		t.Error(m)
	}
	there, err := names(path)
	if err != nil {
		t.Fatal(err)
	}
	// A command may be the last one in the order if none began after it had ended.
	var latest time.Time
	for _, e := range events {
		if e.from.After(latest) {
			latest = e.from
		}
	}
	explained := false
	for _, e := range events {
		explained = explained || e.moved == there["shared"] && !e.to.Before(latest)
	}
	if !explained {
		t.Errorf("shared is %s: no command that may have been the last one gave it that", there["shared"])
	}
	if want := len(first) + len(told.names) + 1; len(there) != want {
		t.Errorf("%d names, want %d", len(there), want)
	}
	if err := sound(path); err != nil {
		t.Error(err)
	}
	t.Logf("%d writers, %d names each: %d of %d kept, in %s", writers, each,
		len(told.names)-len(missing), writers*each, time.Since(began).Round(time.Second))
}

// foreign are the tools that write beside us, each with a command that gives a name
// to the image app:v1.
var foreign = map[string]func(tool, layout, name string) []string{
	"skopeo": func(tool, layout, name string) []string {
		return []string{tool, "--insecure-policy", "copy", "-q", "oci:" + layout + ":plain", "oci:" + layout + ":" + name}
	},
	"umoci": func(tool, layout, name string) []string {
		return []string{tool, "tag", "--image", layout + ":plain", name}
	},
	"oras": func(tool, layout, name string) []string {
		return []string{tool, "tag", "--oci-layout", layout + ":plain", name}
	},
	"regctl": func(tool, layout, name string) []string {
		return []string{tool, "image", "copy", "ocidir://" + layout + ":plain", "ocidir://" + layout + ":" + name}
	},
	// crane writes into layouts only what it pulls.
	"crane": func(tool, layout, name string) []string {
		return []string{tool, "pull", "--insecure", "--format=oci", "--annotate-ref", craneRegistry + "/app:" + name, layout}
	},
}

// craneRegistry is the address of the registry that serveCrane started.
var craneRegistry string

// serveCrane starts crane's own registry in memory, and pushes n names to it.
func serveCrane(t *testing.T, crane, program, dir string, n int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	craneRegistry = listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	registry := exec.Command(crane, "registry", "serve", "--address", craneRegistry)
	registry.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := registry.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = registry.Process.Kill() // it has nothing to end well for
		_ = registry.Wait()
	})
	for range 100 {
		conn, err := net.Dial("tcp", craneRegistry)
		if err == nil {
			_ = conn.Close() // only a knock
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	one := filepath.Join(dir, "one")
	if out, err := exec.Command(program, "copy", filepath.Join(dir, "layout")+":app:v1", one).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for i := range n {
		args := []string{"push", "--insecure", one, fmt.Sprintf("%s/app:theirs-%d", craneRegistry, i)}
		if i > 0 {
			args = []string{"tag", "--insecure", craneRegistry + "/app:theirs-0", fmt.Sprintf("theirs-%d", i)}
		}
		if out, err := exec.Command(crane, args...).CombinedOutput(); err != nil {
			t.Fatalf("crane %v: %v: %s", args, err, out)
		}
	}
}

// TestForeignRace writes names beside another tool that writes names, and says how
// many of each survive. A name of ours may be lost only to a tool that replaces the
// whole index.json with what it read before; a name of theirs only in the window
// between our last look and our rename (docs/promises.md).
func TestForeignRace(t *testing.T) {
	asked(t)
	program := subject(t)
	for _, tool := range []string{"skopeo", "umoci", "oras", "regctl", "crane"} {
		t.Run(tool, func(t *testing.T) {
			path := testkit.Client(t, tool)
			dir := filepath.Join(work, "beside-"+tool)
			stage(t, dir)
			layoutDir := filepath.Join(dir, "layout")
			if out, err := exec.Command(program, "tag", layoutDir+":app:v1", "plain").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			n := amount(15, 200)
			if tool == "crane" {
				serveCrane(t, path, program, dir, n)
			}
			var ours, theirs []string
			var group sync.WaitGroup
			stop := make(chan struct{})
			group.Go(func() {
				defer close(stop)
				for i := range n {
					name := fmt.Sprintf("theirs-%d", i)
					args := foreign[tool](path, layoutDir, name)
					if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err == nil {
						theirs = append(theirs, name)
					} else {
						t.Logf("%s: %v: %s", tool, err, bytes.TrimSpace(out))
					}
				}
			})
			group.Go(func() {
				for i := range 2 * n { // more would only slow the other tool down
					select {
					case <-stop:
						return
					default:
					}
					name := fmt.Sprintf("ours-%d", i)
					cmd, out := prepared(dir, program, "tag", "layout:app:v1", name)
					if err := cmd.Run(); err != nil {
						t.Errorf("%v: %s", err, out)
						return
					}
					ours = append(ours, name)
				}
			})
			group.Wait()
			there, err := names(layoutDir)
			if err != nil {
				t.Fatal(err)
			}
			count := func(all []string) (n int) {
				for _, name := range all {
					_, ok := there[name]
					_, pulled := there[craneRegistry+"/app:"+name]
					if ok || pulled {
						n++
					}
				}
				return n
			}
			t.Logf("%s: %d of our %d names and %d of its %d survive", tool, count(ours), len(ours), count(theirs), len(theirs))
			if len(theirs) == 0 {
				t.Errorf("%s wrote nothing", tool)
			}
			// The last one to write lost nothing to anyone.
			cmd, out := prepared(dir, program, "tag", "layout:app:v1", "last")
			if err := cmd.Run(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			if there, err = names(layoutDir); err != nil || there["last"] == "" {
				t.Errorf("the name last is not there: %v", err)
			}
			if err := sound(layoutDir); err != nil {
				t.Error(err)
			}
		})
	}
}
