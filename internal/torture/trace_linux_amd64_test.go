package torture

import (
	"math"

	"golang.org/x/sys/unix"
)

// skipCall makes a thread that enters a call make none.
func skipCall(tid int) error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	regs.Orig_rax = math.MaxUint64
	return unix.PtraceSetRegs(tid, &regs)
}

// setResult says what a call that ends returns.
func setResult(tid int, result int64) error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return err
	}
	regs.Rax = uint64(result)
	return unix.PtraceSetRegs(tid, &regs)
}

// stackPointer is where the stack of a stopped thread ends.
func stackPointer(tid int) (uint64, error) {
	var regs unix.PtraceRegs
	err := unix.PtraceGetRegs(tid, &regs)
	return regs.Rsp, err
}
