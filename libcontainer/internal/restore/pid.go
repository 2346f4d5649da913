// SPDX-License-Identifier: Apache-2.0

package restore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// refuseTracers refuses a pid namespace in which a process may trace others. Criu forks its own
// processes into it, with its memory, rights and files, before they become those of the
// checkpoint. A process that can trace them there controls the host. (The init that a create
// puts into pid namespaces has no more rights by then than the container.)
//
// The bounding set decides: an exec cannot give a process more than that.
func refuseTracers(ns *os.File) error {
	var wanted unix.Stat_t
	if err := unix.Fstat(int(ns.Fd()), &wanted); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, p := range procs {
		if _, err := strconv.Atoi(p.Name()); err != nil {
			continue
		}
		var st unix.Stat_t
		if unix.Stat("/proc/"+p.Name()+"/ns/pid", &st) != nil || st.Ino != wanted.Ino || st.Dev != wanted.Dev {
			continue // in another namespace, or gone
		}
		status, err := os.ReadFile("/proc/" + p.Name() + "/status")
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return err
		}
		if mayTrace(status) {
			return fmt.Errorf("process %s in it may trace others (CAP_SYS_PTRACE), and so could take control of criu", p.Name())
		}
	}
	return nil
}

// mayTrace reports whether CAP_SYS_PTRACE is in the bounding set of /proc/PID/status. If the
// set cannot be read, the answer is yes.
func mayTrace(status []byte) bool {
	_, after, _ := bytes.Cut(status, []byte("\nCapBnd:"))
	line, _, _ := bytes.Cut(after, []byte("\n"))
	set, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 64)
	return err != nil || set&(1<<unix.CAP_SYS_PTRACE) != 0
}
