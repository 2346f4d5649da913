// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ExitStatus waits for the end of the container's init, whose parent the caller need
// not be, and gives its exit code as Wait does. A container whose init was gone before
// the call, collected by its parent, gives ErrNotRunning: nobody keeps the status then.
//
//	init          its parent        berth wait
//	                                pidfd_open
//	exit
//	(zombie)                        /proc/PID/stat has the status
//	              waitpid
//	(gone)                          PIDFD_GET_INFO has it, for who has a pidfd
func (c *Container) ExitStatus() (int, error) {
	pidfd, _, err := c.openInitOrZombie()
	if err != nil {
		return 0, err
	}
	defer pidfd.Close()
	c.debugf("wait for the end of init %d", c.saved.PID)
	if _, err := pollExit(pidfd, time.Time{}); err != nil {
		return 0, err
	}
	ws, err := c.zombieStatus()
	if errors.Is(err, ErrNotRunning) {
		ws, err = reapedStatus(pidfd)
	}
	if err != nil {
		return 0, err
	}
	return exitCode(ws), nil
}

// shellSignalBase and the number of a signal are the exit status of what that has killed.
const shellSignalBase = 128

// exitCode is a wait status as a shell has it.
func exitCode(ws unix.WaitStatus) int {
	if ws.Signaled() {
		return shellSignalBase + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// zombieStatus is the wait status that init's parent will get; ErrNotRunning when it
// has got it.
func (c *Container) zombieStatus() (unix.WaitStatus, error) {
	path := "/proc/" + strconv.Itoa(c.saved.PID) + "/stat"
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return 0, ErrNotRunning
	}
	if err != nil {
		return 0, err
	}
	p, err := parseProcStat(data)
	if err == nil && p.startTime != c.saved.StartTime {
		return 0, ErrNotRunning
	}
	var ws unix.WaitStatus
	if err == nil {
		ws, err = parseExitStatus(data)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return ws, nil
}

// parseExitStatus finds field 52, the last one, of /proc/PID/stat.
func parseExitStatus(data []byte) (unix.WaitStatus, error) {
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

// The kernel tells versions of the struct apart by its size.
var _ [64]byte = [unsafe.Sizeof(pidfdInfo{})]byte{}

// reapedStatus is the wait status of a process that its parent has collected: needs
// Linux 6.15, without it nobody can tell.
func reapedStatus(pidfd *os.File) (unix.WaitStatus, error) {
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
