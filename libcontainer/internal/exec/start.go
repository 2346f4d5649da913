// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/attr"
	"github.com/berth-run/berth/libcontainer/internal/initproc"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/trace"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// StartInit starts init in the container's cgroups. Init then begins to enter the namespaces.
func (x *Execution) StartInit() error {
	paths, err := x.c.ExecCgroups()
	if err != nil {
		return err
	}
	if len(x.opts.Cgroups) > 0 {
		if paths, err = subCgroups(paths, x.opts.Cgroups); err != nil {
			return fmt.Errorf("--cgroup: %w", err)
		}
	} else if dir, ok := paths[""]; ok && x.c.Saved.CgroupSubgroup != "" {
		paths = map[string]string{"": path.Join(dir, x.c.Saved.CgroupSubgroup)}
	}
	err = x.startInside(paths, false)
	if x.c.Saved.SystemdUnit != "" && len(x.opts.Cgroups) == 0 && errors.Is(err, os.ErrPermission) {
		// Between a user's session and the units of that user's service manager there is a
		// cgroup that the user does not own. Only systemd may move a process across it.
		err = x.startInside(paths, true)
	}
	// The init of the container may have moved itself (systemd does, to make its own cgroups
	// below the container's). The cgroup where it began may then not admit processes any more.
	if len(x.opts.Cgroups) == 0 && record.IsCgroupClosed(err) {
		if now, found := x.c.PresentCgroups(); found {
			err = x.startInside(now, false)
		}
	}
	if err == nil {
		x.undo.Push("kill the process", x.kill)
	}
	return err
}

// startInside starts init in the cgroups at paths. With adopt, systemd moves it into the
// container's cgroup instead. Init starts up while this process looks up what it needs: init
// gets its v1 cgroups with the first message.
func (x *Execution) startInside(paths map[string]string, adopt bool) error {
	o := &nsenter.Options{
		Stdio:      x.opts.Stdio,
		ExtraFiles: x.extra,
		// Do not overrule what the config says about the CPUs.
		ResetAffinity: x.p.ExecCPUAffinity == nil,
		Deferred:      true,
		Track:         x.c.Trace.Lane(trace.Init),
		Notifies:      x.agent != nil,
		Joins:         x.c.Joins(x.target),
	}
	if dir, ok := paths[""]; ok && !adopt {
		f, err := sysfile.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			return fmt.Errorf("place in cgroup: %w", err)
		}
		defer f.Close()
		o.CgroupDir = f
	}
	if err := x.clone(o); err != nil {
		if x.init != nil {
			err = errors.Join(err, x.kill())
		}
		return err
	}
	if err := x.bootstrap(o, paths, adopt); err != nil {
		return errors.Join(err, x.kill())
	}
	return nil
}

// bootstrap looks up what init, the plan and the adoption need, and lets init continue.
func (x *Execution) bootstrap(o *nsenter.Options, paths map[string]string, adopt bool) error {
	place, err := x.tasks(paths)
	if err != nil {
		return err
	}
	defer place.Close()
	if x.root == nil {
		if err := x.lookUp(); err != nil {
			return err
		}
	}
	if adopt {
		if err := x.adopt(); err != nil {
			return err
		}
	}
	x.divideTasks(o, paths, place.Tasks)
	return x.init.Bootstrap(o)
}

// adopt makes systemd put init into the container's cgroup.
func (x *Execution) adopt() error {
	m, err := x.c.Cgroup()
	if err != nil {
		return err
	}
	return m.Adopt(x.init.PID)
}

// tasks opens the files through which init enters v1 cgroups.
func (x *Execution) tasks(paths map[string]string) (*cgroups.Placement, error) {
	legacy := maps.Clone(paths)
	delete(legacy, "")
	if len(legacy) == 0 {
		return &cgroups.Placement{}, nil
	}
	m, err := cgroups.Load(legacy, &configs.Cgroup{Rootless: x.c.Saved.CgroupRootless})
	if err != nil {
		return nil, err
	}
	return m.Placement()
}

// divideTasks leaves the cgroup that counts processes to the child that runs the program, if
// there will be a child: init would be one process too many in it. (Version 2 has one cgroup
// for all controllers, so there has to be room for two.) A child that has changed its user
// cannot enter a cgroup of an unprivileged user.
func (x *Execution) divideTasks(o *nsenter.Options, paths map[string]string, all []*os.File) {
	childEnters := x.joinsPID() && (!userns.Unprivileged() || x.isCallers())
	for _, f := range all {
		if childEnters && path.Dir(f.Name()) == paths["pids"] {
			o.ChildTasks = append(o.ChildTasks, f)
		} else {
			o.CgroupTasks = append(o.CgroupTasks, f)
		}
	}
}

// clone starts init.
func (x *Execution) clone(o *nsenter.Options) error {
	return attr.WithOOMScore(x.p.OOMScoreAdj, func() (err error) {
		if a := x.p.ExecCPUAffinity; a != nil && len(a.Initial) > 0 {
			x.init, err = initproc.StartOnCPUs(o, a.Initial)
		} else {
			x.init, err = nsenter.Start(o)
		}
		return err
	})
}

// kill kills a process that does not run the user's program yet, and reaps it.
func (x *Execution) kill() error {
	err := unix.PidfdSendSignal(int(x.init.PIDFD.Fd()), unix.SIGKILL, nil, 0)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	x.reaped, err = procs.Reap(x.init.PID)
	return errors.Join(err, x.init.Close())
}

// explain adds what the caller cannot see: that a limit of the container is the cause.
func (x *Execution) explain(err error) error {
	if x.target == nil || errors.Is(err, errStopped) {
		return err
	}
	// When the first process of a pid namespace has ended, the kernel kills the others and
	// admits no new ones (ENOMEM).
	if x.targetEnded() {
		return fmt.Errorf("%w (it has just ended: %w)", errStopped, err)
	}
	var step *nsenter.StepError
	switch {
	case errors.Is(err, unix.EAGAIN):
		if limit := pidsLimit(x.c); limit != "" {
			return fmt.Errorf("%w (the container has as many processes as its pids limit allows: %s)", err, limit)
		}
		if errors.As(err, &step) && step.Step == nsenter.StepFork {
			return fmt.Errorf("%w (for a moment an exec takes two of the processes that the container's pids limit allows)", err)
		}
	case errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("%w (the container may have used up its memory limit)", err)
	case errors.Is(err, nsenter.ErrInitGone) && procs.WasKilled(x.reaped):
		return fmt.Errorf("%w: it was killed before it could exec (possibly OOM-killed: the container may have used up its memory limit)", err)
	case errors.Is(err, nsenter.ErrInitGone):
		return initproc.ExplainEnd(err, x.reaped, x.filter)
	}
	return err
}

// targetEnded reports whether the container's first process has ended or is about to: it kills
// all others in its pid namespace and waits until they have ended.
func (x *Execution) targetEnded() bool {
	p, err := procs.Read(x.c.Saved.PID)
	if err != nil {
		return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH)
	}
	return p.Exiting() || p.StartTime != x.c.Saved.StartTime
}

// pidsLimit returns the limit on processes if it has been reached, "" otherwise.
func pidsLimit(c *record.Record) string {
	dir, ok := c.Saved.CgroupPaths["pids"]
	if !ok {
		dir = c.Saved.CgroupPaths[""]
	}
	limit, err := os.ReadFile(dir + "/pids.max")
	if err != nil {
		return ""
	}
	used, err := os.ReadFile(dir + "/pids.current")
	if err != nil {
		return ""
	}
	l, u := strings.TrimSpace(string(limit)), strings.TrimSpace(string(used))
	// The numbers have no leading zeros: the longer one is the greater one.
	if l == "max" || len(u) < len(l) || len(u) == len(l) && u < l {
		return ""
	}
	return l
}

// describe explains an error of the init of an added process, as initproc.Describe does.
func (x *Execution) describe(err error) error {
	var mapping *initproc.Mapping
	if err != nil && configs.NamespaceType(x.c.Saved.Namespaces)&configs.NewUser != 0 {
		dir := "/proc/" + strconv.Itoa(x.c.Saved.PID)
		maps, _ := os.ReadFile(dir + "/uid_map") // without it, the explanation is shorter
		mapping = &initproc.Mapping{Root: dir + "/root", UIDs: initproc.ParseMap(string(maps))}
	}
	return initproc.Describe(err, configs.PhraseStart, nil, mapping, x.p, x.filter)
}
