// SPDX-License-Identifier: Apache-2.0

//go:build !noseccomp

package seccomp

import "embed"

// carried holds the packed compiler when build.mk has made it, and its
// placeholder always, since a pattern must match something.
//
//go:embed compiler-amd64.*
var carried embed.FS

const carriedName = "compiler-amd64.bin"
