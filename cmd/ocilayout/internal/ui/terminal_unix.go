//go:build unix

package ui

import (
	"os"

	"golang.org/x/sys/unix"
)

// IsTerminal says whether f is a terminal. /dev/null, a device too, is none.
func IsTerminal(f *os.File) bool {
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil
}
