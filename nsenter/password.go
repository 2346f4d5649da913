// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// withPassword puts instructions in front of a seccomp filter that allow some system calls of
// init if their sixth argument, which none of them uses, is a random number.
//
// A filter without no_new_privs must be loaded by a process with CAP_SYS_ADMIN, and an init
// that joins a pid namespace must not have that capability any more when it is in there. So it
// loads the filter before. After that it still has to drop its capabilities, fork, become the
// session leader with its terminal, set the limits, and report. A filter need not allow these
// calls, and an agent cannot be asked about them before it has the listener.
//
// For all other calls the kernel can cache the result, because for them the first instructions
// only depend on the number of the call.
func withPassword(filter []byte) (with []byte, password uint64, err error) {
	var random [8]byte
	if _, err := unix.Getrandom(random[:], 0); err != nil {
		return nil, 0, fmt.Errorf("getrandom: %w", err)
	}
	password = binary.NativeEndian.Uint64(random[:]) | 1 // never 0
	// Offsets in struct seccomp_data (seccomp(2)). Both architectures are little-endian.
	const number, architecture, sixthLow, sixthHigh = 0, 4, 56, 60
	calls := [...]uint32{
		unix.SYS_CAPSET, unix.SYS_PRCTL, unix.SYS_CLONE, unix.SYS_WRITE,
		unix.SYS_SETSID, unix.SYS_IOCTL, unix.SYS_PRLIMIT64,
	}
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: architecture},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: auditArch, Jf: uint8(len(calls) + 6)},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number},
	}
	for n, call := range calls {
		jump := unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jt: uint8(len(calls) - 1 - n)}
		if n == len(calls)-1 {
			jump.Jf = 5
		}
		program = append(program, jump)
	}
	program = append(program,
		unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: sixthLow},
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(password), Jf: 3},
		unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: sixthHigh},
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(password >> 32), Jf: 1},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	)
	// The kernel accepts no longer program. It is better to fail than to leave out a rule.
	const most = 4096
	if n := len(program) + len(filter)/instruction; n > most {
		return nil, 0, fmt.Errorf("seccomp filter of %d instructions is too long without noNewPrivileges: %d are needed beside it, and %d are allowed",
			len(filter)/instruction, len(program), most)
	}
	for _, i := range program {
		with = binary.NativeEndian.AppendUint16(with, i.Code)
		with = append(with, i.Jt, i.Jf)
		with = binary.NativeEndian.AppendUint32(with, i.K)
	}
	return slices.Concat(with, filter), password, nil
}
