// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"time"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/landlock"
	"github.com/berth-run/berth/libcontainer/internal/resctrl"
	"github.com/berth-run/berth/libcontainer/network"
	"github.com/berth-run/berth/nsenter"
	"github.com/berth-run/berth/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// CreateOptions are what a create adds to the plan.
type CreateOptions struct {
	// Stdio are the container's standard streams; a nil one is /dev/null.
	Stdio [3]*os.File
	// PreserveFDs passes the caller's fds 3 to 3+n-1 on to the process.
	PreserveFDs int
	// ConsoleSocket gets the pty master (SCM_RIGHTS); "" for none.
	ConsoleSocket string
	// PIDFDSocket gets a pidfd of init (SCM_RIGHTS); "" for none.
	PIDFDSocket string
	// PIDFile gets init's pid, atomically; "" for none.
	PIDFile string
	// Console receives the pty master in the foreground; used when the process
	// has a terminal and there is no ConsoleSocket.
	Console func(master *os.File) error
	// ProcessDocument is the JSON text that the plan's process was made of. It is
	// kept for [Container.ProcessDocument].
	ProcessDocument string
	// Notify gives the container a notify socket of its own, for whose messages
	// there is a [Notifier] at its start.
	Notify bool
	// ListenFDs says that the first of the preserved files are sockets of socket
	// activation.
	ListenFDs ListenFDs
	Log       Logger
}

// creation is a create in progress.
type creation struct {
	store *Store
	id    string
	dir   string
	cfg   *configs.Config
	opts  *CreateOptions
	undo  undoStack

	saved   savedState
	lock    *dirLock
	console *receiver    // of ConsoleSocket
	pidfdTo [2]*receiver // of PIDFDSocket and the plan's PIDFDReceiver
	agent   *receiver    // of the seccomp profile's listenerPath
	hookOut hookOutput
	extra   []*os.File
	cgroup  cgroups.Manager
	place   *cgroups.Placement
	init    *nsenter.Init
	// namespaces are init's, by CLONE_NEW* flag, when it was asked for them.
	namespaces map[uint32]*os.File
	built      *built
	filter     *seccomp.Program
	devices    *network.Moved
	resctrl    *resctrl.Group // nil for none
	hooked     bool           // hooks have begun to run, so poststop hooks must
	reaped     unix.WaitStatus
}

// Create sets the container up until only `start` is missing. On error nothing of
// it is left.
func (s *Store) Create(id string, cfg *configs.Config, o *CreateOptions) (*Container, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	cr := &creation{store: s, id: id, dir: s.dir(id), cfg: cfg, opts: o}
	defer cr.release()
	steps := []func() error{
		cr.refuseUnbuilt,
		cr.leaveOwnUserNamespace,
		cr.openCallerFiles,
		cr.makeStateDir,
		cr.addNotify,
		cr.planCgroup,
		cr.makeResctrl,
		cr.startInit,
		cr.buildAndPrepare,
		cr.setPriorities,
		cr.configureInit,
		cr.handOver,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, cr.fail(err)
		}
	}
	return &Container{store: s, id: id, saved: cr.saved}, nil
}

// release closes what the process itself no longer needs, in success and failure.
func (cr *creation) release() {
	cr.console.close()
	for _, r := range cr.pidfdTo {
		r.close()
	}
	cr.agent.close()
	cr.hookOut.close()
	if cr.place != nil {
		_ = cr.place.Close()
	}
	for _, f := range cr.extra {
		_ = f.Close()
	}
	for _, f := range cr.namespaces {
		_ = f.Close()
	}
	_ = cr.devices.Close()
	if cr.built != nil {
		cr.built.close()
	}
	if cr.init != nil {
		_ = cr.init.Close()
	}
	if cr.lock != nil {
		cr.lock.unlock()
	}
}

// fail undoes what was done and explains why init died if that is the cause.
func (cr *creation) fail(err error) error {
	err = cr.undo.run(err)
	err = explainKernel(err)
	if errors.Is(err, nsenter.ErrInitGone) && cr.reaped.Signaled() && cr.reaped.Signal() == unix.SIGKILL {
		if m := cr.cfg.Cgroup.Resources.Memory; m != nil && m.Limit != nil && *m.Limit > 0 {
			err = fmt.Errorf("%w: container init was OOM-killed (memory limit too low?): linux.resources.memory.limit is %d",
				err, *m.Limit)
		}
	}
	return err
}

// explainKernel says what is wrong when the kernel lacks a system call: all that berth
// cannot do without have been there since Linux 5.10. Memory policies are optional in
// any kernel, and say so themselves.
func explainKernel(err error) error {
	var step *nsenter.StepError
	if !errors.Is(err, unix.ENOSYS) || (errors.As(err, &step) && step.Step == nsenter.StepMemoryPolicy) {
		return err
	}
	return fmt.Errorf("%w (berth needs Linux 5.10 or newer)", err)
}

// openCallerFiles meets first what the caller may have got wrong, before anything is
// made: sockets nobody listens on, fds that are not open.
func (cr *creation) openCallerFiles() (err error) {
	if cr.console, err = dialReceiver("console socket", cr.opts.ConsoleSocket); err != nil {
		return err
	}
	if cr.pidfdTo[0], err = dialReceiver("pidfd socket", cr.opts.PIDFDSocket); err != nil {
		return err
	}
	if cr.pidfdTo[1], err = dialReceiver("run.oci.pidfd_receiver", cr.cfg.PIDFDReceiver); err != nil {
		return err
	}
	if cr.hookOut, err = openHookOutput(cr.cfg.HookStdout, cr.cfg.HookStderr); err != nil {
		return err
	}
	if cr.agent, err = dialAgent(cr.cfg.Seccomp); err != nil {
		return err
	}
	cr.extra, err = preservedFiles(cr.opts.PreserveFDs)
	return err
}

// makeStateDir makes the container's directory, which is what claims the id, and
// locks it.
func (cr *creation) makeStateDir() error {
	if err := os.MkdirAll(cr.store.root, 0o700); err != nil {
		return err
	}
	for {
		err := os.Mkdir(cr.dir, 0o711)
		if errors.Is(err, os.ErrExist) {
			return ErrExist
		}
		if err != nil {
			return err
		}
		cr.lock, err = lockDir(cr.dir)
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrNotExist) {
			return errors.Join(err, os.Remove(cr.dir))
		}
		// A racing delete --force took the empty directory for a leftover.
	}
	cr.undo.push("remove the state directory", func() error { return removeTree(cr.dir) })
	return nil
}

// planCgroup decides the cgroup's paths and records them before any of them is made,
// so that a kill from here on leaves nothing that nobody can find.
func (cr *creation) planCgroup() error {
	m, err := cgroups.New(&cr.cfg.Cgroup, cr.id)
	if err != nil {
		return err
	}
	if err := cr.warnSubgroup(); err != nil {
		return err
	}
	cr.cgroup = m
	unit, unitUser := m.Unit()
	cr.saved = savedState{
		Format: stateFormat, ID: cr.id, OCIVersion: cr.cfg.SpecVersion,
		Bundle: cr.cfg.Bundle, Rootfs: cr.cfg.Rootfs.Path, Created: time.Now().UTC(),
		Annotations: cr.cfg.Annotations, SharedPID: !cr.cfg.Namespaces.IsNew(configs.NewPID),
		Namespaces: uint32(cr.cfg.Namespaces.Types()), NoNewKeyring: cr.cfg.NoNewKeyring,
		JoinedNamespaces: uint32(cr.cfg.Namespaces.Types() &^ cr.cfg.Namespaces.NewFlags()),
		MemoryPolicy:     cr.cfg.MemoryPolicy, CgroupPaths: m.Paths(), CgroupRootless: cr.cfg.Cgroup.Rootless,
		SystemdUnit: unit, SystemdUser: unitUser,
		RootfsPropagation: uint64(cr.cfg.Rootfs.Propagation), MountLabel: cr.cfg.MountLabel,
		CgroupSubgroup: path.Join(cr.cfg.Cgroup.Subgroup, cr.cfg.Cgroup.Delegated),
		Poststart:      cr.cfg.Hooks.Poststart, Poststop: cr.cfg.Hooks.Poststop,
		HookStdout: cr.cfg.HookStdout, HookStderr: cr.cfg.HookStderr,
	}
	if cr.saved.Resources, err = encodeResources(cr.cfg.Cgroup.Resources); err != nil {
		return err
	}
	if !cr.cfg.Namespaces.Contains(configs.NewMount) {
		if cr.saved.RootfsMountID, err = mountID(cr.cfg.Rootfs.Path); err != nil {
			return fmt.Errorf("root.path: %w", err)
		}
	}
	if d := cr.cfg.Personality; d != nil {
		domain := uint32(d.Domain)
		cr.saved.Personality = &domain
	}
	if err := cr.planResctrl(); err != nil {
		return err
	}
	if err := cr.planNetwork(); err != nil {
		return err
	}
	return cr.saved.write(cr.dir)
}

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
	cr.saved.CgroupPaths = cr.cgroup.Paths() // without those that were not allowed
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

// buildAndPrepare lets the builder make the root file system while this goroutine
// does what has to be done on the host.
func (cr *creation) buildAndPrepare() error {
	if cr.saved.RootfsMountID != 0 {
		cr.undo.push("unmount the rootfs", func() error {
			return detachAbove(cr.saved.Rootfs, cr.saved.RootfsMountID)
		})
	}
	b := startBuilder(cr)
	connected := cr.startNetwork(false)
	herr := cr.prepareHost()
	nerr := connected()
	err := b.waitMounted()
	if err == nil {
		err = herr
	}
	if err == nil {
		err = nerr
	}
	if err != nil {
		b.abort()
		return err
	}
	if err = cr.enterDelegated(); err == nil {
		err = cr.moveNetDevices()
	}
	if err == nil {
		err = cr.runCreateHooks()
	}
	if err != nil {
		b.abort()
		return err
	}
	built, err := b.finish()
	cr.built = built
	return err
}

// prepareHost is the host's side of the work, done while the builder builds.
func (cr *creation) prepareHost() error {
	steps := []func() error{
		func() error { return cr.cgroup.Set(cr.cfg.Cgroup.Resources) },
		cr.setDeviceRules,
		cr.delegateCgroup,
		func() error { return setOOMScore(cr.init.PID, cr.cfg.Process.OOMScoreAdj, cr.cfg.Cgroup.Rootless) },
		cr.joinResctrl,
		func() error { return raiseRlimits(cr.init.PID, cr.cfg.Process.Rlimits) },
		cr.makeFifo,
		cr.compileSeccomp,
		cr.keepForExec,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// setDeviceRules limits the devices of the cgroup. The root of a user namespace has no
// right to, and no container of its can have device nodes.
func (cr *creation) setDeviceRules() error {
	err := cr.cgroup.SetDevices(cr.cfg.Cgroup.DeviceRules)
	if errors.Is(err, os.ErrPermission) && inUserNamespace() {
		return nil
	}
	return err
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

// handOver gives the caller what it asked for: pty, pidfd, pid file. The pid file comes
// last, since its presence tells that the rest is done.
func (cr *creation) handOver() error {
	if err := cr.handOverConsole(); err != nil {
		return err
	}
	for _, r := range cr.pidfdTo {
		if err := r.send(cr.init.PIDFD, "pidfd"); err != nil {
			return err
		}
	}
	if cr.opts.PIDFile == "" {
		return nil
	}
	if err := writePIDFile(cr.opts.PIDFile, cr.init.PID); err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	return nil
}

// handOverConsole sends the pty master to whoever is to have it.
func (cr *creation) handOverConsole() error {
	master := cr.built.master
	switch {
	case master == nil:
		return nil
	case cr.console != nil:
		return cr.console.send(master, cr.built.ptyName)
	case cr.opts.Console != nil:
		cr.built.master = nil // it is the callee's now
		return cr.opts.Console(master)
	}
	return errors.New("process.terminal: cannot allocate tty if berth will detach without setting console socket")
}

// hookState is what hooks get on their standard input.
func (cr *creation) hookState(status specs.ContainerState) *specs.State {
	return &specs.State{
		Version: cr.cfg.SpecVersion, ID: cr.id, Status: status, Pid: cr.init.PID,
		Bundle: cr.cfg.Bundle, Annotations: withNetworkStatus(cr.cfg.Annotations, cr.saved.Network),
	}
}
