// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"github.com/berth-run/berth/seccomp/internal/bpf"
	"github.com/berth-run/berth/seccomp/internal/syscalls"
	"golang.org/x/sys/unix"
)

// Ends returns those of the named system calls with which the filter ends a process, if all
// arguments are 0. It helps to explain a process that died of SIGSYS: the kernel does not say
// which call it was. filter is a Program's BPF. If it is invalid, the result is nil.
func Ends(filter []byte, names ...string) []string {
	program, err := bpf.Parse(filter)
	if err != nil || len(syscalls.Runnable()) == 0 {
		return nil
	}
	native := &syscalls.Runnable()[0]
	var found []string
	for _, name := range names {
		i := syscalls.Find(name)
		if i < 0 {
			continue
		}
		number, ok := syscalls.All()[i].Number(native)
		if !ok {
			continue
		}
		action, err := program.Run(&bpf.Data{Number: number, Arch: native.Audit})
		if err != nil {
			return nil
		}
		switch action & unix.SECCOMP_RET_ACTION_FULL {
		case unix.SECCOMP_RET_KILL_PROCESS, unix.SECCOMP_RET_KILL_THREAD, unix.SECCOMP_RET_TRAP:
			found = append(found, name)
		}
	}
	return found
}
