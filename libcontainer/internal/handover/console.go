// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Console passes the pty's master, if there is one, on: to the receiver, with the name of the
// pty, or to the function, which then owns it.
func Console(master **os.File, name string, to *Receiver, console func(*os.File) error) error {
	switch {
	case *master == nil:
		return nil
	case to != nil:
		return to.Send(*master, name)
	case console != nil:
		theirs := *master
		*master = nil
		return console(theirs)
	}
	return errors.New("process.terminal: cannot allocate tty if berth will detach without setting console socket")
}

// SetConsoleSize sets the initial window size of a pty. If size is nil, the kernel's default
// stays.
func SetConsoleSize(master *os.File, size *specs.Box) error {
	if size == nil || (size.Height == 0 && size.Width == 0) {
		return nil
	}
	if size.Height > math.MaxUint16 || size.Width > math.MaxUint16 {
		return fmt.Errorf("%d x %d is larger than a terminal can be", size.Width, size.Height)
	}
	ws := &unix.Winsize{Row: uint16(size.Height), Col: uint16(size.Width)}
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, ws); err != nil {
		return fmt.Errorf("TIOCSWINSZ: %w", err)
	}
	return nil
}
