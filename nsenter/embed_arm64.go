// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"embed"

	"golang.org/x/sys/unix"
)

// A pattern that always matches: the text file is there before the program is
// built, so that go vet and the like work in a fresh tree.
//
//go:embed init-arm64.*
var initFiles embed.FS

const (
	initFile   = "init-arm64.bin"
	copierFile = "init-arm64.copier.bin"
)

// auditArch is what a seccomp filter sees of the machine.
const auditArch = unix.AUDIT_ARCH_AARCH64
