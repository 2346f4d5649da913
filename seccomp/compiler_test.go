// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSealBusy: a file that stays busy is given up, and nothing of it is sealed.
func TestSealBusy(t *testing.T) {
	f, err := memfd("busy", unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1); err != nil {
		t.Fatal(err)
	}
	page, err := unix.Mmap(int(f.Fd()), 0, 1, unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal(f); !errors.Is(err, unix.EBUSY) {
		t.Errorf("mapped to be written: %v", err)
	}
	if err := unix.Munmap(page); err != nil {
		t.Fatal(err)
	}
	if err := seal(f); err != nil {
		t.Error(err)
	}
	if _, err := f.Write([]byte("x")); !errors.Is(err, unix.EPERM) {
		t.Errorf("write to a sealed file: %v", err)
	}
}
