// SPDX-License-Identifier: Apache-2.0

// Each of these features helps long-running programs only, and costs system calls at every
// start: keeping a file of our own cgroup open for its CPU limit, watching the limit for
// changes, and naming the heap's mappings. The limit is still read once (Go 1.26), but has no
// effect.
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
//go:debug decoratemappings=0

// Command berth is an OCI low-level container runtime: a drop-in replacement for runc, called
// by containerd, Docker, Podman, CRI-O and by users who have a bundle.
//
// This package only sets up the process; the commands are in package cli.
package main

import (
	"os"
	"runtime"

	"github.com/berth-run/berth/cmd/internal/cli"
	"github.com/berth-run/berth/libcontainer"
)

// commit is set by the linker (-X main.commit=…). It is empty in a build outside a git
// checkout.
var commit string

// init locks a builder process to its main thread: this is the thread that enters the
// container's namespaces and that /proc/self describes.
func init() {
	if len(os.Args) > 1 && os.Args[1] == libcontainer.BuilderCommand {
		runtime.LockOSThread()
	}
}

func main() {
	growStack(0)
	os.Exit(cli.Main(os.Args, commit))
}

// growStack makes the stack large enough for any command while it is still nearly empty. Go
// begins with 8 KiB and doubles the stack whenever it is full. Each time it looks up every
// function on the stack, in pages of tables that nothing else touches. Growing it here saves 10
// to 20 of the 340 page faults of `berth state`, and 0.03 to 0.09 of its 2 ms of CPU time
// (medians of 600 alternating pairs of builds with and without it, each copied anew for every
// ten runs, because one copy may be placed better in the page cache than another).
//
// The stack grows in the check at the beginning of a function with a large frame. The frame
// itself is not used: n is 0.
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
