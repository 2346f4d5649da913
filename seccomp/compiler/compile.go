// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package main

import (
	"fmt"
	"io"
	"os"

	"github.com/berth-run/berth/seccomp/internal/prologue"
	"github.com/berth-run/berth/seccomp/internal/wire"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// treeFrom is the number of rules from which libseccomp sorts the system calls
// into a binary tree: below it, its plain list is as fast, and shorter.
const treeFrom = 16

// compilation is one request on its way to a filter.
type compilation struct {
	req    *wire.Request
	filter *libseccomp.ScmpFilter
	// archs are those of the filter; the native one is the first.
	archs   []arch
	calls   []*call
	unknown []string
}

// compile makes the filter that req asks for.
func compile(req *wire.Request) (*wire.Answer, error) {
	fixAPI()
	def, err := action(req.Default)
	if err != nil {
		return nil, err
	}
	filter, err := libseccomp.NewFilter(def)
	if err != nil {
		return nil, fmt.Errorf("libseccomp: %w", err)
	}
	defer filter.Release()

	c := &compilation{req: req, filter: filter}
	if c.archs, err = findArchs(req.Archs); err != nil {
		return nil, err
	}
	for _, a := range c.archs {
		if err := filter.AddArch(a.lib); err != nil {
			return nil, fmt.Errorf("linux.seccomp.architectures: %s: libseccomp cannot add it: %w", a.Name, err)
		}
	}
	c.collect()
	if err := c.addRules(); err != nil {
		return nil, err
	}
	bpf, err := c.export()
	if err != nil {
		return nil, err
	}
	bpf = prologue.Prepend(c.prologue(), req.Stub, bpf)
	if n := len(bpf) / wire.InstructionSize; n > wire.MaxInstructions {
		return nil, fmt.Errorf("linux.seccomp: the filter has %d instructions, the kernel takes %d", n, wire.MaxInstructions)
	}
	return &wire.Answer{BPF: bpf, Unknown: c.unknown}, nil
}

// fixAPI tells libseccomp to believe in every feature it knows instead of asking
// the running kernel: the filter must depend on the request alone, since it is
// kept, and whether the kernel takes it is for the kernel to say, at the load.
func fixAPI() {
	for level := uint(7); level > 1; level-- {
		if libseccomp.SetAPI(level) == nil {
			return
		}
	}
}

// action translates SECCOMP_RET_*.
func action(ret uint32) (libseccomp.ScmpAction, error) {
	code := int16(uint16(ret & unix.SECCOMP_RET_DATA))
	switch ret & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_KILL_PROCESS:
		return libseccomp.ActKillProcess, nil
	case unix.SECCOMP_RET_KILL_THREAD:
		return libseccomp.ActKillThread, nil
	case unix.SECCOMP_RET_TRAP:
		return libseccomp.ActTrap, nil
	case unix.SECCOMP_RET_ERRNO:
		return libseccomp.ActErrno.SetReturnCode(code), nil
	case unix.SECCOMP_RET_USER_NOTIF:
		return libseccomp.ActNotify, nil
	case unix.SECCOMP_RET_TRACE:
		return libseccomp.ActTrace.SetReturnCode(code), nil
	case unix.SECCOMP_RET_LOG:
		return libseccomp.ActLog, nil
	case unix.SECCOMP_RET_ALLOW:
		return libseccomp.ActAllow, nil
	}
	return libseccomp.ActInvalid, fmt.Errorf("request: unknown action %#x", ret)
}

// addRules adds the rules without argument checks. Those whose action is the
// default one are none for libseccomp, which refuses them.
func (c *compilation) addRules() error {
	rules := 0
	for _, call := range c.calls {
		if !call.always {
			continue
		}
		act, err := action(call.action)
		if err != nil {
			return err
		}
		if err := c.filter.AddRule(call.id, act); err != nil {
			return fmt.Errorf("linux.seccomp.syscalls[%d]: %q: libseccomp: %w", call.index, call.name, err)
		}
		rules++
	}
	if rules < treeFrom {
		return nil
	}
	if err := c.filter.SetOptimize(2); err != nil {
		return fmt.Errorf("libseccomp: binary tree: %w", err)
	}
	return nil
}

// export is the filter as BPF. libseccomp writes it to a file; a pipe would not
// do, as nobody reads it meanwhile.
func (c *compilation) export() ([]byte, error) {
	fd, err := unix.MemfdCreate("seccomp-bpf", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "seccomp-bpf")
	defer f.Close()
	if err := c.filter.ExportBPF(f); err != nil {
		return nil, fmt.Errorf("libseccomp: export: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}
