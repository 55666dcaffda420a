//go:build amd64

package torture

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mountTmpfs mounts a tmpfs on dir, which is made, until the test ends.
func mountTmpfs(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		lacking(t, "root", errors.New("a tmpfs can't be mounted"))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m,mode=0755"); err != nil {
		lacking(t, "tmpfs", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
}

// fresh fills dir, in which a filesystem is mounted on mounted, with the scene.
func fresh(dir, mounted, scene string) error {
	entries, err := os.ReadDir(filepath.Join(dir, mounted))
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, mounted, e.Name())))
	}
	others, readErr := os.ReadDir(dir)
	err = errors.Join(err, readErr)
	for _, e := range others {
		if e.Name() != mounted {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	if err != nil {
		return err
	}
	return os.CopyFS(dir, os.DirFS(scene))
}

func used(dir string) (int64, error) {
	var st unix.Statfs_t
	err := unix.Statfs(dir, &st)
	return int64(st.Blocks-st.Bfree) * st.Bsize, err
}

// execute runs the subject in dir and says how it ended.
func execute(dir, program string, args ...string) (exit int, message string, err error) {
	cmd, out := prepared(dir, program, args...)
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		return 0, "", err
	}
	return cmd.ProcessState.ExitCode(), out.String(), nil
}

// TestFullDisk runs each command on a filesystem with room for one or two pages more
// each time, until it succeeds: before that it fails, says that there is no space, and
// leaves the old state; with room it succeeds.
func TestFullDisk(t *testing.T) {
	asked(t)
	program := subject(t)
	scene := filepath.Join(work, "scene-full")
	stage(t, scene)
	pages := int64(amount(2, 1)) // more each time
	for i, c := range commands {
		t.Run(c.title, func(t *testing.T) {
			o, _, err := record(filepath.Join(work, "full-record"), scene, program, c, false)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(work, fmt.Sprintf("full-%d", i))
			mounted := c.target
			if c.output != "" {
				mounted = "out"
			}
			at := filepath.Join(dir, mounted)
			mountTmpfs(t, at)
			sizes, failures := 0, 0
			for room := int64(0); ; room += pages * 4096 {
				if err := unix.Mount("tmpfs", at, "", unix.MS_REMOUNT, "size=64m"); err != nil {
					t.Fatal(err)
				}
				if err := fresh(dir, mounted, scene); err != nil {
					t.Fatal(err)
				}
				taken, err := used(at)
				if err != nil {
					t.Fatal(err)
				}
				if err := unix.Mount("tmpfs", at, "", unix.MS_REMOUNT, fmt.Sprintf("size=%d", max(taken+room, 4096))); err != nil {
					t.Fatal(err)
				}
				exit, message, err := execute(dir, program, c.args...)
				if err != nil {
					t.Fatal(err)
				}
				sizes++
				_, err = o.state(dir, c)
				err = errors.Join(err, o.whole(dir, c))
				switch {
				case err != nil:
				case exit == 0:
					err = o.done(dir, c)
				case !strings.Contains(message, "no space left on device"):
					err = errors.New("it does not say what is wrong")
				}
				if err = errors.Join(err, leftovers(dir, c, false), sound(filepath.Join(dir, c.target))); err != nil {
					t.Errorf("room for %d bytes: exit code %d, %s: %v", room, exit, message, err)
				}
				if exit == 0 {
					break
				}
				failures++
				if err := unix.Mount("tmpfs", at, "", unix.MS_REMOUNT, "size=64m"); err != nil {
					t.Fatal(err)
				}
				if exit, message, err := execute(dir, program, c.args...); err != nil || exit != 0 {
					t.Errorf("room for %d bytes, then for all: exit code %d, %s: %v", room, exit, message, err)
				} else if err := errors.Join(o.done(dir, c), sound(filepath.Join(dir, c.target))); err != nil {
					t.Errorf("room for %d bytes, then for all: %v", room, err)
				}
				if room > 16<<20 {
					t.Fatal("16 MiB are not enough")
				}
			}
			t.Logf("%d sizes: %d commands failed", sizes, failures)
		})
	}
}

// untouched holds that a command failed, said why, and changed nothing.
func untouched(t *testing.T, dir string, c command, o outcome, exit int, message, reason string) {
	t.Helper()
	if exit == 0 || !strings.Contains(message, reason) {
		t.Errorf("%s: exit code %d, %s; want %q", c.title, exit, message, reason)
	}
	now, err := os.ReadFile(filepath.Join(dir, c.target, "index.json"))
	if !errors.Is(err, fs.ErrNotExist) && err != nil || !bytes.Equal(now, o.before) {
		t.Errorf("%s: index.json has changed: %v", c.title, err)
	}
	if err := errors.Join(o.whole(dir, c), leftovers(dir, c, false), sound(filepath.Join(dir, c.target))); err != nil {
		t.Errorf("%s: %v", c.title, err)
	}
}

// reads are commands that must do where nothing can be written.
var reads = [][]string{
	{"ls", "layout"}, {"inspect", "layout:app:v1"}, {"verify", "layout"}, {"referrers", "layout:app:v1"}, {"tree", "layout"},
	{"export", "layout:app:v1", "-"},
}

// TestReadOnly runs all commands on a filesystem that can't be written.
func TestReadOnly(t *testing.T) {
	asked(t)
	program := subject(t)
	dir := filepath.Join(work, "readonly", "disk")
	mountTmpfs(t, dir)
	stage(t, dir)
	if err := unix.Mount("tmpfs", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	refuses(t, dir, program, nil, "read-only file system")
}

// TestPermissionDenied runs all commands as a user who may only read.
func TestPermissionDenied(t *testing.T) {
	asked(t)
	if os.Geteuid() != 0 {
		lacking(t, "root", errors.New("no other user can be had"))
	}
	dir := filepath.Join(work, "denied")
	stage(t, dir)
	refuses(t, dir, subject(t), &syscall.Credential{Uid: 65534, Gid: 65534}, "permission denied")
}

func refuses(t *testing.T, dir, program string, as *syscall.Credential, reason string) {
	t.Helper()
	run := func(args []string) (int, string) {
		cmd, out := prepared(dir, program, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), out.String()
	}
	for _, c := range commands {
		before, err := os.ReadFile(filepath.Join(dir, c.target, "index.json"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		o := outcome{before: before}
		if c.output == written {
			if o.older, err = os.ReadFile(filepath.Join(dir, written)); err != nil {
				t.Fatal(err)
			}
		}
		exit, message := run(c.args)
		untouched(t, dir, c, o, exit, message, reason)
	}
	for _, args := range reads {
		if exit, message := run(args); exit != 0 {
			t.Errorf("%v: exit code %d: %.300s", args, exit, message)
		}
	}
	t.Logf("%d commands that write refused, %d that read done", len(commands), len(reads))
}

// TestClockGoesBack runs all commands on files of the next decade, as a clock that was
// put back makes them: they do what they do on any other day, twice.
func TestClockGoesBack(t *testing.T) {
	asked(t)
	program := subject(t)
	scene := filepath.Join(work, "scene-clock")
	stage(t, scene)
	dir := filepath.Join(work, "clock")
	for _, c := range commands {
		o, _, err := record(dir, scene, program, c, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := remake(dir, scene); err != nil {
			t.Fatal(err)
		}
		for round := range 2 {
			err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
				later := time.Now().AddDate(10, 0, 0)
				return errors.Join(err, os.Chtimes(path, later, later))
			})
			if err != nil {
				t.Fatal(err)
			}
			exit, message, err := execute(dir, program, c.args...)
			if err != nil || exit != 0 && !(c.once && round == 1 && exit == 3) {
				t.Errorf("%s: exit code %d, %s: %v", c.title, exit, message, err)
			}
			if err := errors.Join(o.done(dir, c), leftovers(dir, c, false), sound(filepath.Join(dir, c.target))); err != nil {
				t.Errorf("%s: %v", c.title, err)
			}
		}
	}
	t.Logf("%d commands on files from the future, each twice", len(commands))
}
