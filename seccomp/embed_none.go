// SPDX-License-Identifier: Apache-2.0

//go:build noseccomp || !(amd64 || arm64)

package seccomp

import "embed"

// carried is empty: without the compiler there is no seccomp.
var carried embed.FS

const carriedName = "none"
