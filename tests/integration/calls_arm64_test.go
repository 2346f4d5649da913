// SPDX-License-Identifier: Apache-2.0

package integration

import "golang.org/x/sys/unix"

// sysMkdir is mkdirat(2): there is no mkdir(2).
const sysMkdir = unix.SYS_MKDIRAT
