// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Paused is the one status that the runtime-spec does not name.
const Paused specs.ContainerState = "paused"

// Container is one container of a store.
type Container struct {
	store *Store
	id    string
	saved savedState
}

// State is what `state` and `list` print. Pid is 0 once the container has stopped.
type State struct {
	Version     string               `json:"ociVersion"`
	ID          string               `json:"id"`
	PID         int                  `json:"pid"`
	Status      specs.ContainerState `json:"status"`
	Bundle      string               `json:"bundle"`
	Rootfs      string               `json:"rootfs"`
	Created     time.Time            `json:"created"`
	Annotations map[string]string    `json:"annotations,omitempty"`
	Owner       string               `json:"owner"`
}

// ID of the container.
func (c *Container) ID() string { return c.id }

// State finds out the present state.
func (c *Container) State() (*State, error) {
	c.debugf("find out how init %d is", c.saved.PID)
	status, err := c.status()
	if err != nil {
		return nil, err
	}
	st := &State{
		Version: c.saved.OCIVersion, ID: c.id, PID: c.saved.PID, Status: status,
		Bundle: c.saved.Bundle, Rootfs: c.saved.Rootfs, Created: c.saved.Created,
		Annotations: withNetworkStatus(c.saved.Annotations, c.saved.Network),
	}
	if status == specs.StateStopped {
		st.PID = 0
	}
	return st, nil
}

// status derives the state from what the kernel says: no process can forget to
// record it. A stopped init is told first, since a frozen cgroup without a process
// in it is of no use to anyone.
func (c *Container) status() (specs.ContainerState, error) {
	if c.saved.PID == 0 {
		return specs.StateCreating, nil
	}
	pidfd, p, err := c.openInitStat()
	if errors.Is(err, ErrNotRunning) {
		return specs.StateStopped, nil
	}
	if err != nil {
		return "", err
	}
	_ = pidfd.Close()
	m, err := c.cgroup()
	if err != nil {
		return "", err
	}
	if frozen, err := m.Frozen(); err == nil && frozen {
		return Paused, nil
	}
	// A start that was killed leaves the fifo of a container that runs. The name alone
	// would not do either: the user's program may give itself any.
	if p.name == nsenter.InitName && c.hasFifo() {
		return specs.StateCreated, nil
	}
	return specs.StateRunning, nil
}

// hasFifo says whether no `start` has come to its end yet.
func (c *Container) hasFifo() bool {
	_, err := os.Lstat(c.file(fifoFile))
	return err == nil
}

// cgroup is the manager of the container's cgroups: of none, as long as its create has not
// claimed any.
func (c *Container) cgroup() (cgroups.Manager, error) {
	if c.unclaimed() {
		return cgroups.Load(nil, &configs.Cgroup{Rootless: c.saved.CgroupRootless})
	}
	return cgroups.Load(c.saved.CgroupPaths, &configs.Cgroup{
		Claims: c.saved.CgroupClaims,
		Unit:   c.saved.SystemdUnit, UnitUser: c.saved.SystemdUser, Unfinished: c.saved.PID == 0,
		Rootless: c.saved.CgroupRootless, Subgroup: c.saved.CgroupSubgroup,
	})
}

// unclaimed says that a create has not come to claim cgroups, or one of an earlier version,
// which knew no claims, not to its end: whatever is at the paths may be another's.
func (c *Container) unclaimed() bool {
	return c.saved.PID == 0 && len(c.saved.CgroupClaims) == 0
}

// openInit gives a pidfd of the container's init process; ErrNotRunning when it is
// dead or its number belongs to another process by now.
func (c *Container) openInit() (*os.File, error) {
	pidfd, _, err := c.openInitStat()
	return pidfd, err
}

// openInitStat is openInit with what the kernel tells of the process.
func (c *Container) openInitStat() (*os.File, procStat, error) {
	pidfd, p, err := c.openInitOrZombie()
	if err != nil {
		return nil, procStat{}, err
	}
	if p.dead() || lingers(c.saved.PID, p) {
		_ = pidfd.Close()
		return nil, procStat{}, ErrNotRunning
	}
	return pidfd, p, nil
}

// openInitOrZombie is openInit that also takes an init that is dead, as long as its
// parent has not collected it. The pidfd is opened first and the start time read second:
// if the process dies in between, the pidfd still refers to the dead one and every later
// call on it fails.
func (c *Container) openInitOrZombie() (*os.File, procStat, error) {
	fd, err := unix.PidfdOpen(c.saved.PID, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) { // the latter for 0
		return nil, procStat{}, ErrNotRunning
	}
	if err != nil {
		return nil, procStat{}, fmt.Errorf("pidfd_open %d: %w", c.saved.PID, err)
	}
	p, err := readProcStat(c.saved.PID)
	if err == nil && p.startTime == c.saved.StartTime {
		return os.NewFile(uintptr(fd), "pidfd"), p, nil
	}
	_ = unix.Close(fd)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
		return nil, procStat{}, err
	}
	return nil, procStat{}, ErrNotRunning
}

// lingers says that process pid is as good as dead: it has released all it had, but is
// no zombie yet. The first process of a pid namespace stays so until every other one in
// it has been collected, and one that somebody has put there from outside (exec) may
// have a parent that never does that:
//
//	runtime's caller ──┬─ init of the container: exiting, waits for …
//	                   └─ process of an exec: a zombie, waits for the caller
//
// The namespaces go after the files and the memory (do_exit() of the kernel), so that
// whoever has none left has nothing.
func lingers(pid int, p procStat) bool {
	if p.dead() || !p.exiting() {
		return false
	}
	_, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/mnt")
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// procStat is what berth needs of /proc/PID/stat (proc_pid_stat(5)).
type procStat struct {
	name      string // of the executable, or what the process has made of it
	state     byte
	parent    int
	flags     uint64
	startTime uint64
}

func (p procStat) dead() bool { return p.state == 'Z' || p.state == 'X' }

// exiting says that the process is on its way out, or dead.
func (p procStat) exiting() bool {
	const exiting = 0x4 // PF_EXITING
	return p.flags&exiting != 0
}

// readProcStat reads name, state, flags and start time of a process.
func readProcStat(pid int) (procStat, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/stat"
	data, err := readFile(path)
	if err != nil {
		return procStat{}, err
	}
	p, err := parseProcStat(data)
	if err != nil {
		return procStat{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// parseProcStat parses the content of /proc/PID/stat. The command name in
// parentheses may hold anything, parentheses included, so the fields count from the
// last one.
func parseProcStat(data []byte) (procStat, error) {
	begin, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if begin < 0 || end < begin {
		return procStat{}, errors.New("no command name in it")
	}
	const stateField, parentField, flagsField, startTimeField = 0, 1, 6, 19 // 3, 4, 9 and 22, counted from after ")"
	p := procStat{name: string(data[begin+1 : end])}
	i := 0
	for field := range bytes.FieldsSeq(data[end+1:]) {
		switch i {
		case stateField:
			if len(field) != 1 || field[0] < 'A' || field[0] > 'z' {
				return procStat{}, fmt.Errorf("state: %q", field)
			}
			p.state = field[0]
		case parentField:
			parent, err := strconv.Atoi(string(field))
			if err != nil {
				return procStat{}, fmt.Errorf("parent: %w", err)
			}
			p.parent = parent
		case flagsField:
			f, err := strconv.ParseUint(string(field), 10, 64)
			if err != nil {
				return procStat{}, fmt.Errorf("flags: %w", err)
			}
			p.flags = f
		case startTimeField:
			t, err := strconv.ParseUint(string(field), 10, 64)
			if err != nil {
				return procStat{}, fmt.Errorf("start time: %w", err)
			}
			p.startTime = t
			return p, nil
		}
		i++
	}
	return procStat{}, errors.New("it ends before the start time")
}
