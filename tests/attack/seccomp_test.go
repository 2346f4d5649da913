// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// newerCalls are the system calls from number firstNewer on, in this order. libseccomp 2.5 does
// not know them.
var newerCalls = []string{
	"statmount", "listmount", "lsm_get_self_attr", "lsm_set_self_attr", "lsm_list_modules", "mseal",
	"setxattrat", "getxattrat", "listxattrat", "removexattrat", "open_tree_attr", "file_getattr",
	"file_setattr", "listns", "rseq_slice_yield",
}

const firstNewer = 457

// callNewer makes each of newerCalls, and prints those that the filter allows. args: the error
// number of the filter.
func callNewer(args []string) error {
	for i, name := range newerCalls {
		const nothing = ^uintptr(0)
		_, _, errno := unix.Syscall6(uintptr(firstNewer+i), nothing, nothing, nothing, nothing, nothing, nothing)
		if fmt.Sprint(int(errno)) != args[0] {
			fmt.Println(name)
		}
	}
	return nil
}

// TestNewerCalls: a profile forbids system calls that are newer than the libseccomp of the
// machine on which a runtime was built.
func TestNewerCalls(t *testing.T) {
	withstands(t, 1, func(s *stage) string {
		b := s.box("calls").helper("newer-calls", fmt.Sprint(int(unix.EXFULL)))
		errno := uint(unix.EXFULL)
		b.spec.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow,
			Syscalls:      []specs.LinuxSyscall{{Names: newerCalls, Action: specs.ActErrno, ErrnoRet: &errno}},
		}
		return strings.TrimSpace(b.must("run", b.id).out)
	})
}

// TestFilterOfExec: a process that exec adds has the container's filter, whatever its own
// process.json and the current config.json say.
func TestFilterOfExec(t *testing.T) {
	weakened(t, 1, func(s *stage) string {
		b := s.box("filter").sh("exec sleep 1000")
		if !s.weak {
			errno := uint(unix.EXFULL)
			b.spec.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow,
				Syscalls:      []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno, ErrnoRet: &errno}},
			}
		}
		b.startOutput()
		b.spec.Linux.Seccomp = nil // the next command writes it to config.json
		if r := b.command("exec", b.id, "/bin/mkdir", "/made"); r.status == 0 {
			return "mkdir goes through"
		}
		return ""
	})
}
