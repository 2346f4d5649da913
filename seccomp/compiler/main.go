// SPDX-License-Identifier: Apache-2.0

//go:build cgo

// A container's CPU limit says nothing about this process, and reading it takes
// longer than more threads could win.
//
//go:debug containermaxprocs=0

// Command compiler turns one request of package seccomp into a BPF program by
// way of libseccomp. It is the only cgo of the tree: berth carries it as data
// and runs it when a profile is not in the cache, so that no other command pays
// for the start of a cgo program.
//
// It reads standard input, writes standard output, and has no options. It is
// not meant to be installed or called by anyone else.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/berth-run/berth/seccomp/internal/wire"
)

func main() {
	// It lives for milliseconds: collecting garbage costs more than the garbage.
	debug.SetGCPercent(-1)
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	b, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	req, err := wire.DecodeRequest(b)
	if err != nil {
		return err
	}
	answer, err := compile(req)
	if err != nil {
		return err
	}
	_, err = out.Write(answer.Encode())
	return err
}
