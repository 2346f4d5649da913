// SPDX-License-Identifier: Apache-2.0

package create

import (
	"errors"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/attr"
	"github.com/berth-run/berth/libcontainer/internal/builder"
	"github.com/berth-run/berth/libcontainer/internal/handover"
	"github.com/berth-run/berth/libcontainer/internal/initproc"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/trace"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// StartInit makes the cgroups and starts init in its namespaces. Until init has its plan, it exits
// when this process dies.
func (cr *Creation) StartInit() error {
	o, release, err := initOptions(cr)
	if err != nil {
		return err
	}
	defer release()
	cr.Undo.Push("remove the cgroup", cr.Cgroup.Destroy)
	if o.CgroupDir, err = cr.Cgroup.CreateBirthplace(); err != nil {
		return noCgroup(err)
	}
	if o.CgroupDir != nil {
		defer o.CgroupDir.Close()
	}
	if o.CgroupDir != nil && isUnified(cr.Cgroup) {
		if err = cr.cloneInit(o); err == nil {
			err = cr.adoptInit()
		}
	} else {
		err = cr.makeCgroupBeside(o)
	}
	if err != nil {
		return cr.describe(userns.ExplainMaps(err, cr.Cfg))
	}
	if err := cr.ClaimCgroups(); err != nil {
		return err
	}
	o.CgroupTasks = cr.Place.Tasks
	cr.Debugf("init %d: started, enters its cgroups and namespaces", cr.Init.PID)
	if err := cr.Init.Bootstrap(o); err != nil {
		return cr.describe(err)
	}
	if !cr.joinsPID() {
		return nil
	}
	// Now, while the namespaces are open.
	cr.procContexts, err = builder.OpenProcContexts(builder.CountProcMounts(cr.Cfg.Mounts), o.Joins)
	return err
}

// cloneInit starts init.
func (cr *Creation) cloneInit(o *nsenter.Options) error {
	err := attr.WithOOMScore(cr.Cfg.Process.OOMScoreAdj, func() (err error) {
		cr.Init, err = startNamespaced(o)
		return err
	})
	if cr.Init != nil {
		cr.within = &builder.InitNamespaces{Init: cr.Init, Kinds: cr.Cfg.Namespaces.Types()}
		cr.Undo.Push("kill init", cr.KillInit)
	}
	return err
}

// isUnified reports whether the only cgroup is one of v2.
func isUnified(m cgroups.Manager) bool {
	paths := m.Paths()
	return len(paths) == 1 && paths[""] != ""
}

// makeCgroupBeside starts init and makes the cgroups at the same time, for cgroups in which init
// cannot be born: both take about equally long.
func (cr *Creation) makeCgroupBeside(o *nsenter.Options) error {
	made := make(chan error, 1)
	go func() {
		cr.Debugf("cgroup: make %v", cr.Saved.CgroupPlan)
		span := cr.Trace.Begin(trace.Cgroup, "make the cgroups")
		made <- span.End(cr.Cgroup.Create())
	}()
	err := cr.cloneInit(o)
	// That a cgroup cannot be made explains more than that init could not be started.
	if cerr := <-made; cerr != nil {
		return noCgroup(cerr)
	}
	if err != nil {
		return err
	}
	return cr.adoptInit()
}

// adoptInit tells the cgroups about init, and opens the files by which init enters them.
func (cr *Creation) adoptInit() error {
	span := cr.Begin("prepare the entry of init into the cgroup")
	err := span.End(cr.Cgroup.Adopt(cr.Init.PID))
	if err == nil {
		cr.Place, err = cr.Cgroup.Placement()
	}
	return err
}

// noCgroup is the error for a cgroup that cannot be made.
func noCgroup(err error) error {
	return codes.With(codes.CgroupFailed, configs.AddPhrase(err, configs.PhraseApplyCgroup))
}

// KillInit kills and reaps init, and kills what a hook has put into its cgroup.
func (cr *Creation) KillInit() error {
	err := unix.PidfdSendSignal(int(cr.Init.PIDFD.Fd()), unix.SIGKILL, nil, 0)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	// criu may already have reaped a restored init.
	if cr.reaped, err = procs.Reap(cr.Init.PID); err != nil && !errors.Is(err, unix.ECHILD) {
		return err
	}
	return IgnoreNoCgroup(cr.Cgroup.Kill())
}

// IgnoreNoCgroup drops the error that there is no cgroup: a rootless container may have none, and
// so has no processes in one.
func IgnoreNoCgroup(err error) error {
	if errors.Is(err, cgroups.ErrNoCgroup) {
		return nil
	}
	return err
}

// ConfigureInit sends init its plan. Before the process that will run the program continues, the
// state is complete: from then on the process outlives this one.
func (cr *Creation) ConfigureInit() error {
	fifos, err := cr.OpenFifos()
	if err != nil {
		return err
	}
	defer fifos[0].Close()
	defer fifos[1].Close()
	plan, err := cr.plan(&fifos)
	if err != nil {
		return err
	}
	plan.Born = cr.recordInit
	initproc.DebugPlan(cr.Record, cr.Init, &cr.Cfg.Process, plan)
	if plan.Listener != nil {
		err = handover.ConfigureWithAgent(cr.Init, cr.agent, plan)
	} else {
		err = cr.Init.Configure(plan)
	}
	if err == nil {
		cr.Debugf("init %d: ready, waits for the start", cr.Init.PID)
	}
	return cr.describe(err)
}

// recordInit saves in the state which process is the container's first one.
func (cr *Creation) recordInit() error {
	p, err := procs.Read(cr.Init.PID)
	if err != nil {
		return err
	}
	cr.Saved.PID, cr.Saved.StartTime = cr.Init.PID, p.StartTime
	if cr.joinsPID() && !attr.InheritsScheduler(cr.Cfg.Process.Scheduler) {
		if err := attr.SetScheduler(cr.Init.PID, cr.Cfg.Process.Scheduler); err != nil {
			return err
		}
	}
	return cr.Saved.Write(cr.Dir)
}
