// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"golang.org/x/sys/unix"
)

// EndOthers kills processes that criu has not saved and that end with the container. It does so
// before criu ends init, which waits for them even if they are frozen (cgroup v1).
func EndOthers(pids []int, m cgroups.Manager) error {
	var open []*os.File
	defer func() {
		for _, f := range open {
			_ = f.Close()
		}
	}()
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return fmt.Errorf("pidfd_open %d: %w", pid, err)
		}
		open = append(open, os.NewFile(uintptr(fd), fmt.Sprintf("process %d", pid)))
	}
	// Until now they were frozen, so their pids could not be reused.
	if err := m.Freeze(false); err != nil {
		return err
	}
	for _, f := range open {
		err := unix.PidfdSendSignal(int(f.Fd()), unix.SIGKILL, nil, 0)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("kill %s, which exec has added: %w", f.Name(), err)
		}
		if err := awaitKilled(f, time.Now().Add(procs.KillPatience)); err != nil {
			return err
		}
	}
	return nil
}

// awaitKilled waits for the end of a process that has been killed. If it does not end, criu must
// not go on: init would wait for it forever.
func awaitKilled(pidfd *os.File, deadline time.Time) error {
	timedOut, err := procs.AwaitExit(pidfd, deadline)
	if timedOut {
		err = fmt.Errorf("%s, which exec has added, was killed and still runs", pidfd.Name())
	}
	return err
}

// ProcessTree separates the processes of the container that descend from init, including init,
// from the others: those added by exec, whose parent is outside.
func ProcessTree(init int, m cgroups.Manager) (tree, others []int, err error) {
	pids, err := m.Pids()
	if errors.Is(err, cgroups.ErrNoCgroup) {
		pids, err = []int{init}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	parents := make(map[int]int, len(pids))
	for _, pid := range pids {
		p, err := procs.Read(pid)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
			return nil, nil, err
		}
		if err == nil && !p.Dead() {
			parents[pid] = p.Parent
		}
	}
	for _, pid := range slices.Sorted(maps.Keys(parents)) {
		ancestor := pid
		for ancestor != init && parents[ancestor] != 0 {
			ancestor = parents[ancestor]
		}
		if ancestor == init {
			tree = append(tree, pid)
		} else {
			others = append(others, pid)
		}
	}
	return tree, others, nil
}
