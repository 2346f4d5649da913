// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// attrSize is more than union bpf_attr has in any kernel. The kernel takes a size beyond
// its own when what it does not know is 0.
const attrSize = 512

// attrUnion is union bpf_attr: the part for one command, and room for all else that any
// kernel may read there, or write. Linux 6.17 to 7.1 write eight bytes at offset 56 in
// answer to BPF_PROG_QUERY, whatever size they are given: behind a part as large as what we
// know of it, that would be memory of something else.
type attrUnion[T any] struct {
	part T
	room [attrSize]byte
}

// call has the system call, for which it is given the address and the size, done on the
// whole union, and brings the part's answers back.
func call[T any](part *T, syscall func(attr unsafe.Pointer, size uintptr) (int, error)) (int, error) {
	u := attrUnion[T]{part: *part}
	n, err := syscall(unsafe.Pointer(&u), attrSize)
	*part = u.part
	return n, err
}

// bpf is bpf(2).
func bpf[T any](cmd uintptr, part *T) (int, error) {
	return call(part, func(attr unsafe.Pointer, size uintptr) (int, error) {
		for {
			fd, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(attr), size)
			switch errno {
			case 0:
				return int(fd), nil
			case unix.EAGAIN, unix.EINTR:
				// The verifier gives up on a pending signal, of which a Go program
				// has many.
				if cmd == unix.BPF_PROG_LOAD {
					continue
				}
			}
			return -1, errno
		}
	})
}
