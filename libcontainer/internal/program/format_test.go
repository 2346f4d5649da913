// SPDX-License-Identifier: Apache-2.0

package program

import (
	"strings"
	"testing"
)

// elfHead returns the first bytes of an ELF file of 64 bits.
func elfHead(data, kind, machine byte) string {
	head := make([]byte, header64)
	copy(head, "\x7fELF\x02")
	head[elfData], head[elfType], head[elfMachine] = data, kind, machine
	if data == bigEnd {
		head[elfType], head[elfType+1], head[elfMachine], head[elfMachine+1] = 0, kind, 0, machine
	}
	return string(head)
}

func TestFormat(t *testing.T) {
	own, this := byte(machineX86), machineName()
	if this == "aarch64" {
		own = 183
	}
	for head, want := range map[string]string{
		"":                                  "is empty",
		"echo\n":                            "has no shebang line (such as #!/bin/sh) and is no ELF program",
		"\xef\xbb\xbf#!/bin/sh":             "begins with a byte order mark (EF BB BF) before its #! line",
		"MZ":                                "is a program for Windows",
		"#!\n":                              "has a shebang line (#!) without an interpreter",
		"#!" + strings.Repeat("x", 300):     "has a shebang line (#!) that is longer than the 255 bytes that the kernel reads",
		"#!/bin/sh":                         "",
		"\x7fELF":                           "is cut off: an ELF file of 4 bytes",
		elfHead(bigEnd, 2, 22):              "is for s390x, this machine is " + this,
		elfHead(littleEndian, 2, 99):        "is for a machine with the ELF number 99, this machine is " + this,
		elfHead(littleEndian, 1, own):       "is an ELF file, but no program (an object file or a core dump)",
		elfHead(littleEndian, 2, own):       "is an ELF file that the kernel does not accept: it may be damaged",
		elfHead(3, 2, own):                  "is a damaged ELF file: no known class or byte order",
		"\xff\xfe#\x00!\x00/\x00b\x00i\x00": "is text in UTF-16, which is no program",
	} {
		if got := Format([]byte(head)); got != want {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
	}
	if got := OtherMachine([]byte(elfHead(bigEnd, 2, 22))); got != "s390x" {
		t.Errorf("another machine: %q", got)
	}
	for _, head := range []string{elfHead(littleEndian, 2, own), "\x7fELF", "#!/bin/sh", ""} {
		if got := OtherMachine([]byte(head)); got != "" {
			t.Errorf("%q is for %s", head, got)
		}
	}
}
