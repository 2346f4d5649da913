// SPDX-License-Identifier: Apache-2.0

package program

import (
	"bytes"
	"fmt"
)

// IsScript reports whether a file that begins like this is a script for the kernel.
func IsScript(head []byte) bool { return bytes.HasPrefix(head, []byte("#!")) }

// Format says why the kernel does not know how to execute a file that begins like this (ENOEXEC); ""
// if there is nothing to be seen. Nothing but the first bytes is needed, some 256.
func Format(head []byte) string {
	switch {
	case len(head) == 0:
		return "is empty"
	case IsScript(head):
		return shebangFault(head)
	case !bytes.HasPrefix(head, []byte("\x7fELF")):
		return foreign(head)
	}
	h, why := readHeader(head)
	switch {
	case why != "":
		return why
	case OtherMachine(head) != "":
		return fmt.Sprintf("is for %s, this machine is %s", h.name(), machineName())
	case h.kind != typeExec && h.kind != typeDyn:
		return "is an ELF file, but no program (an object file or a core dump)"
	}
	return "is an ELF file that the kernel does not accept: it may be damaged"
}

// OtherMachine returns the name of the machine that an ELF file is for, and "" for this one, or for
// another file.
func OtherMachine(head []byte) string {
	if !bytes.HasPrefix(head, []byte("\x7fELF")) {
		return ""
	}
	if h, _ := readHeader(head); h != nil && h.name() != machineName() {
		return h.name()
	}
	return ""
}

// shebangFault says why the kernel finds no interpreter in the first line of a script; "" if it does.
func shebangFault(head []byte) string {
	switch interpreter, _, ok := shebang(head); {
	case !ok:
		return "has a shebang line (#!) that is longer than the 255 bytes that the kernel reads"
	case interpreter == "":
		return "has a shebang line (#!) without an interpreter"
	}
	return ""
}
