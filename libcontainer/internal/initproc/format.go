// SPDX-License-Identifier: Apache-2.0

package initproc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// formatReason explains why the kernel does not execute a file that may be executed, by its first
// bytes.
func (u program) formatReason(name string) string {
	head := u.last.Head
	if head == nil {
		return ""
	}
	switch u.errno {
	case unix.ENOEXEC:
		return name + " " + describeFormat(head)
	case unix.EACCES, unix.EPERM:
		return "the files allow it, but " + u.guard() + " or linux.seccomp may not"
	}
	return ""
}

func isScript(head []byte) bool { return bytes.HasPrefix(head, []byte("#!")) }

// describeFormat says what a file is that is no program of this machine.
func describeFormat(head []byte) string {
	switch {
	case len(head) == 0:
		return "is empty"
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return describeELF(head)
	case isScript(head):
		return "has no interpreter after #! in its first line, or one that is too long"
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf#!")):
		return "has a byte order mark before #!, which an editor has put there"
	case bytes.HasPrefix(head, []byte("MZ")):
		return "is a program for Windows"
	case bytes.HasPrefix(head, []byte("\xcf\xfa\xed\xfe")), bytes.HasPrefix(head, []byte("\xca\xfe\xba\xbe")):
		return "is a program for macOS, or of Java"
	}
	return "is neither an ELF program nor a script: its first line does not begin with #!"
}

// describeELF says why an ELF file is no program of this machine.
func describeELF(head []byte) string {
	const typeAt, executable, dynamic = 16, 2, 3 // elf(5)
	machine, ok := machineOf(head)
	if !ok {
		return "is an ELF file that has been cut off"
	}
	if machine != thisMachine() {
		return fmt.Sprintf("is for %s, and this machine is %s", machine, thisMachine())
	}
	if t := byteOrder(head).Uint16(head[typeAt:]); t != executable && t != dynamic {
		return "is an ELF file, but no program: an object file or a core dump"
	}
	return "is an ELF file that the kernel does not accept; it may be damaged"
}

// byteOrder returns the order of the numbers in an ELF file.
func byteOrder(head []byte) binary.ByteOrder {
	const dataAt, bigEndian = 5, 2
	if head[dataAt] == bigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// machineOf returns the machine that an ELF file is for.
func machineOf(head []byte) (string, bool) {
	const machineAt, size = 18, 20
	if len(head) < size || !bytes.HasPrefix(head, []byte("\x7fELF")) {
		return "", false
	}
	return machineName(byteOrder(head).Uint16(head[machineAt:])), true
}

func machineName(machine uint16) string {
	switch machine {
	case 3:
		return "i386"
	case 8:
		return "mips"
	case 20:
		return "ppc"
	case 21:
		return "ppc64"
	case 22:
		return "s390x"
	case 40:
		return "arm"
	case 62:
		return "x86_64"
	case 183:
		return "aarch64"
	case 243:
		return "riscv"
	case 258:
		return "loongarch"
	}
	return fmt.Sprintf("machine %d of ELF", machine)
}

func thisMachine() string {
	switch arch := runtime.GOARCH; arch {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	default:
		return strings.TrimSuffix(arch, "le")
	}
}
