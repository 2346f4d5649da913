// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/exec"
	"github.com/berth-run/berth/libcontainer/internal/steps"
	"github.com/berth-run/berth/libcontainer/options"
)

// Process is a process that [Container.Exec] added to a container. It is a child of the caller.
type Process struct {
	pid   int
	pidfd *os.File
}

// PID is the process's id in the caller's pid namespace.
func (p *Process) PID() int { return p.pid }

// Close closes the handle. The process keeps running.
func (p *Process) Close() error { return p.pidfd.Close() }

// Exec runs another process in the container, and returns when the program has been executed.
// If it fails, nothing of the process is left.
func (c *Container) Exec(p *configs.Process, o *options.Exec) (*Process, error) {
	x := exec.New(c.rec, p, o)
	defer x.Release()
	list := []steps.Step{
		{"find the container and its init", x.Check},
		{"open what the caller has named", x.OpenCallerFiles},
		{"start init in the cgroup, on its way into the namespaces", x.StartInit},
		{"set limits, the OOM score and priorities", x.Adjust},
		{"open the terminal", x.OpenTerminal},
		{"hand over the console", x.HandOverTerminal},
		{"give init its plan", x.Configure},
	}
	err := steps.Run(list, c.rec.Trace, func(what string) error {
		c.rec.Debugf("exec: %s", what)
		return o.Interrupts.Check()
	})
	if err != nil {
		return nil, x.Fail(err)
	}
	pid, pidfd, err := x.Detach()
	return &Process{pid, pidfd}, err
}
