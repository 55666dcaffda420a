//go:build amd64

package torture

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	shutdownFilesystem = 0x8004587d // FS_IOC_SHUTDOWN, which ext4 and XFS have for their own tests
	withoutLog         = 2          // nothing of what is in memory is written, the journal neither
)

// A volume is a filesystem in a file.
type volume struct {
	image, at, kind string
	mounted         bool
}

func (v *volume) mount() error {
	out, err := exec.Command("mount", "-t", v.kind, "-o", "loop", v.image, v.at).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	v.mounted = true
	return nil
}

func (v *volume) unmount() error {
	if !v.mounted {
		return nil
	}
	for range 100 { // a killed process may hold it for a moment
		if err := unix.Unmount(v.at, 0); err != unix.EBUSY {
			v.mounted = err != nil
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("%s is busy", v.at)
}

// cut ends all writing at once: what the filesystem has not written yet is lost.
func (v *volume) cut() error {
	dir, err := os.Open(v.at)
	if err != nil {
		return err
	}
	return errors.Join(unix.IoctlSetPointerInt(int(dir.Fd()), shutdownFilesystem, withoutLog), dir.Close())
}

// TestPowerCuts has many commands write to ext4 and XFS, and makes the filesystem
// stop at a random moment without writing its journal or what it holds in memory.
// After it was mounted again, which replays the journal, every name of a command
// that ended well is there and verifies, and the next command succeeds.
//
// What the drive itself would lose, which has told that it wrote what it did not,
// is not shown by this; TestCrashStates lays out such states.
func TestPowerCuts(t *testing.T) {
	asked(t)
	program := subject(t)
	if os.Geteuid() != 0 {
		lacking(t, "root", errors.New("no filesystem can be mounted"))
	}
	for _, kind := range []string{"ext4", "xfs"} {
		t.Run(kind, func(t *testing.T) {
			if _, err := exec.LookPath("mkfs." + kind); err != nil {
				lacking(t, "mkfs."+kind, err)
			}
			if wrong := powerCuts(t, program, kind, amount(4, 100)); wrong != nil {
				t.Error(wrong)
			}
			// Without syncs names must go, or the cuts are none.
			if wrong := powerCuts(t, program, kind, 2, "--no-sync"); wrong == nil {
				t.Error("nothing was lost with --no-sync")
			}
		})
	}
}

// powerCuts runs commands, with flags, on a new volume and cuts them off. It returns
// what was lost or wrong.
func powerCuts(t *testing.T, program, kind string, cuts int, flags ...string) (wrong error) {
	dir := filepath.Join(work, fmt.Sprintf("power-%s%s", kind, flags))
	v := &volume{image: dir + ".image", at: dir, kind: kind}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(v.image, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(v.image, 400<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs."+kind, "-q", v.image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.%s: %v: %s", kind, err, out)
	}
	if err := v.mount(); err != nil {
		lacking(t, "loop", err)
	}
	t.Cleanup(func() {
		if err := v.unmount(); err != nil {
			t.Error(err)
		}
	})
	scene := filepath.Join(dir, "scene")
	stage(t, scene)
	if out, err := exec.Command("sync", "-f", scene).CombinedOutput(); err != nil {
		t.Fatalf("sync: %v: %s", err, out)
	}
	random := rand.New(rand.NewPCG(uint64(len(kind)), 3))
	told := map[string]bool{}
	ended, failed := 0, 0
	for cut := range cuts {
		var stop atomic.Bool
		var lock sync.Mutex
		var group sync.WaitGroup
		for w := range 4 {
			group.Go(func() {
				for i := 0; !stop.Load(); i++ {
					name := fmt.Sprintf("c%d-%d-%d", cut, w, i)
					args := [][]string{
						{"tag", "layout:app:v1", name},
						{"mutate", "layout:app:v1", "--tag", name, "--label", "c=" + name},
						{"import", "in/new.tar", "layout:" + name, "--name", "new:v2"},
						{"gc", "--grace", "0s", "layout"},
					}[(w+i)%4]
					exit, message, err := execute(scene, program, append(flags[:len(flags):len(flags)], args...)...)
					lock.Lock()
					switch {
					case err != nil || exit != 0:
						failed++
						if !stop.Load() {
							t.Errorf("%v: exit code %d, %s: %v", args, exit, message, err)
						}
					default:
						ended++
						if args[0] != "gc" {
							told[name] = true
						}
					}
					lock.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(100+random.IntN(700)) * time.Millisecond)
		stop.Store(true)
		cutErr := v.cut()
		group.Wait()
		if cutErr != nil {
			lacking(t, "FS_IOC_SHUTDOWN of "+kind, cutErr)
		}
		if err := errors.Join(v.unmount(), v.mount()); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(scene, "layout")
		there, err := names(path)
		err = errors.Join(err, sound(path), leftovers(scene, command{target: "layout"}, false))
		kept := 0
		for name := range told {
			if _, ok := there[name]; ok {
				kept++
			} else if err == nil {
				err = fmt.Errorf("%s was acknowledged and is lost", name)
			}
		}
		if err == nil {
			var exit int
			var message string
			if exit, message, err = execute(scene, program, "tag", "layout:app:v1", "after"); err == nil && exit != 0 {
				err = fmt.Errorf("the next command: exit code %d: %s", exit, message)
			}
		}
		if err != nil || cut == cuts-1 {
			t.Logf("%s %v: %d power cuts, %d commands ended well, %d failed; %d of %d acknowledged names kept",
				kind, flags, cut+1, ended, failed, kept, len(told))
		}
		if err != nil {
			return fmt.Errorf("after cut %d: %w", cut+1, err)
		}
	}
	if len(told) == 0 {
		t.Error("nothing was acknowledged")
	}
	return nil
}
