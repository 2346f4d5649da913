// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// Preserved takes over the caller's fds 3 to 3+n-1. [CloseOnExec] ensures that they are the
// caller's, and not files that this process has opened since.
func Preserved(n int) ([]*os.File, error) {
	if n < 0 {
		return nil, codes.With(codes.Usage, fmt.Errorf("preserve-fds: %d is negative", n))
	}
	const first = 3
	files := make([]*os.File, 0, min(n, 1024))
	for fd := first; fd < first+n; fd++ {
		// Init gets them through its list of files. No other process may inherit them.
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			return nil, codes.With(codes.Usage, fmt.Errorf("preserve-fds: fd %d is not open: "+configs.PhraseNotOpen, fd, fd, n))
		}
		files = append(files, os.NewFile(uintptr(fd), "preserved"))
	}
	return files, nil
}
