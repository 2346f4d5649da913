// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"strconv"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/rootfs"
)

// openTerminal makes the pty, from the container's devpts.
func (x *execution) openTerminal() (err error) {
	if !x.p.Terminal {
		return nil
	}
	if x.master, x.peer, err = rootfs.Console(x.root); err != nil {
		return err
	}
	if err := setConsoleSize(x.master, x.p.ConsoleSize); err != nil {
		return fmt.Errorf("process.consoleSize: %w", err)
	}
	return x.ownTerminal()
}

// ownTerminal gives the pty to the user of the process, whom only the host can name: the
// container's root may not give away what belongs to the host's.
func (x *execution) ownTerminal() error {
	if configs.NamespaceType(x.c.saved.Namespaces)&configs.NewUser == 0 || unprivileged() {
		return nil // init does it
	}
	path := "/proc/" + strconv.Itoa(x.c.saved.PID) + "/uid_map"
	data, err := readFile(path)
	if err != nil {
		return err
	}
	rows, err := parseIDMap(data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	uid, ok := configs.HostID(rows, x.p.UID)
	if !ok {
		return fmt.Errorf("process.user.uid: cannot set uid to unmapped user in user namespace: %d", x.p.UID)
	}
	if err := x.peer.Chown(int(uid), -1); err != nil {
		return fmt.Errorf("process.terminal: %w", err)
	}
	return nil
}
