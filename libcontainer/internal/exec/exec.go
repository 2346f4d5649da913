// SPDX-License-Identifier: Apache-2.0

// Package exec adds a process to a running container.
package exec

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/attr"
	"github.com/berth-run/berth/libcontainer/internal/handover"
	"github.com/berth-run/berth/libcontainer/internal/initproc"
	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/steps"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/libcontainer/rootfs/inside"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Execution is an exec in progress:
//
//	runtime                                       init
//	pidfd of the container's init
//	clone in its v2 cgroup                    ─▶  waits
//	(meanwhile: v1 cgroups, root directory, HOME)
//	what to join                              ─▶  enters the v1 cgroups, joins the other
//	limits, pty                                     namespaces
//	plan                                      ─▶  sheds privileges, forks into the pid
//	                                          ◀─    namespace
//	pidfd, pid file                           ─▶  execs
//	                                          ◀─  end of file: the exec; or the error
type Execution struct {
	c    *record.Record
	p    *configs.Process
	opts *options.Exec
	undo steps.Undo

	target  *os.File // pidfd of the container's init
	root    *os.File // the container's root directory
	console *handover.Receiver
	pidfdTo *handover.Receiver
	agent   *handover.Receiver
	extra   []*os.File
	init    *nsenter.Init
	master  *os.File // of the pty
	peer    *os.File
	ruleset *os.File
	filter  []byte
	home    string // the user's home directory; "" if HOME is set already
	reaped  unix.WaitStatus
}

// New starts the exec of a process in the container of a record.
func New(c *record.Record, p *configs.Process, o *options.Exec) *Execution {
	return &Execution{c: c, p: p, opts: o}
}

// Fail undoes what was done, and explains the error.
func (x *Execution) Fail(err error) error {
	span := x.c.Begin("undo what was done")
	err = x.undo.Run(err)
	_ = span.End(nil)
	return x.explain(err)
}

// Detach lets the process continue without this one. The pidfd belongs to the caller.
func (x *Execution) Detach() (pid int, pidfd *os.File, err error) {
	return x.init.PID, x.init.PIDFD, x.init.Detach()
}

// Release closes what the process itself does not need any more. Call it on success and on
// failure.
func (x *Execution) Release() {
	for _, r := range []*handover.Receiver{x.console, x.pidfdTo, x.agent} {
		r.Close()
	}
	for _, f := range append(x.extra, x.target, x.root, x.master, x.peer, x.ruleset) {
		if f != nil {
			_ = f.Close()
		}
	}
}

// Check checks that there is a process to join.
func (x *Execution) Check() error {
	var err error
	if x.target, err = OpenTarget(x.c); err != nil {
		return err
	}
	if !x.opts.IgnorePaused {
		m, err := x.c.Cgroup()
		if err != nil {
			return err
		}
		if frozen, err := m.Frozen(); err == nil && frozen {
			return codes.New(codes.ContainerPaused, "cannot exec in a paused container (use --ignore-paused to override)")
		}
	}
	return attr.CheckLabels(x.p)
}

// OpenTarget is openInit with the error messages of an exec.
func OpenTarget(c *record.Record) (*os.File, error) {
	if c.Saved.PID == 0 {
		return nil, codes.New(codes.ContainerUnready, "cannot exec in a container that is still being created")
	}
	target, err := c.OpenInit()
	if errors.Is(err, record.ErrNotRunning) {
		return nil, errStopped
	}
	return target, err
}

// errStopped has runc's text.
var errStopped = codes.New(codes.ContainerStopped, "cannot exec in a stopped container")

// OpenCallerFiles opens what the caller has named, before anything is started, so that mistakes
// of the caller are reported first.
func (x *Execution) OpenCallerFiles() (err error) {
	if x.console, err = handover.Dial("console socket", x.opts.ConsoleSocket); err != nil {
		return err
	}
	if x.pidfdTo, err = handover.Dial("pidfd socket", x.opts.PIDFDSocket); err != nil {
		return err
	}
	if x.agent, err = handover.Dial("linux.seccomp.listenerPath", x.c.Saved.ListenerPath); err != nil {
		return err
	}
	if x.c.Saved.Filtered {
		// No process of the container may run without its filter.
		if x.filter, _, err = sysfile.ReadOwned(filepath.Join(x.c.Dir, record.FilterFile)); err != nil {
			return err
		}
	}
	x.extra, err = handover.Preserved(x.opts.PreserveFDs)
	return err
}

// lookUp reads what the plan needs to know about the container.
func (x *Execution) lookUp() error {
	if err := x.openRoot(); err != nil {
		return err
	}
	if x.p.Landlock != nil {
		var err error
		if x.ruleset, err = inside.Landlock(x.rootDir(), x.p.Landlock); err != nil {
			return err
		}
	}
	if initproc.HasEnv(x.p.Env, "HOME") {
		return nil
	}
	proc, err := procfs.Host()
	if err != nil {
		return err
	}
	defer proc.Close()
	x.home, err = inside.Home(x.rootDir(), proc, x.p.UID)
	return err
}

// rootDir returns the directory that openRoot has opened, which the Execution still owns.
func (x *Execution) rootDir() *inroot.Root { return inroot.FromFD(int(x.root.Fd())) }

// openRoot opens the container's root directory if the plan needs it. If the pid has been
// reused for another process in the meantime, the pidfd shows it.
func (x *Execution) openRoot() error {
	if !x.p.Terminal && initproc.HasEnv(x.p.Env, "HOME") && x.ownRoot() && x.p.Landlock == nil {
		return nil
	}
	path := "/proc/" + strconv.Itoa(x.c.Saved.PID) + "/root"
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if unix.PidfdSendSignal(int(x.target.Fd()), 0, nil, 0) != nil {
		if err == nil {
			_ = unix.Close(fd)
		}
		return errStopped
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	x.root = os.NewFile(uintptr(fd), path)
	return nil
}

// ownRoot reports whether joining the container's namespaces leads to its root directory.
func (x *Execution) ownRoot() bool {
	return configs.NamespaceType(x.c.Saved.Namespaces)&configs.NewMount != 0
}

// Adjust sets what only this process has the right to set, while init still runs with this
// process's credentials.
func (x *Execution) Adjust() error {
	pid := x.init.PID
	if err := attr.RaiseRlimits(pid, x.p.Rlimits); err != nil {
		return err
	}
	if err := attr.SetOOMScore(pid, x.p.OOMScoreAdj, x.c.Saved.CgroupRootless); err != nil {
		return err
	}
	affinity := x.p.ExecCPUAffinity
	if x.p.Scheduler == nil && x.p.IOPriority == nil && (affinity == nil || len(affinity.Final) == 0) {
		return nil
	}
	// The cpuset decides which CPUs are allowed, so init has to be in its cgroup.
	inside, err := x.init.Namespaces()
	if err != nil {
		return x.describe(err)
	}
	if err := inside.Close(); err != nil {
		return err
	}
	if affinity != nil && len(affinity.Final) > 0 {
		if err := attr.SetAffinity(pid, affinity.Final); err != nil {
			return fmt.Errorf("process.execCPUAffinity.final: %w", err)
		}
	}
	return attr.SetPriorities(pid, x.p, x.joinsPID())
}

// joinsPID reports whether the process enters a pid namespace of the container, by a fork.
func (x *Execution) joinsPID() bool {
	return configs.NamespaceType(x.c.Saved.Namespaces)&configs.NewPID != 0
}

// Configure sends init its plan and waits for the exec.
func (x *Execution) Configure() error {
	plan := x.plan()
	var err error
	if plan.OwnStreams, err = x.giveStreams(); err != nil {
		return err
	}
	initproc.DebugPlan(x.c, x.init, x.p, plan)
	if plan.Listener != nil {
		err = handover.ConfigureWithAgent(x.init, x.agent, plan)
	} else {
		err = x.init.Configure(plan)
	}
	if err == nil {
		x.c.Debugf("init %d: the program runs", x.init.PID)
	}
	return x.describe(err)
}

// plan returns the message that turns init into the user's process.
func (x *Execution) plan() *nsenter.Plan {
	saved := &x.c.Saved
	p := initproc.NewPlan(x.p, x.home)
	initproc.AddListenFDs(p, x.opts.ListenFDs)
	p.AtOnce = true
	if x.waitsBeforeExec() {
		p.Born = x.beforeExec
	}
	p.Console = x.peer
	p.Landlock = x.ruleset
	p.NewSession = true
	if !x.ownRoot() {
		p.Root = x.root
	}
	if !saved.NoNewKeyring {
		p.Keyring = "_ses." + x.c.ID
	}
	p.Personality, p.MemoryPolicy = saved.Personality, initproc.MemoryPolicy(saved.MemoryPolicy)
	p.Seccomp, p.SeccompFlags = x.filter, saved.FilterFlags
	if x.agent != nil {
		p.Listener = func(listener *os.File) error {
			return handover.SendListener(x.agent, listener, x.init.PID, saved.ListenerMetadata, x.c.HookState(specs.StateRunning))
		}
	}
	return p
}
