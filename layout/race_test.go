package layout_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ocilayout/ocilayout/content"
	"github.com/ocilayout/ocilayout/internal/durable"
	"github.com/ocilayout/ocilayout/layout"
)

// The test binary is also the processes of these tests.
const roleVariable = "OCILAYOUT_TEST_ROLE"

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleVariable); role {
	case "":
		os.Exit(m.Run())
	case "tagger":
		exitOn(tagger(os.Args[1], os.Args[2], os.Args[3]))
	case "attacher":
		exitOn(attacher(os.Args[1], os.Args[2], os.Args[3], os.Args[4]))
	case "collector":
		exitOn(collector(os.Args[1]))
	case "pusher":
		exitOn(pusher(os.Args[1]))
	}
	os.Exit(0)
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// tagger gives its names, one Update each, and says which are acknowledged.
func tagger(dir, id, count string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	ctx := context.Background()
	l, err := layout.Open(dir, layout.Options{NoSync: true})
	if err != nil {
		return err
	}
	for i := range n {
		name := fmt.Sprintf("p%s-%d", id, i)
		d, err := l.PushBytes(ctx, manifestType, []byte(`{"n":"`+name+`"}`))
		if err != nil {
			return err
		}
		if err := tag(ctx, l, d, name); err != nil {
			return err
		}
	}
	return l.Close()
}

// pusher writes blobs and names for ever, to be killed at any moment.
func pusher(dir string) error {
	ctx := context.Background()
	l, err := layout.Open(dir, layout.Options{})
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		b := l.Batch()
		var last content.Descriptor
		for j := range 40 {
			if last, err = b.PushBytes(ctx, manifestType, fmt.Appendf(nil, `{"n":"%d %d %d"}`, os.Getpid(), i, j)); err != nil {
				return err
			}
		}
		if err := b.Publish(ctx); err != nil {
			return err
		}
		name := fmt.Sprintf("k%d-%d", os.Getpid(), i)
		if err := tag(ctx, l, last, name); err != nil {
			return err
		}
		fmt.Println(name)
		if err := b.Close(); err != nil {
			return err
		}
	}
}

func process(t *testing.T, role string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestManyProcesses has 64 processes tag at once, with a process beside them that
// holds BuildKit's lock now and then: no name may be lost.
func TestManyProcesses(t *testing.T) {
	processes, names := 64, 5
	if testing.Short() {
		processes = 8
	}
	l := newLayout(t)
	var stop atomic.Bool
	held := make(chan error, 1)
	go func() { held <- holdForeignLock(filepath.Join(l.Path(), "index.json.lock"), &stop) }()
	var all []*exec.Cmd
	for i := range processes {
		cmd := process(t, "tagger", l.Path(), strconv.Itoa(i), strconv.Itoa(names))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, cmd)
	}
	for i, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v", i, err)
		}
	}
	stop.Store(true)
	if err := <-held; err != nil {
		t.Error(err)
	}
	for i := range processes {
		for j := range names {
			d, err := l.Resolve(t.Context(), fmt.Sprintf("p%d-%d", i, j))
			if err != nil {
				t.Errorf("name lost: %v", err)
				continue
			}
			if _, err := content.FetchAll(t.Context(), l, d, 100); err != nil {
				t.Error(err)
			}
		}
	}
}

// holdForeignLock locks as buildx does: at once or not at all, for a moment, and
// with the file removed afterwards.
func holdForeignLock(path string, stop *atomic.Bool) error {
	for !stop.Load() {
		lock, err := durable.TryLock(path, false)
		if errors.Is(err, content.ErrBusy) {
			continue
		}
		if err != nil {
			return err
		}
		time.Sleep(2 * time.Millisecond)
		if err := lock.UnlockAndRemove(); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// TestKilledWriters kills writers at random moments. Every name that they
// acknowledged must be there with its content, and nothing else left but state.
func TestKilledWriters(t *testing.T) {
	kills := 40
	if testing.Short() {
		kills = 5
	}
	l := newLayout(t)
	acknowledged := filepath.Join(t.TempDir(), "acknowledged")
	out, err := os.Create(acknowledged)
	if err != nil {
		t.Fatal(err)
	}
	for i := range kills {
		cmd := process(t, "pusher", l.Path())
		cmd.Stdout = out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(5+i*7%60) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(acknowledged)
	if err != nil {
		t.Fatal(err)
	}
	var name string
	for rest := string(data); rest != ""; {
		if _, err := fmt.Sscanf(rest, "%s\n", &name); err != nil {
			t.Fatal(err)
		}
		rest = rest[len(name)+1:]
		d, err := l.Resolve(t.Context(), name)
		if err != nil {
			t.Errorf("acknowledged name lost: %v", err)
			continue
		}
		if _, err := content.FetchAll(t.Context(), l, d, 100); err != nil {
			t.Errorf("acknowledged name %s: %v", name, err)
		}
	}
	// What the dead left staged is for gc; nobody else may trip over it.
	if err := os.RemoveAll(filepath.Join(l.Path(), ".ocilayout", "staging")); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(l.Path(), "index.json.lock")) // an empty one may stay
}
