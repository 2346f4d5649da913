// SPDX-License-Identifier: Apache-2.0

// Each of these serves programs that live long, and costs system calls at every start:
// keeping a file of our own cgroup open for its cpu limit, watching that for changes, and
// naming the heap's mappings. The limit is read once all the same (Go 1.26), but does
// not count.
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
//go:debug decoratemappings=0

// Command berth is an OCI low-level container runtime: a drop-in for runc that
// containerd, Docker, Podman, CRI-O and people with a bundle call.
//
// Here is only what belongs to the process; the commands are in package cli.
package main

import (
	"os"
	"runtime"

	"github.com/berth-run/berth/cmd/internal/cli"
	"github.com/berth-run/berth/libcontainer"
)

// commit is set by the linker (-X main.commit=…); a build outside a git
// checkout has none.
var commit string

// init keeps a builder process on its main thread for good: that is what enters the
// container's namespaces, and what /proc/self is about.
func init() {
	if len(os.Args) > 1 && os.Args[1] == libcontainer.BuilderCommand {
		runtime.LockOSThread()
	}
}

func main() {
	growStack(0)
	os.Exit(cli.Main(os.Args, commit))
}

// growStack makes the stack large enough for any command, while there is little on it. Go
// begins with 8 KiB and doubles them whenever they are full; each time it looks up every
// function that is running, in pages of tables that nothing else touches. This spares 10
// to 20 of the 340 page faults of `berth state`, and 0.03 to 0.09 of its 2 ms of CPU time
// (medians of 600 alternating pairs of builds with and without it, each copied afresh for
// every ten runs, since a copy may lie better in the page cache than another).
//
// What makes room is the check that begins a function with a large frame. The frame is
// used by nobody: n is 0.
//
//go:noinline
func growStack(n int) byte {
	if n == 0 {
		return 0
	}
	var frame [48 << 10]byte
	frame[n] = 1
	return frame[n/2]
}
