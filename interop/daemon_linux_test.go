package interop

import "syscall"

// dieWithParent has the kernel end a process when this one dies, which a test that
// takes too long makes it do without cleaning up.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
