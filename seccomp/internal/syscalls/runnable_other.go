// SPDX-License-Identifier: Apache-2.0

//go:build !(amd64 || arm64)

package syscalls

// Without a table there is no seccomp support.
var (
	runnable [0]Arch
	table    [0]Call
)
