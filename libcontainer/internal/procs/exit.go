// SPDX-License-Identifier: Apache-2.0

package procs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ShellSignalBase plus the number of a signal is the exit status of a process that it killed.
const ShellSignalBase = 128

// ExitCode returns a wait status as a shell shows it.
func ExitCode(ws unix.WaitStatus) int {
	if ws.Signaled() {
		return ShellSignalBase + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// ParseExitStatus returns field 52, the last one, of /proc/PID/stat.
func ParseExitStatus(data []byte) (unix.WaitStatus, error) {
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	const index = 52 - 3 // counted from after the name
	if len(fields) <= index {
		return 0, errors.New("it ends before the exit status")
	}
	n, err := strconv.ParseUint(string(fields[index]), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("exit status: %w", err)
	}
	return unix.WaitStatus(n), nil
}

// pidfdInfo is struct pidfd_info of linux/pidfd.h, in its first version.
type pidfdInfo struct {
	mask, cgroupID uint64
	ids            [11]uint32
	exitCode       int32
}

const (
	// ioctlPidfdGetInfo is PIDFD_GET_INFO, _IOWR(0xFF, 11, struct pidfd_info).
	ioctlPidfdGetInfo = 3<<30 | 64<<16 | 0xFF<<8 | 11
	// pidfdInfoExit is PIDFD_INFO_EXIT.
	pidfdInfoExit = 1 << 3
)

// The kernel distinguishes versions of the struct by its size.
var _ [64]byte = [unsafe.Sizeof(pidfdInfo{})]byte{}

// ReapedStatus returns the wait status of a process that its parent has already reaped. It needs
// Linux 6.15.
func ReapedStatus(pidfd *os.File) (unix.WaitStatus, error) {
	info := pidfdInfo{mask: pidfdInfoExit}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, pidfd.Fd(), ioctlPidfdGetInfo, uintptr(unsafe.Pointer(&info)))
	switch {
	case errno == unix.ENOTTY, errno == unix.EINVAL, errno == unix.ESRCH, errno == 0 && info.mask&pidfdInfoExit == 0:
		return 0, errors.New("the container has exited, and its exit status went to its parent (to see it too needs Linux 6.15)")
	case errno != 0:
		return 0, fmt.Errorf("ioctl(PIDFD_GET_INFO): %w", errno)
	}
	return unix.WaitStatus(info.exitCode), nil
}

// WasKilled reports whether SIGKILL ended the process.
func WasKilled(ws unix.WaitStatus) bool { return ws.Signaled() && ws.Signal() == unix.SIGKILL }

// SignalName returns the name of a signal, SIGTERM for 15.
func SignalName(sig unix.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(sig))
}
