// SPDX-License-Identifier: Apache-2.0

package nsenter

import "embed"

// A pattern that always matches: the text file is there before the program is
// built, so that go vet and the like work in a fresh tree.
//
//go:embed init-arm64.*
var initFiles embed.FS

const (
	initFile   = "init-arm64.bin"
	copierFile = "init-arm64.copier.bin"
)
