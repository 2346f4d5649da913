// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/berth-run/berth/libcontainer/internal/procs"
	"golang.org/x/sys/unix"
)

// tick is the unit of the start time in /proc/PID/stat (USER_HZ, 100 on every architecture that
// berth is built for).
const tick = 10 * time.Millisecond

// Started returns when this process was started, that is forked: what it has done since then, but
// before Go's main function, was to execute the program and to initialize Go. If it cannot be
// found out, Started returns now.
//
// /proc/self/stat has the start in ticks, and a short command is over within one. But until main
// runs, the first thread hardly ever sleeps. So it has been there for as long as it has run and has
// waited for a CPU, and the tick limits what may be wrong with that: a process that another program
// has become by execve(2) may have slept before.
func Started(now time.Time) time.Time {
	stat, err := procs.Read(os.Getpid())
	var boot unix.Timespec
	if err != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil {
		return now
	}
	// From here on in time before now. Reading the clocks takes microseconds.
	read := time.Since(now)
	longest := time.Duration(boot.Nano()) - time.Duration(stat.StartTime)*tick - read
	lived := longest - tick
	if busy, ok := busyTime(); ok {
		lived = max(lived, busy-time.Since(now))
	}
	return now.Add(-max(0, min(lived, longest)))
}

// busyTime returns how long the first thread has run or has waited for a CPU.
func busyTime() (time.Duration, bool) {
	pid := os.Getpid()
	// The CPU time of a thread (clock_getcpuclockid(3), which has the encoding; see
	// posix-timers.h of the kernel). schedstat has it as well, but not that of the present time
	// slice.
	const thread, scheduled = 4, 2
	var cpu unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|thread|scheduled, &cpu); err != nil {
		return 0, false
	}
	busy := time.Duration(cpu.Nano())
	if stat, err := os.ReadFile("/proc/self/schedstat"); err == nil {
		if fields := strings.Fields(string(stat)); len(fields) > 1 {
			waited, _ := strconv.ParseInt(fields[1], 10, 64)
			busy += time.Duration(waited)
		}
	}
	return busy, true
}
