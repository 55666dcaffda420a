//go:build !linux

package interop

import "syscall"

// dieWithParent is nothing where the kernel has no such signal.
func dieWithParent() *syscall.SysProcAttr { return nil }
