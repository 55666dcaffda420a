package durable_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/ocilayout/ocilayout/internal/durable"
)

// The test binary runs itself as another process when this is set.
const roleVar = "DURABLE_TEST_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleVar)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := runRole(role, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runRole(role string, args []string) error {
	lock, err := durable.Lock(context.Background(), args[0],
		durable.LockOptions{Shared: role == "share", Timeout: -1})
	if err != nil {
		return err
	}
	switch role {
	case "hold", "share":
		fmt.Println("locked")
		_, err = io.Copy(io.Discard, os.Stdin) // until the parent closes it, or kills us
	case "count", "count-remove":
		err = lock.Unlock()
		for range 100 {
			if err == nil {
				err = countOne(args[0], args[1], role == "count-remove")
			}
		}
		return err
	}
	if err != nil {
		return err
	}
	return lock.Unlock()
}

// countOne adds one to the number in file, which only a lock makes safe.
func countOne(path, file string, remove bool) error {
	lock, err := durable.Lock(context.Background(), path, durable.LockOptions{Timeout: -1})
	if err != nil {
		return err
	}
	n, err := readNumber(file)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(n+1)), 0o644); err != nil {
		return err
	}
	if remove {
		return lock.UnlockAndRemove()
	}
	return lock.Unlock()
}

func readNumber(file string) (int, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(data))
}

// A process is the test binary in another role.
type process struct {
	*exec.Cmd
	stdin io.WriteCloser
}

// start runs the test binary in a role; if it is a holder, until it has the lock.
func start(t *testing.T, role string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(role, "count") {
		if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "locked\n" {
			t.Fatalf("the other process said %q, %v", line, err)
		}
	}
	return &process{cmd, stdin}
}

// finish lets the process end by itself.
func (p *process) finish(t *testing.T) {
	t.Helper()
	p.stdin.Close()
	if err := p.Wait(); err != nil {
		t.Errorf("the other process: %v", err)
	}
}
