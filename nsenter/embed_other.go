// SPDX-License-Identifier: Apache-2.0

//go:build !amd64 && !arm64

package nsenter

import "embed"

// There is no init for other architectures.
var initFiles embed.FS

const (
	initFile   = "init"
	copierFile = "copier"
)
