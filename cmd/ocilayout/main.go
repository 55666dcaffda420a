// Command ocilayout keeps container images in OCI Image Layout directories: it
// takes them out of archives, looks at them, names, copies and checks them, and
// writes archives that container tools load.
//
// All it does can be done by a Go program with the packages of this module; here
// are only the words for it.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// grace is how long a command has to stop by itself once interrupted, such as one
// that waits for its standard input. Layouts survive an end at any moment.
const grace = time.Second

// garbage is how much more memory may be in use than is needed, in percent, unless
// GOGC says otherwise: less than is usual, since fresh memory costs more than it
// does to collect little garbage often.
const garbage = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	collectLater()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is one use of the command line: it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr}
	defer context.AfterFunc(ctx, func() {
		stop() // a second signal kills at once
		time.AfterFunc(grace, func() { os.Exit(e.report(ctx, context.Canceled)) })
	})()
	return e.report(ctx, e.execute(ctx, args))
}
