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
	"runtime/debug"

	"github.com/berth-run/berth/cmd/internal/cli"
)

// commit is set by the linker (-X main.commit=…); a build outside a git
// checkout has none.
var commit string

func main() {
	// A command lives for milliseconds and its heap for as long. What stays,
	// the foreground of run, turns collection on again.
	debug.SetGCPercent(-1)
	os.Exit(cli.Main(os.Args, commit))
}
