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
	"github.com/berth-run/berth/libcontainer/stack"
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
	stack.Grow()
	os.Exit(cli.Main(os.Args, commit))
}
