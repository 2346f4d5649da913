// SPDX-License-Identifier: Apache-2.0

package initproc

import (
	"github.com/berth-run/berth/libcontainer/internal/program"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// formatReason explains why the kernel does not execute a file that may be executed, by its first
// bytes.
func (u candidate) formatReason(name string) string {
	switch {
	case u.last.Head == nil: // unreadable
		return ""
	case u.errno == unix.EACCES, u.errno == unix.EPERM:
		return "the files allow it, but " + u.guard() + " or linux.seccomp may not"
	case u.errno != unix.ENOEXEC:
		return ""
	}
	why := program.Format(u.last.Head)
	if why == "" {
		return ""
	}
	return name + " " + why
}

// wrongMachine returns the first ELF file on the way that is for another machine; nil if there is none.
func wrongMachine(facts []nsenter.Fact) *nsenter.Fact {
	for i := range facts {
		if program.OtherMachine(facts[i].Head) != "" {
			return &facts[i]
		}
	}
	return nil
}
