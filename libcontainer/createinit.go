// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
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
	cr.debugf("init %d: started, enters its cgroups and namespaces", cr.init.PID)
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
	cr.debugf("cgroup: make %v", cr.saved.CgroupPlan)
	if err := cr.cgroup.Create(); err != nil {
		return err
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
	fifos, err := cr.openFifos()
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
	cr.debugPlan(cr.init, &cr.cfg.Process, plan)
	if plan.Listener != nil {
		err = configureWithAgent(cr.init, cr.agent, plan)
	} else {
		err = cr.init.Configure(plan)
	}
	if err == nil {
		cr.debugf("init %d: ready, waits for the start", cr.init.PID)
	}
	return cr.describe(err)
}

// recordInit writes down which process the container's first one is.
func (cr *creation) recordInit() error {
	p, err := procs.Read(cr.init.PID)
	if err != nil {
		return err
	}
	cr.saved.PID, cr.saved.StartTime = cr.init.PID, p.StartTime
	if cr.joinsPID() && !inheritsScheduler(cr.cfg.Process.Scheduler) {
		if err := setScheduler(cr.init.PID, cr.cfg.Process.Scheduler); err != nil {
			return err
		}
	}
	return cr.saved.write(cr.dir)
}

// makeFifos makes the fifos by which `start` and init speak. Nobody but the owner of the
// state opens them by name.
func (cr *creation) makeFifos() error {
	for _, name := range [...]string{fifoFile, reportFile} {
		path := filepath.Join(cr.dir, name)
		if err := unix.Mkfifo(path, 0o600); err != nil {
			return &os.PathError{Op: "mkfifo", Path: path, Err: err}
		}
	}
	return nil
}

// openFifos opens them for init, which as the container's user has no right to. Each for
// reading and writing: so neither end waits for the other one.
func (cr *creation) openFifos() (fifos [2]*os.File, err error) {
	for n, name := range [...]string{fifoFile, reportFile} {
		if fifos[n], err = sysfile.Open(filepath.Join(cr.dir, name), unix.O_RDWR|unix.O_NOFOLLOW); err != nil {
			if n > 0 {
				_ = fifos[0].Close()
			}
			return fifos, err
		}
	}
	return fifos, nil
}
