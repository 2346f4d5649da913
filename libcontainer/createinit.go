// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/internal/landlock"
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
	cr.undo.push("remove the cgroup", cr.cgroup.Destroy)
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
		cr.undo.push("kill init", cr.killInit)
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
	if err := cr.init.Bootstrap(o); err != nil {
		return cr.describe(err)
	}
	p, err := readProcStat(cr.init.PID)
	if err != nil {
		return err
	}
	cr.saved.StartTime = p.startTime
	return nil
}

// makeCgroup makes the cgroups and opens what init needs to get into them. born is where
// init's pid comes from, if it comes.
func (cr *creation) makeCgroup(born <-chan int) error {
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
	if cr.reaped, err = reap(cr.init.PID); err != nil && !errors.Is(err, unix.ECHILD) {
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

// configureInit gives init its plan. The state is complete before that: from then on
// init outlives this process.
func (cr *creation) configureInit() error {
	cr.saved.PID = cr.init.PID
	if err := cr.saved.write(cr.dir); err != nil {
		return err
	}
	fifo, err := openFile(filepath.Join(cr.dir, fifoFile), unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	defer fifo.Close()
	plan, err := cr.plan(fifo)
	if err != nil {
		return err
	}
	if err := cr.allowFifo(fifo); err != nil {
		return err
	}
	if plan.Listener != nil {
		return cr.describe(configureWithAgent(cr.init, cr.agent, plan))
	}
	return cr.describe(cr.init.Configure(plan))
}

// makeFifo makes the fifo on which init waits for `start`. Its mode lets any user
// write, since init opens it as the container's user, through the fd it is given: no
// process of the container can reach it by name.
func (cr *creation) makeFifo() error {
	path := filepath.Join(cr.dir, fifoFile)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return &os.PathError{Op: "mkfifo", Path: path, Err: err}
	}
	return os.Chmod(path, 0o622)
}

// allowFifo lets init open the fifo when Landlock confines it already. Nobody else of
// the container ever comes to see it.
func (cr *creation) allowFifo(fifo *os.File) error {
	if cr.built.ruleset == nil {
		return nil
	}
	defer runtime.KeepAlive(fifo)
	write := cr.cfg.Process.Landlock.FS & unix.LANDLOCK_ACCESS_FS_WRITE_FILE
	return landlock.FromFile(cr.built.ruleset).AllowPath(int(fifo.Fd()), write)
}
