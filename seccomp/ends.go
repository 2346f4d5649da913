// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"slices"

	"github.com/berth-run/berth/seccomp/internal/bpf"
	"github.com/berth-run/berth/seccomp/internal/syscalls"
	"golang.org/x/sys/unix"
)

// Ends returns those of the named system calls with which the filter ends a process, if all
// arguments are 0. It helps to explain a process that died of SIGSYS: the kernel does not say
// which call it was. filter is a Program's BPF. If it is invalid, the result is nil.
func Ends(filter []byte, names ...string) []string {
	return withAction(filter, names, unix.SECCOMP_RET_KILL_PROCESS, unix.SECCOMP_RET_KILL_THREAD, unix.SECCOMP_RET_TRAP)
}

// Denies reports whether the filter makes the named system call fail, if all arguments are 0. It helps
// to explain an error that may have another reason.
func Denies(filter []byte, name string) bool {
	return len(withAction(filter, []string{name}, unix.SECCOMP_RET_ERRNO)) > 0
}

// withAction returns those of the named system calls for which the filter has one of the actions.
func withAction(filter []byte, names []string, actions ...uint32) []string {
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
		if slices.Contains(actions, action&unix.SECCOMP_RET_ACTION_FULL) {
			found = append(found, name)
		}
	}
	return found
}
