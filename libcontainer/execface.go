// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/steps"
	"github.com/berth-run/berth/libcontainer/options"
)

// Process is a process that Exec has added to a container. It is a child of the caller.
type Process struct {
	pid   int
	pidfd *os.File
}

// PID is the process's id in the caller's pid namespace.
func (p *Process) PID() int { return p.pid }

// Close gives up the handle; the process runs on.
func (p *Process) Close() error { return p.pidfd.Close() }

// Exec runs a further process in the container, and returns when its program has been
// exec'd. On error nothing of it is left.
func (c *Container) Exec(p *configs.Process, o *options.Exec) (*Process, error) {
	x := newExecution(c.rec, p, o)
	defer x.release()
	list := []steps.Step{
		{"find the container and its init", x.check},
		{"open what the caller has named", x.openCallerFiles},
		{"start init in the cgroup, on its way into the namespaces", x.startInit},
		{"set limits, the OOM score and priorities", x.adjust},
		{"open the terminal", x.openTerminal},
		{"hand over the console", x.handOverTerminal},
		{"give init its plan", x.configure},
	}
	err := steps.Run(list, func(what string) error {
		c.rec.Debugf("exec: %s", what)
		return o.Interrupts.Check()
	})
	if err != nil {
		return nil, x.fail(err)
	}
	pid, pidfd, err := x.detach()
	return &Process{pid, pidfd}, err
}
