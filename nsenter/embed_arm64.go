// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"embed"

	"golang.org/x/sys/unix"
)

// The pattern always matches, because the text file exists before the program is built. So go
// vet and similar tools work in a fresh tree.
//
//go:embed init-arm64.*
var initFiles embed.FS

const (
	initFile   = "init-arm64.bin"
	copierFile = "init-arm64.copier.bin"
)

// auditArch is the architecture as seccomp filters see it.
const auditArch = unix.AUDIT_ARCH_AARCH64
