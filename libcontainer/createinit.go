// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"golang.org/x/sys/unix"
)

// startInit makes the cgroups and starts init in its namespaces, both at once, since
// either takes about as long. Init exits by itself when this process dies, until it has
// its plan.
func (cr *creation) startInit() error {
	o, release, err := initOptions(cr)
	if err != nil {
		return err
	}
	defer release()
	cr.undo.Push("remove the cgroup", cr.cgroup.Destroy)
	if o.CgroupDir, err = cr.cgroup.CreateBirthplace(); err != nil {
		return err
	}
	if o.CgroupDir != nil {
		defer o.CgroupDir.Close()
	}
	made, born := make(chan error, 1), make(chan int, 1)
	go func() { made <- cr.makeCgroup(born) }()
	err = withOOMScore(cr.cfg.Process.OOMScoreAdj, func() (err error) {
		cr.init, err = startNamespaced(o)
		return err
	})
	if cr.init != nil {
		cr.within = &initNamespaces{init: cr.init, kinds: cr.cfg.Namespaces.Types()}
		cr.undo.Push("kill init", cr.killInit)
		born <- cr.init.PID
	}
	close(born)
	// A cgroup that cannot be had says more than an init that could not enter it.
	if cerr := <-made; cerr != nil {
		err = cerr
	}
	if err != nil {
		return cr.describe(explainMaps(err, cr.cfg))
	}
	if err := cr.claimCgroups(); err != nil {
		return err
	}
	o.CgroupTasks = cr.place.Tasks
	cr.Debugf("init %d: started, enters its cgroups and namespaces", cr.init.PID)
	if err := cr.init.Bootstrap(o); err != nil {
		return cr.describe(err)
	}
	if !cr.joinsPID() {
		return nil
	}
	// While the namespaces are open.
	cr.procContexts, err = openProcContexts(countProcMounts(cr.cfg.Mounts), o.Joins)
	return err
}

// makeCgroup makes the cgroups and opens what init needs to get into them. born is where
// init's pid comes from, if it comes.
func (cr *creation) makeCgroup(born <-chan int) error {
	cr.Debugf("cgroup: make %v", cr.Saved.CgroupPlan)
	if err := cr.cgroup.Create(); err != nil {
		return fmt.Errorf("%w (%s)", err, configs.PhraseApplyCgroup)
	}
	pid, ok := <-born
	if !ok {
		return nil // startNamespaced has an error.
	}
	if err := cr.cgroup.Adopt(pid); err != nil {
		return err
	}
	var err error
	cr.place, err = cr.cgroup.Placement()
	return err
}

// killInit kills init, and whatever joined its cgroup through a hook, and reaps it.
func (cr *creation) killInit() error {
	err := unix.PidfdSendSignal(int(cr.init.PIDFD.Fd()), unix.SIGKILL, nil, 0)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	// A restored one may have been reaped by criu.
	if cr.reaped, err = procs.Reap(cr.init.PID); err != nil && !errors.Is(err, unix.ECHILD) {
		return err
	}
	return ignoreNoCgroup(cr.cgroup.Kill())
}

// ignoreNoCgroup takes it that a rootless container has no cgroup, and so no processes
// in one.
func ignoreNoCgroup(err error) error {
	if errors.Is(err, cgroups.ErrNoCgroup) {
		return nil
	}
	return err
}

// configureInit gives init its plan. The state is complete before the process that will
// run the program goes on: from then on it outlives this one.
func (cr *creation) configureInit() error {
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
	debugPlan(cr.Record, cr.init, &cr.cfg.Process, plan)
	if plan.Listener != nil {
		err = configureWithAgent(cr.init, cr.agent, plan)
	} else {
		err = cr.init.Configure(plan)
	}
	if err == nil {
		cr.Debugf("init %d: ready, waits for the start", cr.init.PID)
	}
	return cr.describe(err)
}

// recordInit writes down which process the container's first one is.
func (cr *creation) recordInit() error {
	p, err := procs.Read(cr.init.PID)
	if err != nil {
		return err
	}
	cr.Saved.PID, cr.Saved.StartTime = cr.init.PID, p.StartTime
	if cr.joinsPID() && !inheritsScheduler(cr.cfg.Process.Scheduler) {
		if err := setScheduler(cr.init.PID, cr.cfg.Process.Scheduler); err != nil {
			return err
		}
	}
	return cr.Saved.Write(cr.Dir)
}
