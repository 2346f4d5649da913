// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"fmt"
	"os"
	"strconv"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/attr"
	"github.com/berth-run/berth/libcontainer/internal/handover"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/rootfs"
)

// OpenTerminal makes the pty, from the container's devpts.
func (x *Execution) OpenTerminal() (err error) {
	if !x.p.Terminal {
		return nil
	}
	if x.master, x.peer, err = rootfs.Console(x.root); err != nil {
		return err
	}
	if err := handover.SetConsoleSize(x.master, x.p.ConsoleSize); err != nil {
		return fmt.Errorf("process.consoleSize: %w", err)
	}
	return nil
}

// giveStreams gives the process its terminal or its streams. In a user namespace only the
// host can: the container's root may not give away what belongs to the host's.
func (x *Execution) giveStreams() (left [handover.StandardStreams]bool, err error) {
	uid, err := x.hostUID()
	if err != nil {
		return left, err
	}
	if !x.p.Terminal {
		return handover.GiveStreams(x.opts.Stdio, uid, &x.undo)
	}
	if userns.Unprivileged() {
		return [handover.StandardStreams]bool{true}, nil
	}
	if err := x.peer.Chown(int(uid), -1); err != nil {
		return left, fmt.Errorf("process.terminal: %w", err)
	}
	return left, nil
}

// hostUID is the user of the process as the host sees him, where the host decides.
func (x *Execution) hostUID() (uint32, error) {
	if configs.NamespaceType(x.c.Saved.Namespaces)&configs.NewUser == 0 || userns.Unprivileged() {
		return x.p.UID, nil
	}
	return x.mappedUID()
}

// isCallers says whether the process will be the caller's own, as seen from here.
func (x *Execution) isCallers() bool {
	uid := x.p.UID
	if configs.NamespaceType(x.c.Saved.Namespaces)&configs.NewUser != 0 {
		var err error
		if uid, err = x.mappedUID(); err != nil {
			return false
		}
	}
	return int(uid) == os.Geteuid()
}

// mappedUID is the user of the process by the map of the container's user namespace.
func (x *Execution) mappedUID() (uint32, error) {
	path := "/proc/" + strconv.Itoa(x.c.Saved.PID) + "/uid_map"
	data, err := sysfile.Read(path)
	if err != nil {
		return 0, err
	}
	rows, err := userns.ParseMap(data)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	uid, ok := configs.HostID(rows, x.p.UID)
	if !ok {
		return 0, fmt.Errorf("process.user.uid: cannot set uid to unmapped user in user namespace: %d", x.p.UID)
	}
	return uid, nil
}

// HandOverTerminal gives the caller the pty, before the program runs: whatever fails
// here or in born, nothing of the program has been seen by anybody.
func (x *Execution) HandOverTerminal() error {
	if x.master == nil {
		return nil
	}
	return handover.Console(&x.master, x.peer.Name(), x.console, x.opts.Console)
}

// hasBirth says whether born has anything to do. Init need not wait for it otherwise.
func (x *Execution) hasBirth() bool {
	return x.opts.PIDFile != "" || x.pidfdTo != nil || x.joinsPID() && !attr.InheritsScheduler(x.p.Scheduler)
}

// born does what only the process that will run the program can be had for.
func (x *Execution) born() error {
	if x.joinsPID() && !attr.InheritsScheduler(x.p.Scheduler) {
		if err := attr.SetScheduler(x.init.PID, x.p.Scheduler); err != nil {
			return err
		}
	}
	if err := x.pidfdTo.Send(x.init.PIDFD, "pidfd"); err != nil {
		return err
	}
	remove, err := handover.WritePIDFile(x.opts.PIDFile, x.init.PID)
	if err != nil {
		return err
	}
	x.undo.Push("remove the pid file", remove)
	return nil
}
