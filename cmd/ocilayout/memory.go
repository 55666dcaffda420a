package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// collectLater puts the first garbage collection off from a heap of 4 MiB to one of
// 16 MiB, which most commands never reach; later ones come as usual. A collection
// costs little, but its first one starts threads and touches new memory.
func collectLater() {
	if os.Getenv("GOGC") != "" {
		return
	}
	usual := debug.SetGCPercent(400)
	first := new([64]byte)
	runtime.AddCleanup(first, func(percent int) { debug.SetGCPercent(percent) }, usual)
}
