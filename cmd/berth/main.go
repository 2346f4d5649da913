// SPDX-License-Identifier: Apache-2.0

// Each of these costs system calls at every start and serves programs that
// live long: reading the cpu limit of our own cgroup (which also keeps a file
// open), watching it for changes, and naming the heap's mappings.
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
//go:debug decoratemappings=0

// Command berth is an OCI low-level container runtime: a drop-in for runc that
// containerd, Docker, Podman, CRI-O and people with a bundle call.
//
// The command is flags, messages and exit codes, one file per subcommand. It
// decides nothing about containers: specconv reads the bundle, libcontainer
// does the work. Its one invariant: a command that fails writes exactly one
// line of level error, and a command that succeeds writes nothing on stderr.
package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// init keeps the main goroutine on the main thread for good. The engine's
// builder goroutine enters the container on a thread of its own and that
// thread dies with it; were it the main thread, /proc/self and the
// thread-group leader would be inside the container.
func init() {
	runtime.LockOSThread()
}

func main() {
	// A command lives for milliseconds and its heap for as long. What stays,
	// the foreground of run, turns collection on again.
	debug.SetGCPercent(-1)
	a := newApp(os.Args[0], os.Stdin, os.Stdout, os.Stderr)
	os.Exit(a.main(os.Args[1:]))
}
