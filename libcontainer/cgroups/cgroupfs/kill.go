// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// KillAtOnce kills every process in d and below with cgroup.kill (v2, needs Linux 5.14). ok is
// false if there is no such file, or d is threaded.
func (d Dir) KillAtOnce() (ok bool, err error) {
	err = d.Write("cgroup.kill", "1")
	switch {
	case err == nil:
		return true, nil
	case gone(err):
		return !d.Exists(), nil
	case errors.Is(err, unix.EOPNOTSUPP):
		return false, nil
	}
	return false, fmt.Errorf("kill cgroup %s: %w", d, err)
}

// KillEach kills every process in d and below one by one, and returns when none is left. While
// it reads the list and sends the signals, freeze keeps the processes frozen, so that none of
// them can fork a process that is not in the list. freeze may be nil if there is no freezer.
func (d Dir) KillEach(freeze func(bool) error) error {
	deadline := time.Now().Add(Patience)
	for {
		pids, err := d.killRound(freeze)
		if err != nil {
			return fmt.Errorf("kill cgroup %s: %w", d, err)
		}
		if len(pids) == 0 {
			return nil
		}
		// Somebody may have put a new process there, so repeat it.
		round := time.Now().Add(time.Second)
		for pause := time.Millisecond; time.Now().Before(round); pause = min(2*pause, 100*time.Millisecond) {
			awaitExit(pids, pause)
			if pids, err = d.Pids(); err != nil || len(pids) == 0 {
				return err
			}
			time.Sleep(pause / 10)
		}
		if !time.Now().Before(deadline) {
			return fmt.Errorf("kill cgroup %s: %w: %s still there", d, ErrTimeout, listPids(pids))
		}
	}
}

// killRound sends SIGKILL to each process and returns the processes it found.
func (d Dir) killRound(freeze func(bool) error) (pids []int, err error) {
	if freeze != nil {
		// A process that hangs in the kernel keeps the cgroup from freezing. The signals are
		// sent even then. On v1, frozen processes die only after the thaw.
		_ = freeze(true)
		defer func() { err = errors.Join(err, freeze(false)) }()
	}
	pids, err = d.Pids()
	if err != nil || len(pids) == 0 {
		return nil, err
	}
	return pids, d.signal(pids, unix.SIGKILL)
}

// Freezer freezes and thaws the processes of a cgroup.
type Freezer interface {
	Freeze(on bool) error
	Frozen() (bool, error)
}

// SignalEach sends sig to every process in d and below. They are frozen in the meantime, so
// that none of them can fork a process that is not in the list. A cgroup that was frozen before
// stays frozen. f may be nil if there is no freezer.
func (d Dir) SignalEach(sig unix.Signal, f Freezer) (err error) {
	frozen := true
	if f != nil {
		if frozen, err = f.Frozen(); err != nil {
			return err
		}
	}
	if !frozen {
		// As in killRound, the signals are sent even if this fails.
		_ = f.Freeze(true)
		defer func() { err = errors.Join(err, f.Freeze(false)) }()
	}
	pids, err := d.Pids()
	if err != nil || len(pids) == 0 {
		return err
	}
	return d.signal(pids, sig)
}

// signal sends sig to those of pids that are in d. It opens a pidfd for each and then reads the
// list again: before the pidfd was opened, a process may have ended and its pid may have been
// reused. But if the pid is in the cgroup while the pidfd is open, it is the process that the
// pidfd refers to.
func (d Dir) signal(pids []int, sig unix.Signal) error {
	const atOnce = 256 // well below the usual limit of open files
	for chunk := range slices.Chunk(pids, atOnce) {
		if err := d.signalPinned(chunk, sig); err != nil {
			return err
		}
	}
	return nil
}

func (d Dir) signalPinned(pids []int, sig unix.Signal) error {
	var errs []error
	pinned := make(map[int]int, len(pids))
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("pidfd_open %d: %w", pid, err))
			continue
		}
		defer unix.Close(fd)
		pinned[pid] = fd
	}
	members, err := d.Pids()
	if err != nil {
		return err
	}
	for _, pid := range members {
		fd, ok := pinned[pid]
		if !ok {
			continue
		}
		if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("pidfd_send_signal %d: %w", pid, err))
		}
	}
	return errors.Join(errs...)
}
