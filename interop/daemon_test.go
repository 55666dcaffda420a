package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// How long a daemon may take to answer, and to end when told to: long, since a
// machine that is busy with other work must not fail a test.
const (
	startWait = 3 * time.Minute
	stopWait  = time.Minute
)

// daemon starts a program and waits until ready, which is given the path of its
// log, succeeds. It is stopped, and waited for, when the test ends, or when this
// process dies; what it logged is shown if the test failed.
func daemon(t testing.TB, ready func(log string) error, program string, args ...string) {
	t.Helper()
	log, err := os.Create(file(t, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, dieWithParent()
	ended, err := started(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(stopWait):
			cmd.Process.Kill()
			<-ended
		}
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s logged:\n%s", program, text[max(0, len(text)-4000):])
		}
	})
	deadline := time.Now().Add(startWait)
	for {
		err := ready(log.Name())
		if err == nil {
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended before it was ready: %v", program, cmd.ProcessState)
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready: %v", program, err)
		}
	}
}

// started starts a command and waits for it. The kernel takes the end of the thread
// that started a process for the end of its parent, so this one stays.
func started(cmd *exec.Cmd) (ended <-chan struct{}, err error) {
	start, done := make(chan error), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		err := cmd.Start()
		start <- err
		if err == nil {
			cmd.Wait()
		}
	}()
	return done, <-start
}

// short returns a new directory with a short path, for sockets: their paths are
// limited to 107 bytes. What daemons leave mounted there is unmounted.
func short(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "oci-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unmount(t, dir)
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("left behind: %v", err)
		}
	})
	return dir
}

// unmount unmounts what is mounted below a directory, the last mount first.
func unmount(t testing.TB, dir string) {
	t.Helper()
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for _, line := range slices.Backward(strings.Split(string(mounts), "\n")) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], dir+"/") {
			run(t, "umount", "--lazy", fields[1])
		}
	}
}

// listening starts a program that serves on a port of the kernel's choice, and
// returns its address, which the program logs: pattern finds the port.
func listening(t testing.TB, pattern, program string, args ...string) string {
	t.Helper()
	port, address := regexp.MustCompile(pattern), ""
	daemon(t, func(log string) error {
		text, err := os.ReadFile(log)
		if err != nil {
			return err
		}
		found := port.FindSubmatch(text)
		if found == nil {
			return fmt.Errorf("no %q in its log", pattern)
		}
		address = "127.0.0.1:" + string(found[1])
		return nil
	}, program, args...)
	return address
}

// registry starts a private registry and returns its address.
func registry(t testing.TB, program string) string {
	t.Helper()
	return configured(t, program, "", "")
}

// configured starts a private registry with more in its configuration, at the top and
// under http.
func configured(t testing.TB, program, top, http string) string {
	t.Helper()
	config := filepath.Join(t.TempDir(), "registry.yml")
	text := fmt.Sprintf("version: 0.1\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: \"127.0.0.1:0\"%s}\nlog: {level: info}\n%s",
		t.TempDir(), http, top)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return listening(t, `listening on 127\.0\.0\.1:(\d+)`, program, "serve", config)
}
