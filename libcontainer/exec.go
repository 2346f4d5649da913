// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/steps"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/libcontainer/rootfs"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// execution is an exec in progress:
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
type execution struct {
	c    *record.Record
	p    *configs.Process
	opts *options.Exec
	undo steps.Undo

	target  *os.File // pidfd of the container's init
	root    *os.File // the container's root directory
	console *receiver
	pidfdTo *receiver
	agent   *receiver
	extra   []*os.File
	init    *nsenter.Init
	master  *os.File // of the pty
	peer    *os.File
	ruleset *os.File
	filter  []byte
	home    string // the user's, "" when HOME is set already
	reaped  unix.WaitStatus
}

func newExecution(c *record.Record, p *configs.Process, o *options.Exec) *execution {
	return &execution{c: c, p: p, opts: o}
}

// fail undoes what was done, and explains the error.
func (x *execution) fail(err error) error { return x.explain(x.undo.Run(err)) }

// detach lets the process go on without this one. The pidfd is the caller's.
func (x *execution) detach() (pid int, pidfd *os.File, err error) {
	return x.init.PID, x.init.PIDFD, x.init.Detach()
}

// release closes what the process itself no longer needs, in success and failure.
func (x *execution) release() {
	for _, r := range []*receiver{x.console, x.pidfdTo, x.agent} {
		r.close()
	}
	for _, f := range append(x.extra, x.target, x.root, x.master, x.peer, x.ruleset) {
		if f != nil {
			_ = f.Close()
		}
	}
}

// check finds out whether there is somebody to join.
func (x *execution) check() error {
	var err error
	if x.target, err = openTarget(x.c); err != nil {
		return err
	}
	if !x.opts.IgnorePaused {
		m, err := x.c.Cgroup()
		if err != nil {
			return err
		}
		if frozen, err := m.Frozen(); err == nil && frozen {
			return errors.New("cannot exec in a paused container (use --ignore-paused to override)")
		}
	}
	return checkLabels(x.p)
}

// openTarget is openInit with errors for an exec.
func openTarget(c *record.Record) (*os.File, error) {
	if c.Saved.PID == 0 {
		return nil, errors.New("cannot exec in a container that is still being created")
	}
	target, err := c.OpenInit()
	if errors.Is(err, record.ErrNotRunning) {
		return nil, errStopped
	}
	return target, err
}

// errStopped has runc's text.
var errStopped = errors.New("cannot exec in a stopped container")

// openCallerFiles meets first what the caller may have got wrong, before anything is
// started.
func (x *execution) openCallerFiles() (err error) {
	if x.console, err = dialReceiver("console socket", x.opts.ConsoleSocket); err != nil {
		return err
	}
	if x.pidfdTo, err = dialReceiver("pidfd socket", x.opts.PIDFDSocket); err != nil {
		return err
	}
	if x.agent, err = dialReceiver("linux.seccomp.listenerPath", x.c.Saved.ListenerPath); err != nil {
		return err
	}
	if x.c.Saved.Filtered {
		// Without its filter no process of the container may run.
		if x.filter, _, err = sysfile.ReadOwned(filepath.Join(x.c.Dir, record.FilterFile)); err != nil {
			return err
		}
	}
	x.extra, err = preservedFiles(x.opts.PreserveFDs)
	return err
}

// lookUp finds out what the plan needs of the container.
func (x *execution) lookUp() error {
	if err := x.openRoot(); err != nil {
		return err
	}
	if x.p.Landlock != nil {
		var err error
		if x.ruleset, err = rootfs.Landlock(x.root, x.p.Landlock); err != nil {
			return err
		}
	}
	if hasEnv(x.p.Env, "HOME") {
		return nil
	}
	var err error
	x.home, err = rootfs.Home(x.root, x.p.UID)
	return err
}

// openRoot opens the container's root directory, when the plan needs it. That of a
// number that has become another process's meanwhile is told by the pidfd.
func (x *execution) openRoot() error {
	if !x.p.Terminal && hasEnv(x.p.Env, "HOME") && x.ownRoot() && x.p.Landlock == nil {
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

// ownRoot says whether joining the container's namespaces leads to its root directory.
func (x *execution) ownRoot() bool {
	return configs.NamespaceType(x.c.Saved.Namespaces)&configs.NewMount != 0
}

// adjust sets what only this process has the right to, while init is still nobody else.
func (x *execution) adjust() error {
	pid := x.init.PID
	if err := raiseRlimits(pid, x.p.Rlimits); err != nil {
		return err
	}
	if err := setOOMScore(pid, x.p.OOMScoreAdj, x.c.Saved.CgroupRootless); err != nil {
		return err
	}
	affinity := x.p.ExecCPUAffinity
	if x.p.Scheduler == nil && x.p.IOPriority == nil && (affinity == nil || len(affinity.Final) == 0) {
		return nil
	}
	// The cgroup decides what is allowed: init has to be in it.
	inside, err := x.init.Namespaces()
	if err != nil {
		return x.describe(err)
	}
	if err := inside.Close(); err != nil {
		return err
	}
	if affinity != nil && len(affinity.Final) > 0 {
		if err := setAffinity(pid, affinity.Final); err != nil {
			return fmt.Errorf("process.execCPUAffinity.final: %w", err)
		}
	}
	return setPriorities(pid, x.p, x.joinsPID())
}

// joinsPID says that the process gets into a pid namespace of the container, by a fork.
func (x *execution) joinsPID() bool {
	return configs.NamespaceType(x.c.Saved.Namespaces)&configs.NewPID != 0
}

// configure gives init its plan, and waits for the exec.
func (x *execution) configure() error {
	plan := x.plan()
	var err error
	if plan.OwnStreams, err = x.giveStreams(); err != nil {
		return err
	}
	debugPlan(x.c, x.init, x.p, plan)
	if plan.Listener != nil {
		err = configureWithAgent(x.init, x.agent, plan)
	} else {
		err = x.init.Configure(plan)
	}
	if err == nil {
		x.c.Debugf("init %d: the program runs", x.init.PID)
	}
	return x.describe(err)
}

// plan is the message that makes init the user's process.
func (x *execution) plan() *nsenter.Plan {
	saved := &x.c.Saved
	p := processPlan(x.p, x.home)
	addListenFDs(p, x.opts.ListenFDs)
	p.AtOnce = true
	if x.hasBirth() {
		p.Born = x.born
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
	p.Personality, p.MemoryPolicy = saved.Personality, memoryPolicy(saved.MemoryPolicy)
	p.Seccomp, p.SeccompFlags = x.filter, saved.FilterFlags
	if x.agent != nil {
		p.Listener = func(listener *os.File) error {
			return sendListener(x.agent, listener, x.init.PID, saved.ListenerMetadata, x.c.HookState(specs.StateRunning))
		}
	}
	return p
}
