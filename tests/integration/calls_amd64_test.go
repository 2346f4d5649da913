// SPDX-License-Identifier: Apache-2.0

package integration

import "golang.org/x/sys/unix"

// sysMkdir is mkdir(2), which only older architectures have.
const sysMkdir = unix.SYS_MKDIR
