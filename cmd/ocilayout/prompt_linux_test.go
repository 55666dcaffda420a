package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal makes a pseudo-terminal: what is typed into keys comes out of tty.
func terminal(t *testing.T) (keys, tty *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	keys = os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { _ = keys.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return keys, tty
}

func shows(t *testing.T, tty *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// waitFor waits until the terminal shows what is typed, or does not.
func waitFor(t *testing.T, tty *os.File, want bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); shows(t, tty) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("shows what is typed: %t", !want)
		}
	}
}

// TestUnseen: the terminal does not show a password, and shows the next thing again.
func TestUnseen(t *testing.T) {
	keys, tty := terminal(t)
	got := make(chan string)
	f := registryFlags{}
	f.o.Username = "me"
	go func() {
		err := f.ask(t.Context(), &env{stdin: tty, stderr: io.Discard})
		got <- fmt.Sprint(f.o.Password, err)
	}()
	waitFor(t, tty, false)
	if _, err := keys.WriteString("secret\n"); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "secret<nil>" || !shows(t, tty) {
		t.Errorf("got %q, shows again: %t", s, shows(t, tty))
	}
}

// TestUnseenInterrupted: if it is interrupted the terminal shows again what is typed.
func TestUnseenInterrupted(t *testing.T) {
	keys, tty := terminal(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		_, _ = unseen(ctx, tty)
		close(done)
	}()
	waitFor(t, tty, false)
	stop()
	waitFor(t, tty, true)
	if _, err := keys.WriteString("\n"); err != nil { // so that the reader ends
		t.Fatal(err)
	}
	<-done
}
