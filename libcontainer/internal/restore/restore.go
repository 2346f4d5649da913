// SPDX-License-Identifier: Apache-2.0

// Package restore creates a container from a checkpoint, with criu.
package restore

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/builder"
	"github.com/berth-run/berth/libcontainer/internal/create"
	"github.com/berth-run/berth/libcontainer/internal/criu"
	"github.com/berth-run/berth/libcontainer/internal/handover"
	"github.com/berth-run/berth/libcontainer/internal/notify"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/nsenter"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// Restoration is a restore in progress: a create whose first process comes from images. Criu
// creates the processes, and the namespaces and mounts that only they use. Everything else is
// done as in a create.
//
//	runtime                          criu
//	state directory, cgroup,
//	mount points, process.json
//	request                     ──▶  forks the first process, its namespaces
//	             ◀── setup-namespaces
//	network, hooks, devices of
//	  the host
//	                            ──▶  mounts, files, memory, connections
//	             ◀── orphan-pts-master: the terminal
//	             ◀── post-restore
//	state: from here on it is a
//	  container that runs
//	             ◀── network-unlock: packets pass
//	                            ──▶  credentials
//	             ◀── pre-resume: are they restricted as they should be?
//	                            ──▶  lets the processes go
//	console, pid file
type Restoration struct {
	create.Creation
	o         *options.Restore
	run       *criu.Run
	criu      *os.Process
	names     []string // of descriptorsFile
	prepared  prepared
	terminals []*os.File
	hold      *criu.NetworkHold
}

// New starts the restore of the container of a record, whose id is free.
func New(r *record.Record, cfg *configs.Config, o *options.Restore) *Restoration {
	return &Restoration{Creation: *create.New(r, cfg, &o.Create), o: o}
}

// Release closes what the process itself does not need any more. Call it on success and on
// failure.
func (r *Restoration) Release() {
	for _, f := range r.terminals {
		_ = f.Close()
	}
	if r.run != nil {
		_ = r.run.Close()
	}
	r.Creation.Release()
}

// PrepareCriu checks the options before anything is created.
func (r *Restoration) PrepareCriu() error {
	if r.Saved.RootfsMountID != 0 || !r.Cfg.Namespaces.Contains(configs.NewMount) {
		return errors.New("linux.namespaces: a container without a mount namespace cannot be restored")
	}
	if r.Cfg.Process.Landlock != nil {
		return errors.New(configs.LandlockField + ": a restored process cannot be confined by Landlock")
	}
	if r.Cfg.Network != nil {
		r.o.EmptyNetwork = true
	}
	if err := r.checkNetwork(); err != nil {
		return err
	}
	if err := criu.MakeWork(&r.o.CRIU); err != nil {
		return err
	}
	run, err := criu.NewRun(&r.o.CRIU, criu.RestoreLog, r.Cfg.Annotations)
	if err != nil {
		return err
	}
	r.Debugf("criu: %s, images in %s, its log is %s", run.Task.Path, run.Images, run.Log)
	r.run = run
	run.Task.Type = rpc.CriuReqType_RESTORE
	if r.o.ShellJob {
		run.Task.Stdin = r.Opts.Stdio[0] // criu takes the job's terminal from its stdin
	}
	run.Task.Launch, run.Task.Started, run.Task.Notify = r.launch, r.criuStarted, r.notified
	opts := run.Task.Opts
	opts.Root = &r.Cfg.Rootfs.Path
	// The first process is to be our child, not the child of criu, which exits.
	opts.RstSibling = criu.Ptr(true)
	opts.TcpClose = criu.Ptr(r.o.TCPClose)
	if err := r.labels(opts); err != nil {
		return err
	}
	if r.names, err = criu.ReadDescriptors(r.o.ImagePath); err != nil {
		return fmt.Errorf("image-path: %w", err)
	}
	opened, err := criu.InheritFiles(&run.Task, r.names, r.Opts.Stdio)
	run.Files = append(run.Files, opened...)
	if err != nil {
		return err
	}
	user := userns.HostUID(r.Cfg.UIDMappings, r.Cfg.Process.UID)
	_, err = handover.GiveStreams(criu.ReplacedStreams(r.names, r.Opts.Stdio), user, &r.Undo)
	return err
}

// labels sets the options for security modules.
func (r *Restoration) labels(opts *rpc.CriuOpts) error {
	if r.o.LSMProfile != "" {
		opts.LsmProfile = &r.o.LSMProfile
	}
	if r.o.LSMMountContext == "" {
		return nil
	}
	opts.LsmMountContext = &r.o.LSMMountContext
	return r.run.Need(31600, "lsm-mount-context")
}

// KeepNotify makes the directory of the notify socket again if the container had one. The
// container has already reported that it is ready, so nobody listens any more.
func (r *Restoration) KeepNotify() error {
	if slices.Contains(r.names, criu.MountName(notify.Mount)) {
		r.Opts.Notify = true
	}
	return r.AddNotify()
}

// RestoreProcesses lets criu do its work. Criu may also restore the state of the freezer: an
// engine had paused the container for the checkpoint, or we had.
func (r *Restoration) RestoreProcesses() error {
	revert, err := r.openImages()
	if err != nil {
		return err
	}
	if err := errors.Join(r.runCriu(), revert()); err != nil {
		return err
	}
	if err := r.hold.Release(); err != nil { // if criu did not get that far
		return err
	}
	return create.IgnoreNoCgroup(r.Cgroup.Freeze(false))
}

// runCriu lets criu restore. A signal ends criu, and the undo kills what criu has restored by
// then.
func (r *Restoration) runCriu() error {
	started := r.run.Task.Started
	running := make(chan *os.Process, 1)
	r.run.Task.Started = func(criu *os.Process) error {
		running <- criu
		return started(criu)
	}
	ended := make(chan struct{})
	stop := func() {
		select {
		case criu := <-running:
			_ = criu.Kill() // or it has already exited
		case <-ended:
		}
	}
	return r.Opts.Interrupts.During(func() error {
		defer close(ended)
		return r.run.Run()
	}, stop)
}

// notified follows criu's progress.
func (r *Restoration) notified(step string, pid int, file *os.File) error {
	if file != nil {
		r.terminals = append(r.terminals, file)
	}
	r.Debugf("criu is at %s", step)
	switch step {
	case "setup-namespaces":
		return r.namespacesReady(pid)
	case "post-restore":
		return r.restored(pid)
	case "network-unlock":
		return r.hold.Release()
	case "pre-resume":
		return r.checkRestrictions()
	}
	return nil
}

// namespacesReady is called when the first process is in its namespaces and nothing is set up
// in them.
func (r *Restoration) namespacesReady(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	r.Init = nsenter.Adopt(pid, os.NewFile(uintptr(fd), "pidfd"))
	r.Undo.Push("kill init", r.KillInit)
	return r.setUpNetwork()
}

// restored is called when the processes are complete and stopped. From now on they outlive this
// process, so the state has to be complete.
func (r *Restoration) restored(pid int) error {
	if r.strictCgroups() {
		if err := r.ClaimCgroups(); err != nil {
			return err
		}
		if err := r.SetDeviceRules(); err != nil {
			return err
		}
	}
	if err := r.EnterDelegated(); err != nil {
		return err
	}
	p, err := procs.Read(pid)
	if err != nil {
		return err
	}
	r.Debugf("init %d: restored", pid)
	r.Saved.PID, r.Saved.StartTime = pid, p.StartTime
	return r.Saved.Write(r.Dir)
}

// TakeTerminal finds the terminal of the first process among those that criu has restored. The
// others belonged to programs added by exec, and to engines that are gone.
func (r *Restoration) TakeTerminal() error {
	if r.Built = new(builder.Built); !r.Cfg.Process.Terminal {
		return nil
	}
	name, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/0", r.Init.PID))
	if err != nil {
		return err
	}
	for i, f := range r.terminals {
		n, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPTN)
		if err != nil {
			return fmt.Errorf("console: TIOCGPTN: %w", err)
		}
		if pty := fmt.Sprintf("/dev/pts/%d", n); pty == name || name == "/dev/console" || len(r.terminals) == 1 {
			r.terminals = append(r.terminals[:i:i], r.terminals[i+1:]...)
			r.Built = &builder.Built{Master: f, PtyName: pty}
			return nil
		}
	}
	return errors.New("process.terminal: is true, but the checkpoint is of a process without a terminal")
}
