// SPDX-License-Identifier: Apache-2.0

package program

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
)

// Offsets and values of elf(5). Package debug/elf would link much more, and reads as much as a
// file tells it to.
const (
	elfClass, elfData, elfType, elfMachine = 4, 5, 16, 18

	class32, class64       = 1, 2
	littleEndian, bigEnd   = 1, 2
	typeExec, typeDyn      = 2, 3
	segmentInterp          = 3
	header32, header64     = 52, 64
	segment32, segment64   = 32, 56
	machine386, machineX86 = 3, 62
)

// header is what the kernel looks at.
type header struct {
	class, data, kind, machine uint16
	// offset, size and count describe the program headers.
	offset      uint64
	size, count uint16
	order       binary.ByteOrder
}

func readHeader(head []byte) (*header, string) {
	if len(head) < header32 || head[elfClass] == class64 && len(head) < header64 {
		return nil, fmt.Sprintf("is cut off: an ELF file of %d bytes", len(head))
	}
	h := &header{class: uint16(head[elfClass]), data: uint16(head[elfData]), order: binary.LittleEndian}
	if h.data == bigEnd {
		h.order = binary.BigEndian
	}
	if h.class != class32 && h.class != class64 || h.data != littleEndian && h.data != bigEnd {
		return nil, "is a damaged ELF file: no known class or byte order"
	}
	h.kind, h.machine = h.order.Uint16(head[elfType:]), h.order.Uint16(head[elfMachine:])
	if h.class == class64 {
		h.offset, h.size, h.count = h.order.Uint64(head[32:]), h.order.Uint16(head[54:]), h.order.Uint16(head[56:])
	} else {
		h.offset, h.size, h.count = uint64(h.order.Uint32(head[28:])), h.order.Uint16(head[42:]), h.order.Uint16(head[44:])
	}
	return h, ""
}

// elf explains an ELF file that does not run here.
func (l *Look) elf(f *file, head []byte) string {
	h, why := readHeader(head)
	if why != "" {
		return why
	}
	if own, theirs := machineName(), h.name(); theirs != own && !h.compatible(own) {
		if registered(head) {
			return ""
		}
		return fmt.Sprintf("is for %s, this machine is %s", theirs, own)
	}
	if h.kind != typeExec && h.kind != typeDyn {
		return "is an ELF file, but no program (an object file or a core dump)"
	}
	loader, why := h.loader(f, head)
	if loader == "" {
		return why
	}
	return l.loader(loader)
}

// loader explains a loader that cannot be used.
func (l *Look) loader(name string) string {
	if name[0] != '/' {
		return "needs the loader " + plain(name) + ", which is a relative path"
	}
	f, p := l.open(name)
	if p != nil {
		switch {
		case p.unknown:
			return ""
		case p.missing:
			return fmt.Sprintf("needs the loader %s, which is not there%s%s", plain(name), p.detail, library(name))
		}
		return fmt.Sprintf("needs the loader %s, which %s", plain(name), p.text)
	}
	defer f.close()
	if why := l.refused(f); why != "" {
		return fmt.Sprintf("needs the loader %s: %s", plain(name), why)
	}
	head, _, err := f.head()
	if err != nil {
		return ""
	}
	if !bytes.HasPrefix(head, []byte("\x7fELF")) {
		return fmt.Sprintf("needs the loader %s, which is no ELF file", plain(name))
	}
	h, why := readHeader(head)
	if why != "" {
		return fmt.Sprintf("needs the loader %s, which %s", plain(name), why)
	}
	if own := machineName(); h.name() != own && !h.compatible(own) {
		return fmt.Sprintf("needs the loader %s, which is for %s, and this machine is %s", plain(name), h.name(), own)
	}
	return ""
}

// library says what kind of root file system has the loader.
func library(loader string) string {
	switch {
	case strings.Contains(loader, "/ld-musl-"):
		return " (it was built for musl, as Alpine has it)"
	case strings.Contains(loader, "/ld-linux"):
		return " (it was built for glibc: link it statically, or use a root file system with glibc)"
	}
	return ""
}

// loader returns the path in the segment PT_INTERP, or "" if there is none; then why may say what is
// wrong.
func (h *header) loader(f *file, head []byte) (name, why string) {
	want := uint16(segment64)
	if h.class == class32 {
		want = segment32
	}
	// The kernel has the same bound: 64 KiB of headers.
	size := int(h.count) * int(want)
	if h.size != want || h.count == 0 || size > 1<<16 {
		return "", "is a damaged ELF file: it has no usable program headers"
	}
	table, ok := piece(f, head, h.offset, size)
	if !ok {
		return "", "is cut off: an ELF file without its program headers"
	}
	for ; len(table) >= int(want); table = table[want:] {
		if h.order.Uint32(table) != segmentInterp {
			continue
		}
		offset, length := uint64(h.order.Uint32(table[4:])), uint64(h.order.Uint32(table[16:]))
		if h.class == class64 {
			offset, length = h.order.Uint64(table[8:]), h.order.Uint64(table[32:])
		}
		if length < 2 || length > 4096 {
			return "", "is a damaged ELF file: the name of its loader is too long or too short"
		}
		text, ok := piece(f, head, offset, int(length))
		if !ok {
			return "", "is cut off: an ELF file without the name of its loader"
		}
		if i := bytes.IndexByte(text, 0); i > 0 {
			return string(text[:i]), ""
		}
		return "", "is a damaged ELF file: the name of its loader does not end"
	}
	return "", ""
}

// piece returns a part of the file, all of it.
func piece(f *file, head []byte, offset uint64, size int) ([]byte, bool) {
	if end := offset + uint64(size); end >= offset && end <= uint64(len(head)) {
		return head[offset:end], true
	}
	if offset > 1<<62 {
		return nil, false
	}
	buf := make([]byte, size)
	n, err := f.read(buf, int64(offset))
	return buf, err == nil && n == size
}

// name returns the name of the machine as uname(1) has it.
func (h *header) name() string {
	big := h.data == bigEnd
	switch h.machine {
	case machine386:
		return "i386"
	case machineX86:
		if h.class == class32 {
			return "x86_64 (x32)"
		}
		return "x86_64"
	case 183:
		return either(big, "aarch64_be", "aarch64")
	case 40:
		return either(big, "armeb", "arm")
	case 243:
		return either(h.class == class32, "riscv32", "riscv64")
	case 21:
		return either(big, "ppc64", "ppc64le")
	case 20:
		return "ppc"
	case 22:
		return either(h.class == class32, "s390", "s390x")
	case 8:
		return either(h.class == class32, "mips", "mips64") + either(big, "", "el")
	case 258:
		return either(h.class == class32, "loongarch32", "loongarch64")
	case 2, 18, 43:
		return either(h.class == class32, "sparc", "sparc64")
	}
	return fmt.Sprintf("a machine with the ELF number %d", h.machine)
}

func either(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// compatible reports whether a kernel of the machine own may run the file, depending on how it was
// configured.
func (h *header) compatible(own string) bool {
	switch own {
	case "x86_64":
		return h.machine == machine386 || h.machine == machineX86
	case "aarch64":
		return h.name() == "arm"
	case "s390x":
		return h.name() == "s390"
	case "mips64", "mips64el":
		return h.machine == 8 && strings.HasSuffix(own, "el") == (h.data == littleEndian)
	case "ppc64":
		return h.name() == "ppc"
	}
	return false
}

// machineName returns the machine that berth was built for, which is the kernel's.
func machineName() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	case "386":
		return "i386"
	case "loong64":
		return "loongarch64"
	case "mips64le":
		return "mips64el"
	}
	return runtime.GOARCH
}
