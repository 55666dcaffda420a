package interop

import (
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// daemon starts a program and waits until ready succeeds. It is stopped, and
// waited for, when the test ends; what it logged is shown if the test failed.
func daemon(t testing.TB, ready func() error, program string, args ...string) {
	t.Helper()
	log, err := os.Create(file(t, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait()
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s logged:\n%s", program, tail(text, 4000))
		}
	})
	deadline := time.Now().Add(60 * time.Second)
	for {
		err := ready()
		if err == nil {
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended before it was ready", program)
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready: %v", program, err)
		}
	}
}

func tail(text []byte, n int) []byte {
	return text[max(0, len(text)-n):]
}

// short returns a new directory with a short path, for sockets: their paths are
// limited to 107 bytes.
func short(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "oci-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("left behind: %v", err)
		}
	})
	return dir
}

// freeAddress returns a loopback address that nothing listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// registry starts a private registry and returns its address.
func registry(t testing.TB, program string) string {
	t.Helper()
	address := freeAddress(t)
	config := file(t, "registry.yml")
	text := "version: 0.1\nstorage: {filesystem: {rootdirectory: " + t.TempDir() + "}}\n" +
		"http: {addr: \"" + address + "\"}\nlog: {level: warn}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon(t, func() error {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	}, program, "serve", config)
	return address
}
