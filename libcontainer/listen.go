// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ListenFDs are the sockets of socket activation that the caller was started with
// (sd_listen_fds(3)): fds 3 to 3+Count-1.
type ListenFDs struct {
	Count int
	// Names are those of the sockets, divided by colons; "" for none.
	Names string
}

// addTo replaces what env says of such sockets. They are for process pid of the
// container, as it sees itself.
func (l ListenFDs) addTo(env []string, pid int) []string {
	if l.Count == 0 {
		return env
	}
	for _, name := range [...]string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
		env = withoutEnv(env, name)
	}
	env = append(env, "LISTEN_FDS="+strconv.Itoa(l.Count), "LISTEN_PID="+strconv.Itoa(pid))
	if l.Names != "" {
		env = append(env, "LISTEN_FDNAMES="+l.Names)
	}
	return env
}

// innerPID is the pid of a process in the pid namespace that it is in itself.
func innerPID(pid int) (int, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/status"
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		// From the namespace of this procfs inwards.
		if list, ok := strings.CutPrefix(line, "NSpid:"); ok {
			list = strings.TrimSpace(list)
			return strconv.Atoi(list[strings.LastIndexByte(list, '\t')+1:])
		}
	}
	return 0, fmt.Errorf("%s: no NSpid", path)
}
