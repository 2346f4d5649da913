// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"fmt"
	"os"
	"strconv"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/attr"
	"github.com/berth-run/berth/libcontainer/internal/handover"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/rootfs/inside"
)

// OpenTerminal opens a pty on the container's devpts.
func (x *Execution) OpenTerminal() (err error) {
	if !x.p.Terminal {
		return nil
	}
	if x.master, x.peer, err = inside.Console(x.rootDir()); err != nil {
		return err
	}
	if err := handover.SetConsoleSize(x.master, x.p.ConsoleSize); err != nil {
		return fmt.Errorf("process.consoleSize: %w", err)
	}
	return nil
}

// giveStreams makes the process's user the owner of its terminal or streams. With a user
// namespace only the host can do that: the container's root may not change the owner of files
// that belong to the host's users.
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

// hostUID returns the process's user as a uid of the host, if the host assigns it.
func (x *Execution) hostUID() (uint32, error) {
	if configs.NamespaceType(x.c.Saved.Namespaces)&configs.NewUser == 0 || userns.Unprivileged() {
		return x.p.UID, nil
	}
	return x.mappedUID()
}

// isCallers reports whether the process will run as the calling user, as seen from here.
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

// mappedUID maps the process's user through the uid map of the container's user namespace.
func (x *Execution) mappedUID() (uint32, error) {
	rows, err := userns.ReadMap("/proc/" + strconv.Itoa(x.c.Saved.PID) + "/uid_map")
	if err != nil {
		return 0, err
	}
	uid, ok := configs.HostID(rows, x.p.UID)
	if !ok {
		return 0, fmt.Errorf("process.user.uid: cannot set uid to unmapped user in user namespace: %d", x.p.UID)
	}
	return uid, nil
}

// HandOverTerminal sends the pty to the caller before the program runs: if this or beforeExec
// fails, nobody has seen anything of the program.
func (x *Execution) HandOverTerminal() error {
	if x.master == nil {
		return nil
	}
	return handover.Console(&x.master, x.peer.Name(), x.console, x.opts.Console)
}

// waitsBeforeExec reports whether beforeExec has anything to do. If not, init need not wait for
// it.
func (x *Execution) waitsBeforeExec() bool {
	return x.opts.PIDFile != "" || x.pidfdTo != nil || x.joinsPID() && !attr.InheritsScheduler(x.p.Scheduler)
}

// beforeExec does what needs the process that will run the program.
func (x *Execution) beforeExec() error {
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
