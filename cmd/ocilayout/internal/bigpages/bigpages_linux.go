package bigpages

import (
	"syscall"
	"unsafe"
)

const (
	bigPage = 2 << 20
	arena   = 64 << 20 // what the heap reserves at once, at a multiple of it

	madvHugePage = 14 // include/uapi/asm-generic/mman-common.h
	madvCollapse = 25
)

// onHeap has an address in the first arena.
var onHeap = new([64]byte)

func init() {
	Ask()
	// The page that the heap begins in has been touched in parts already.
	advise(uintptr(unsafe.Pointer(onHeap))&^(bigPage-1), bigPage, madvCollapse)
}

// Ask asks again, for what the heap has grown by: the runtime maps it anew in steps of
// 4 MiB, without what was said of the addresses before.
func Ask() {
	advise(uintptr(unsafe.Pointer(onHeap))&^(arena-1), arena, madvHugePage)
}

// advise is madvise(2). What the kernel does not do leaves memory as it is.
func advise(from, size uintptr, advice int) {
	_, _, _ = syscall.RawSyscall(syscall.SYS_MADVISE, from, size, uintptr(advice))
}
