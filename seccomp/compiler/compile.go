// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/berth-run/berth/seccomp/internal/enosys"
	"github.com/berth-run/berth/seccomp/internal/wire"
	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// treeFrom is the number of names from which libseccomp sorts the system calls
// into a binary tree: below it, its plain list is as fast, and shorter.
const treeFrom = 16

// compilation is one request on its way to a filter.
type compilation struct {
	req    *wire.Request
	filter *libseccomp.ScmpFilter
	// archs are those of the filter; the native one is the first.
	archs   []arch
	known   []enosys.Known
	unknown []string
}

// arch is an architecture in both worlds.
type arch struct {
	wire.Arch
	lib libseccomp.ScmpArch
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
	if err := c.addArchs(); err != nil {
		return nil, err
	}
	if err := c.addRules(); err != nil {
		return nil, err
	}
	bpf, err := c.export()
	if err != nil {
		return nil, err
	}
	if req.Stub {
		bpf = enosys.Prepend(c.known, bpf)
	}
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

// libName is libseccomp's name of an architecture of the spec.
func libName(spec string) string { return strings.TrimPrefix(spec, "SCMP_ARCH_") }

// addArchs adds the listed architectures to the native one, which every new
// filter has.
func (c *compilation) addArchs() error {
	native, err := libseccomp.GetNativeArch()
	if err != nil {
		return fmt.Errorf("libseccomp: native architecture: %w", err)
	}
	for _, a := range wire.Archs() {
		if lib, err := libseccomp.GetArchFromString(libName(a.Name)); err == nil && lib == native {
			c.archs = append(c.archs, arch{a, lib})
		}
	}
	for _, name := range c.req.Archs {
		a, ok := wire.FindArch(name)
		lib, err := libseccomp.GetArchFromString(libName(name))
		if err == nil && lib == native {
			continue
		}
		if err == nil {
			err = c.filter.AddArch(lib)
		}
		if !ok || err != nil {
			return fmt.Errorf("linux.seccomp.architectures: %s: libseccomp cannot add it: %w", name, err)
		}
		c.archs = append(c.archs, arch{a, lib})
	}
	for _, a := range c.archs {
		c.known = append(c.known, enosys.Known{Arch: a.Arch})
	}
	return nil
}

// addRules adds every rule. Rules whose action is the default one are none for
// libseccomp: they are only looked at for what they name.
func (c *compilation) addRules() error {
	names := 0
	missing := make(map[string]bool)
	for i := range c.req.Rules {
		r := &c.req.Rules[i]
		names += len(r.Names)
		act, err := action(r.Action)
		if err != nil {
			return err
		}
		conds, err := conditions(r.Args)
		if err != nil {
			return ruleError(r, "", err)
		}
		for _, name := range r.Names {
			call, ok := c.resolve(name)
			if !ok {
				if !missing[name] {
					missing[name] = true
					c.unknown = append(c.unknown, name)
				}
				continue
			}
			if r.Action == c.req.Default {
				continue
			}
			if err := c.filter.AddRuleConditional(call, act, conds); err != nil {
				return ruleError(r, name, err)
			}
		}
	}
	if names >= treeFrom {
		if err := c.filter.SetOptimize(2); err != nil {
			return fmt.Errorf("libseccomp: binary tree: %w", err)
		}
	}
	return nil
}

// ruleError puts an error at its place in the profile.
func ruleError(r *wire.Rule, name string, err error) error {
	if errors.Is(err, unix.EEXIST) {
		err = errors.New("an earlier rule has the same arguments and another action")
	}
	if name != "" {
		err = fmt.Errorf("%q: %w", name, err)
	}
	return fmt.Errorf("linux.seccomp.syscalls[%d]: %w", r.Index, err)
}

// resolve finds a system call by name and notes its number on each architecture.
func (c *compilation) resolve(name string) (libseccomp.ScmpSyscall, bool) {
	// The library takes a C string: it would take what stands before a zero
	// byte for the name.
	if strings.IndexByte(name, 0) >= 0 {
		return 0, false
	}
	call, err := libseccomp.GetSyscallFromName(name)
	if err != nil {
		return 0, false
	}
	for i, a := range c.archs {
		n, err := libseccomp.GetSyscallFromNameByArch(name, a.lib)
		// Negative ones are libseccomp's own, for calls that a does not have.
		if err == nil && n >= 0 {
			c.known[i].Numbers = append(c.known[i].Numbers, uint32(n))
		}
	}
	return call, true
}

// conditions translates the checks of one rule.
func conditions(args []wire.Arg) ([]libseccomp.ScmpCondition, error) {
	conds := make([]libseccomp.ScmpCondition, 0, len(args))
	for _, a := range args {
		op, err := operator(a.Op)
		if err != nil {
			return nil, err
		}
		cond, err := libseccomp.MakeCondition(uint(a.Index), op, a.Value, a.ValueTwo)
		if err != nil {
			return nil, err
		}
		conds = append(conds, cond)
	}
	return conds, nil
}

func operator(op wire.Op) (libseccomp.ScmpCompareOp, error) {
	switch op {
	case wire.NotEqual:
		return libseccomp.CompareNotEqual, nil
	case wire.LessThan:
		return libseccomp.CompareLess, nil
	case wire.LessOrEqual:
		return libseccomp.CompareLessOrEqual, nil
	case wire.Equal:
		return libseccomp.CompareEqual, nil
	case wire.GreaterOrEqual:
		return libseccomp.CompareGreaterEqual, nil
	case wire.GreaterThan:
		return libseccomp.CompareGreater, nil
	case wire.MaskedEqual:
		return libseccomp.CompareMaskedEqual, nil
	}
	return libseccomp.CompareInvalid, fmt.Errorf("request: unknown operator %d", op)
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
