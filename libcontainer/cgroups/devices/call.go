// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// attrSize is larger than union bpf_attr in any kernel. The kernel accepts a larger size than
// its own if the unknown bytes are 0.
const attrSize = 512

// attrUnion is union bpf_attr: the part for one command, and room for everything else that any
// kernel may read or write there. Linux 6.17 to 7.1 write eight bytes at offset 56 for
// BPF_PROG_QUERY, whatever size is passed: with only the part that we know, this would
// overwrite other memory.
type attrUnion[T any] struct {
	part T
	room [attrSize]byte
}

// call runs a system call with the address and the size of the whole union, and copies the
// results back into the part.
func call[T any](part *T, syscall func(attr unsafe.Pointer, size uintptr) (int, error)) (int, error) {
	u := attrUnion[T]{part: *part}
	n, err := syscall(unsafe.Pointer(&u), attrSize)
	*part = u.part
	return n, err
}

// bpf calls bpf(2).
func bpf[T any](cmd uintptr, part *T) (int, error) {
	return call(part, func(attr unsafe.Pointer, size uintptr) (int, error) {
		for {
			fd, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(attr), size)
			switch errno {
			case 0:
				return int(fd), nil
			case unix.EAGAIN, unix.EINTR:
				// The verifier gives up if a signal is pending, which is often so in a Go
				// program.
				if cmd == unix.BPF_PROG_LOAD {
					continue
				}
			}
			return -1, errno
		}
	})
}
