// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/berth-run/berth/nsenter/timerslack"
	"golang.org/x/sys/unix"
)

// patience is how long a program may take that only answers a question.
const patience = 20 * time.Second

// ask runs a program and returns what it prints.
func ask(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	timerslack.Restore()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return strings.TrimSpace(string(out)), err
}

// criu asks criu whether it works with this kernel.
func (x *examination) criu() {
	c := &Condition{Area: "programs", Name: "criu", Status: OK, Effect: "no checkpoint and restore"}
	path := x.o.Criu
	if path == "" {
		path = "criu"
	}
	if !strings.Contains(path, "/") {
		found, err := lookUp(path)
		if err != nil {
			c.Status, c.Found = Unused, "not installed"
			c.Mend, c.Command = "install it, if containers are to be saved", "apt-get install criu"
			x.add(c)
			return
		}
		path = found
	}
	version, err := ask(path, "--version")
	if err != nil {
		c.Status, c.Found = Missing, fmt.Sprintf("%s --version: %v: %s", path, err, lastLine(version))
		x.add(c)
		return
	}
	c.Found = firstLine(version)
	if x.euid != 0 {
		c.Status, c.Found = Unknown, c.Found+"; only root may ask it about the kernel (criu check)"
		x.add(c)
		return
	}
	if out, err := ask(path, "check"); err != nil || !strings.Contains(out, "Looks good") {
		c.Status = Missing
		c.Found += ": criu check: " + worst(out, err)
		c.Mend = "install a criu that knows this kernel, or boot a kernel that has what it wants"
	}
	x.add(c)
}

// worst returns the most telling line of criu check.
func worst(out string, err error) string {
	for line := range strings.Lines(out) {
		if strings.Contains(line, "Error") {
			return strings.TrimSpace(line)
		}
	}
	if out == "" && err != nil {
		return err.Error()
	}
	return lastLine(out)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSpace(line)
}

func lastLine(s string) string { return strings.TrimSpace(s[strings.LastIndexByte(s, '\n')+1:]) }

// systemd looks for a service manager, which --systemd-cgroup needs.
func (x *examination) systemd() {
	c := &Condition{Area: "programs", Name: "systemd", Status: OK, Effect: "no --systemd-cgroup"}
	if _, err := os.Stat("/run/systemd/system"); errors.Is(err, os.ErrNotExist) {
		c.Status, c.Found = Missing, "it is not the init of this machine"
		c.Mend = "use cgroups without it (engines call it cgroupfs), or boot with systemd"
		if x.o.For == nil {
			c.Status = Unused
		}
		x.add(c)
		return
	}
	socket := "/run/systemd/private"
	if x.rootless {
		socket = os.Getenv("XDG_RUNTIME_DIR") + "/systemd/private"
	}
	if err := unix.Access(socket, unix.F_OK); err != nil {
		c.Status, c.Found = Missing, fmt.Sprintf("%s: %v", socket, err)
		c.Mend, c.Command = "let the user's service manager run", "loginctl enable-linger $USER; export XDG_RUNTIME_DIR=/run/user/$(id -u)"
		if !x.rootless {
			c.Mend, c.Command = "see why systemd has no socket", "systemctl status"
		}
	} else {
		c.Found = socket
	}
	x.add(c)
}
