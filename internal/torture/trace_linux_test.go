//go:build amd64

package torture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A call is one system call on a file below the watched directory, as it was
// entered. Paths are absolute.
type call struct {
	n      int // from 1, over all calls that are watched
	began  int // the moments, on one clock, when it was entered and left;
	ended  int // 0 if it was never left
	kind   string
	name   string
	path   string
	path2  string // of a rename or link: the new name; of a tmpfile: what stands for one
	flags  uint64 // of an open, unlink
	offset int64  // of a write; -1 is where the file's position is
	size   int64  // of a truncation
	data   []byte // of a write, if asked for
	source string // of a copy between files
	srcOff int64
	result int64 // negative is an errno
}

// A fault is what happens to the nth call of a kind: it fails with errno and is not
// made, or, if errno is 0, the process is killed before it is made.
type fault struct {
	kind  string
	nth   int // from 1
	errno unix.Errno
}

func (f fault) String() string {
	what := "SIGKILL"
	if f.errno != 0 {
		what = unix.ErrnoName(f.errno)
	}
	return fmt.Sprintf("%s at %s %d", what, f.kind, f.nth)
}

// A run is a traced run of a program.
type run struct {
	calls  []call
	exit   int // -1 if it was killed
	stdout string
	stderr string
	hit    *call // what the fault happened to; nil if there was no such call
	told   int   // how often the clock was asked for the time of day
	wrong  int   // and how often it told a shifted one
}

// tracing says what trace watches and does.
type tracing struct {
	below string // the directory
	dir   string // where the program starts
	env   []string
	fault *fault
	data  bool // keep what is written
	jump  *jump
}

// A jump puts the clock of the program forward, or back, from the time on that it has
// entered so many watched calls. Files keep the time of the machine's clock.
type jump struct {
	after int
	by    time.Duration
}

// syscallInfo is the kernel's struct ptrace_syscall_info.
type syscallInfo struct {
	op     uint8
	_      [3]uint8
	arch   uint32
	ip, sp uint64
	nr     uint64 // at entry; at exit the result
	args   [6]uint64
	_      [2]uint64
}

const (
	ptraceGetSyscallInfo = 0x420e
	wnothread            = 0x20000000
)

// trace runs a program to its end under ptrace.
func trace(t tracing, program string, args ...string) (run, error) {
	// Only the thread that started the program may trace it. It ends with this
	// goroutine, since it is never unlocked.
	type answer struct {
		r   run
		err error
	}
	answers := make(chan answer)
	go func() {
		runtime.LockOSThread()
		r, err := traceHere(t, program, args)
		answers <- answer{r, err}
	}()
	a := <-answers
	return a.r, a.err
}

func traceHere(t tracing, program string, args []string) (r run, err error) {
	stdout, err := os.CreateTemp("", "torture-stdout-")
	if err != nil {
		return r, err
	}
	stderr, err := os.CreateTemp("", "torture-stderr-")
	if err != nil {
		return r, err
	}
	defer func() {
		err = errors.Join(err, stdout.Close(), stderr.Close(), os.Remove(stdout.Name()), os.Remove(stderr.Name()))
	}()
	cmd := exec.CommandContext(context.Background(), program, args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir, cmd.Env = stdout, stderr, t.dir, t.env
	// A group of its own is what is waited for: this thread may have begun other programs,
	// which other goroutines wait for.
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return r, err
	}
	w := watcher{tracing: t, pid: cmd.Process.Pid, run: &r, inside: map[int]int{}, asking: map[int]uint64{}, seen: map[int]bool{}, count: map[string]int{}}
	if err := w.follow(); err != nil {
		_ = cmd.Process.Kill() // the first error tells more
		return r, err
	}
	if err := cmd.Process.Release(); err != nil {
		return r, err
	}
	out, err := os.ReadFile(stdout.Name())
	if err != nil {
		return r, err
	}
	msg, err := os.ReadFile(stderr.Name())
	r.stdout, r.stderr = string(out), string(msg)
	return r, err
}

// A watcher follows one process and its threads.
type watcher struct {
	tracing
	pid    int
	clock  int
	run    *run
	inside map[int]int    // by thread: the number of the watched call that it is in
	asking map[int]uint64 // by thread that asks for the time of day: where it wants it
	count  map[string]int // calls so far, by kind
	seen   map[int]bool   // threads that have stopped once
}

func (w *watcher) follow() error {
	var ws unix.WaitStatus
	if _, err := unix.Wait4(w.pid, &ws, unix.WALL, nil); err != nil {
		return fmt.Errorf("waiting for the program to start: %w", err)
	}
	w.seen[w.pid] = true
	const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK |
		unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(w.pid, options); err != nil {
		return fmt.Errorf("ptrace: %w", err)
	}
	if w.jump != nil {
		if err := hideClock(w.pid); err != nil {
			return fmt.Errorf("hiding the clock: %w", err)
		}
	}
	tid, signal := w.pid, 0
	for {
		if err := unix.PtraceSyscall(tid, signal); err != nil && err != unix.ESRCH {
			return fmt.Errorf("ptrace: going on: %w", err)
		}
	wait:
		var err error
		tid, err = unix.Wait4(-w.pid, &ws, unix.WALL|wnothread, nil)
		switch {
		case err == unix.EINTR:
			goto wait
		case err != nil:
			return fmt.Errorf("waiting for the program: %w", err)
		case ws.Exited() || ws.Signaled():
			if tid != w.pid {
				goto wait
			}
			w.run.exit = -1
			if ws.Exited() {
				w.run.exit = ws.ExitStatus()
			}
			return nil
		case !ws.Stopped():
			goto wait
		}
		first := !w.seen[tid]
		w.seen[tid] = true
		signal = 0
		switch sig := ws.StopSignal(); {
		case sig == unix.SIGTRAP|0x80:
			if err := w.stopped(tid); err != nil && err != unix.ESRCH {
				return err
			}
		case sig == unix.SIGTRAP: // an event of ptrace
		case sig == unix.SIGSTOP && first: // a new thread
		default:
			signal = int(sig)
		}
	}
}

// stopped handles a thread that enters or leaves a call.
func (w *watcher) stopped(tid int) error {
	var info syscallInfo
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return errno
	}
	if info.op == 2 {
		return w.left(tid, int64(info.nr))
	}
	if info.op != 1 {
		return nil
	}
	if info.nr == unix.SYS_CLOCK_GETTIME && info.args[0] == unix.CLOCK_REALTIME {
		w.asking[tid] = info.args[1]
		return nil
	}
	c, ok := w.describe(tid, info)
	if !ok || !w.watched(c.path) && !w.watched(c.path2) {
		return nil
	}
	w.clock++
	c.n, c.began = len(w.run.calls)+1, w.clock
	w.run.calls = append(w.run.calls, c)
	w.inside[tid] = c.n
	w.count[c.kind]++
	if w.fault == nil || w.fault.kind != c.kind || w.fault.nth != w.count[c.kind] {
		return nil
	}
	w.run.hit = &c
	if w.fault.errno == 0 {
		return unix.Kill(w.pid, unix.SIGKILL)
	}
	return skipCall(tid)
}

func (w *watcher) left(tid int, result int64) error {
	if at, ok := w.asking[tid]; ok {
		delete(w.asking, tid)
		return w.tell(tid, at)
	}
	n, ok := w.inside[tid]
	if !ok {
		return nil
	}
	delete(w.inside, tid)
	w.clock++
	c := &w.run.calls[n-1]
	c.result, c.ended = result, w.clock
	if c.name == "tmpfile" && result >= 0 {
		c.path2 = fdPath(tid, uint64(result))
	}
	if w.run.hit != nil && w.run.hit.n == c.n {
		c.result = -int64(w.fault.errno)
		return setResult(tid, c.result)
	}
	return nil
}

// tell puts a shifted time of day in the place of the one that the kernel told.
func (w *watcher) tell(tid int, at uint64) error {
	w.run.told++
	if w.jump == nil || len(w.run.calls) < w.jump.after {
		return nil
	}
	var now unix.Timespec
	buf := memory(tid, at, int(unsafe.Sizeof(now)))
	if len(buf) == 0 {
		return errors.New("the time of day can't be read")
	}
	now = *(*unix.Timespec)(unsafe.Pointer(&buf[0]))
	now = unix.NsecToTimespec(now.Nano() + w.jump.by.Nanoseconds())
	if _, err := unix.PtracePokeData(tid, uintptr(at), unsafe.Slice((*byte)(unsafe.Pointer(&now)), unsafe.Sizeof(now))); err != nil {
		return err
	}
	w.run.wrong++
	return nil
}

// hideClock makes a program that has not begun yet ask the kernel for the time, which
// stops it, instead of the code that the kernel has put into its memory: the list at
// the bottom of its stack no longer says where that is.
func hideClock(pid int) error {
	const (
		entryOfVDSO  = 33 // AT_SYSINFO_EHDR
		ignoredEntry = 1  // AT_IGNORE
		word         = 8
	)
	at, err := stackPointer(pid)
	if err != nil {
		return err
	}
	next := func() uint64 {
		b := memory(pid, at, word)
		at += word
		if len(b) < word {
			return 0
		}
		return binary.NativeEndian.Uint64(b)
	}
	arguments := next()
	at += word * (arguments + 1) // and the zero behind them
	for next() != 0 {            // the environment
	}
	for key := next(); key != 0; key = next() {
		if key == entryOfVDSO {
			_, err := unix.PtracePokeData(pid, uintptr(at-word), binary.NativeEndian.AppendUint64(nil, ignoredEntry))
			return err
		}
		next()
	}
	return errors.New("the program was not told of any clock")
}

func (w *watcher) watched(path string) bool {
	return path == w.below || strings.HasPrefix(path, w.below+"/")
}

// describe reads what a call is about; ok is false for one that touches no name and
// no bytes of a file.
func (w *watcher) describe(tid int, info syscallInfo) (c call, ok bool) {
	a := info.args
	c.offset = -1
	switch info.nr {
	case unix.SYS_OPENAT:
		c.kind, c.name, c.path, c.flags = "open", "openat", w.pathAt(tid, a[0], a[1]), a[2]
		if a[2]&unix.O_TMPFILE == unix.O_TMPFILE {
			c.name = "tmpfile" // in the directory path
		}
	case unix.SYS_NEWFSTATAT:
		c.kind, c.name, c.path = "stat", "newfstatat", w.pathAt(tid, a[0], a[1])
	case unix.SYS_READ:
		c.kind, c.name, c.path = "read", "read", fdPath(tid, a[0])
	case unix.SYS_PREAD64:
		c.kind, c.name, c.path = "read", "pread64", fdPath(tid, a[0])
	case unix.SYS_WRITE:
		c.kind, c.name, c.path = "write", "write", fdPath(tid, a[0])
		c.size = int64(a[2])
		if w.data && w.watched(c.path) {
			c.data, c.offset = memory(tid, a[1], int(a[2])), position(tid, a[0])
		}
	case unix.SYS_PWRITE64:
		c.kind, c.name, c.path, c.offset = "write", "pwrite64", fdPath(tid, a[0]), int64(a[3])
		c.size = int64(a[2])
		if w.data && w.watched(c.path) {
			c.data = memory(tid, a[1], int(a[2]))
		}
	case unix.SYS_COPY_FILE_RANGE:
		c.kind, c.name, c.path, c.source = "write", "copy_file_range", fdPath(tid, a[2]), fdPath(tid, a[0])
		c.size = int64(a[4])
		if w.data && w.watched(c.path) {
			c.offset, c.srcOff = position(tid, a[2]), position(tid, a[0])
		}
	case unix.SYS_IOCTL:
		if a[1] != unix.FICLONE {
			return c, false
		}
		c.kind, c.name, c.path, c.source = "write", "ficlone", fdPath(tid, a[0]), fdPath(tid, a[2])
	case unix.SYS_FTRUNCATE:
		c.kind, c.name, c.path, c.size = "write", "ftruncate", fdPath(tid, a[0]), int64(a[1])
	case unix.SYS_FALLOCATE:
		c.kind, c.name, c.path = "write", "fallocate", fdPath(tid, a[0])
	case unix.SYS_RENAMEAT:
		c.kind, c.name, c.path, c.path2 = "rename", "renameat", w.pathAt(tid, a[0], a[1]), w.pathAt(tid, a[2], a[3])
	case unix.SYS_RENAMEAT2:
		c.kind, c.name, c.path, c.path2 = "rename", "renameat2", w.pathAt(tid, a[0], a[1]), w.pathAt(tid, a[2], a[3])
	case unix.SYS_LINKAT:
		c.kind, c.name, c.path, c.path2 = "link", "linkat", w.pathAt(tid, a[0], a[1]), w.pathAt(tid, a[2], a[3])
	case unix.SYS_UNLINKAT:
		c.kind, c.name, c.path, c.flags = "unlink", "unlinkat", w.pathAt(tid, a[0], a[1]), a[2]
	case unix.SYS_MKDIRAT:
		c.kind, c.name, c.path = "mkdir", "mkdirat", w.pathAt(tid, a[0], a[1])
	case unix.SYS_FSYNC:
		c.kind, c.name, c.path = "fsync", "fsync", fdPath(tid, a[0])
	case unix.SYS_FDATASYNC:
		c.kind, c.name, c.path = "fsync", "fdatasync", fdPath(tid, a[0])
	case unix.SYS_SYNCFS:
		c.kind, c.name, c.path = "fsync", "syncfs", fdPath(tid, a[0])
	case unix.SYS_FLOCK:
		c.kind, c.name, c.path = "flock", "flock", fdPath(tid, a[0])
	default:
		return c, false
	}
	return c, true
}

// pathAt is the path that a call names relative to an open directory.
func (w *watcher) pathAt(tid int, dirfd, name uint64) string {
	path := cString(tid, name)
	var fd uint64
	if n, err := fmt.Sscanf(path, "/proc/self/fd/%d", &fd); n == 1 && err == nil {
		return fdPath(tid, fd)
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	if int32(dirfd) == unix.AT_FDCWD {
		dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", tid))
		if err != nil {
			return ""
		}
		return filepath.Join(dir, path)
	}
	return filepath.Join(fdPath(tid, dirfd), path)
}

func fdPath(tid int, fd uint64) string {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, int32(fd)))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(path, " (deleted)")
}

// position is where the next write to an open file goes.
func position(tid int, fd uint64) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", tid, int32(fd)))
	var pos int64
	if err != nil {
		return -1
	}
	if _, err := fmt.Sscanf(string(data), "pos: %d", &pos); err != nil {
		return -1
	}
	return pos
}

// memory reads the memory of a stopped thread.
func memory(tid int, address uint64, n int) []byte {
	buf := make([]byte, n)
	if n == 0 {
		return buf
	}
	local := []unix.Iovec{{Base: &buf[0]}}
	local[0].SetLen(n)
	got, err := unix.ProcessVMReadv(tid, local, []unix.RemoteIovec{{Base: uintptr(address), Len: n}}, 0)
	if err != nil {
		return nil
	}
	return buf[:got]
}

// cString reads a string that ends in a zero byte, page by page, since the next page
// may not be there.
func cString(tid int, address uint64) string {
	const page = 4096
	var s []byte
	for len(s) < page {
		part := memory(tid, address, int(page-address%page))
		if i := bytes.IndexByte(part, 0); i >= 0 {
			return string(append(s, part[:i]...))
		}
		if len(part) == 0 {
			return string(s)
		}
		s, address = append(s, part...), address+uint64(len(part))
	}
	return string(s)
}
