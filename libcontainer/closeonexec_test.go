// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"testing"

	"golang.org/x/sys/unix"
)

// Both ways leave a descriptor open that a program would have inherited, and mark it.
func TestCloseOnExec(t *testing.T) {
	for name, mark := range map[string]func() error{
		"at once": func() error { _, err := CloseOnExec(); return err }, "one by one": func() error { return closeOnExecEach(3) },
	} {
		for _, number := range []int{0, 900} {
			fd, err := unix.FcntlInt(0, unix.F_DUPFD, number)
			if err != nil {
				t.Fatal(err)
			}
			if err := mark(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			if err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("%s: descriptor %d has flags %#x, %v", name, fd, flags, err)
			}
			unix.Close(fd)
		}
		if flags, err := unix.FcntlInt(1, unix.F_GETFD, 0); err != nil || flags != 0 {
			t.Errorf("%s: standard output has flags %#x, %v", name, flags, err)
		}
	}
}
