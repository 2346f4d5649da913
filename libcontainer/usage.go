// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups"
)

// Usage is what a container that has not stopped uses, with its state.
type Usage struct {
	State *State
	// Stats is nil if the container has no cgroup.
	Stats *Stats
	// Interfaces are those of the container's network namespace but the loopback. They are nil if
	// it has none of its own, or if the caller may not see it.
	Interfaces []InterfaceStats
}

// Usage returns what the container uses. If it has stopped, the error matches ErrNotRunning.
func (c *Container) Usage() (*Usage, error) {
	stats, err := c.Stats()
	if err != nil && !errors.Is(err, cgroups.ErrNoCgroup) {
		return nil, err
	}
	state, err := c.State()
	if err != nil {
		return nil, err
	}
	u := &Usage{State: state, Stats: stats}
	if state.PID != 0 && hasOwnNetwork(state.PID) {
		// As the process sees it, whatever has made the interfaces.
		text, err := os.ReadFile(procPath(state.PID, "net/dev"))
		if err == nil {
			u.Interfaces, err = parseInterfaces(string(text))
		}
		if err != nil && !errors.Is(err, os.ErrPermission) && !errors.Is(err, os.ErrNotExist) {
			c.rec.Debugf("read the counters of the network: %v", err)
		}
	}
	// If it has ended meanwhile, the pid may be another process's by now.
	state, err = c.State()
	if err != nil {
		return nil, err
	}
	if state.PID == 0 {
		return nil, c.notRunning()
	}
	return u, nil
}

func procPath(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// hasOwnNetwork reports whether process pid is in another network namespace than the caller.
func hasOwnNetwork(pid int) bool {
	theirs, err := os.Readlink(procPath(pid, "ns/net"))
	if err != nil {
		return false
	}
	ours, err := os.Readlink("/proc/self/ns/net")
	return err == nil && ours != theirs
}

// parseInterfaces parses /proc/PID/net/dev (proc_pid_net(5)): two lines of headings, and then for
// each interface its name, a colon, eight counters of what it has received and eight of what it
// has sent.
func parseInterfaces(text string) ([]InterfaceStats, error) {
	all := []InterfaceStats{}
	for line := range strings.Lines(text) {
		name, counters, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok || name == "lo" {
			continue // a heading has no colon
		}
		words := strings.Fields(counters)
		if len(words) < 12 {
			return nil, fmt.Errorf("net/dev: %q: %d counters", name, len(words))
		}
		i := InterfaceStats{Name: name}
		for n, to := range map[int]*uint64{
			0: &i.RxBytes, 1: &i.RxPackets, 2: &i.RxErrors, 3: &i.RxDropped,
			8: &i.TxBytes, 9: &i.TxPackets, 10: &i.TxErrors, 11: &i.TxDropped,
		} {
			var err error
			if *to, err = strconv.ParseUint(words[n], 10, 64); err != nil {
				return nil, fmt.Errorf("net/dev: %q: not a number: %q", name, words[n])
			}
		}
		all = append(all, i)
	}
	return all, nil
}
