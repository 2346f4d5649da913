// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/nsenter"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// restoration is a restore in progress: a creation whose first process comes out of
// images. Criu makes the processes, with the namespaces and mounts that are theirs alone;
// all else is a creation's.
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
type restoration struct {
	creation
	o         *options.Restore
	run       *criuRun
	criu      *os.Process
	names     []string // of descriptorsFile
	prepared  prepared
	terminals []*os.File
	hold      *networkHold
}

func newRestoration(r *record.Record, cfg *configs.Config, o *options.Restore) *restoration {
	return &restoration{creation: *newCreation(r, cfg, &o.Create), o: o}
}

func (r *restoration) release() {
	for _, f := range r.terminals {
		_ = f.Close()
	}
	if r.run != nil {
		_ = r.run.close()
	}
	r.creation.release()
}

// prepareCriu meets what is wrong with the options before anything is made.
func (r *restoration) prepareCriu() error {
	if r.Saved.RootfsMountID != 0 || !r.cfg.Namespaces.Contains(configs.NewMount) {
		return errors.New("linux.namespaces: a container without a mount namespace cannot be restored")
	}
	if r.cfg.Process.Landlock != nil {
		return errors.New(configs.LandlockField + ": a restored process cannot be confined by Landlock")
	}
	if r.cfg.Network != nil {
		r.o.EmptyNetwork = true
	}
	if err := r.checkNetwork(); err != nil {
		return err
	}
	if err := makeWork(&r.o.CRIU); err != nil {
		return err
	}
	run, err := newCriuRun(&r.o.CRIU, restoreLog, r.cfg.Annotations)
	if err != nil {
		return err
	}
	r.Debugf("criu: %s, images in %s, its log is %s", run.task.Path, run.images, run.log)
	r.run = run
	run.task.Type = rpc.CriuReqType_RESTORE
	if r.o.ShellJob {
		run.task.Stdin = r.opts.Stdio[0] // criu takes the job's terminal from there
	}
	run.task.Launch, run.task.Started, run.task.Notify = r.launch, r.criuStarted, r.notified
	opts := run.task.Opts
	opts.Root = &r.cfg.Rootfs.Path
	// The first process shall be our child, not criu's, which ends.
	opts.RstSibling = ptr(true)
	opts.TcpClose = ptr(r.o.TCPClose)
	if err := r.labels(opts); err != nil {
		return err
	}
	if r.names, err = readDescriptors(r.o.ImagePath); err != nil {
		return fmt.Errorf("image-path: %w", err)
	}
	opened, err := inheritFiles(&run.task, r.names, r.opts.Stdio)
	run.files = append(run.files, opened...)
	if err != nil {
		return err
	}
	user := hostUID(r.cfg.UIDMappings, r.cfg.Process.UID)
	_, err = giveStreams(replacedStreams(r.names, r.opts.Stdio), user, &r.undo)
	return err
}

// labels are the options for security modules.
func (r *restoration) labels(opts *rpc.CriuOpts) error {
	if r.o.LSMProfile != "" {
		opts.LsmProfile = &r.o.LSMProfile
	}
	if r.o.LSMMountContext == "" {
		return nil
	}
	opts.LsmMountContext = &r.o.LSMMountContext
	return r.run.need(31600, "lsm-mount-context")
}

// keepNotify makes the directory of the notify socket again when the container had one. It
// has told what it had to tell, so that nobody listens any more.
func (r *restoration) keepNotify() error {
	if slices.Contains(r.names, mountName(notifyMount)) {
		r.opts.Notify = true
	}
	return r.addNotify()
}

// restoreProcesses lets criu do its work. It may restore the freezer as well: an engine has
// paused the container for the checkpoint, or we have.
func (r *restoration) restoreProcesses() error {
	revert, err := r.openImages()
	if err != nil {
		return err
	}
	if err := errors.Join(r.runCriu(), revert()); err != nil {
		return err
	}
	if err := r.hold.release(); err != nil { // if criu has not come to it
		return err
	}
	return ignoreNoCgroup(r.cgroup.Freeze(false))
}

// runCriu lets criu restore. A signal ends criu: what it has restored by then, the undo ends.
func (r *restoration) runCriu() error {
	started := r.run.task.Started
	running := make(chan *os.Process, 1)
	r.run.task.Started = func(criu *os.Process) error {
		running <- criu
		return started(criu)
	}
	ended := make(chan struct{})
	stop := func() {
		select {
		case criu := <-running:
			_ = criu.Kill() // or it has ended by itself
		case <-ended:
		}
	}
	return r.opts.Interrupts.During(func() error {
		defer close(ended)
		return r.run.run()
	}, stop)
}

// notified follows criu's work.
func (r *restoration) notified(step string, pid int, file *os.File) error {
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
		return r.hold.release()
	case "pre-resume":
		return r.checkRestrictions()
	}
	return nil
}

// namespacesReady comes when the first process is in its namespaces, and nothing in them
// is set up.
func (r *restoration) namespacesReady(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	r.init = nsenter.Adopt(pid, os.NewFile(uintptr(fd), "pidfd"))
	r.undo.Push("kill init", r.killInit)
	return r.setUpNetwork()
}

// restored comes when the processes are complete and stand still. From now on they
// outlive this process, so the state has to be complete.
func (r *restoration) restored(pid int) error {
	if r.strictCgroups() {
		if err := r.claimCgroups(); err != nil {
			return err
		}
		if err := r.setDeviceRules(); err != nil {
			return err
		}
	}
	if err := r.enterDelegated(); err != nil {
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

// takeTerminal finds the terminal of the first process among those that criu has restored:
// others were those of programs that exec had added, and of engines that are gone.
func (r *restoration) takeTerminal() error {
	if r.built = new(built); !r.cfg.Process.Terminal {
		return nil
	}
	name, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/0", r.init.PID))
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
			r.built = &built{master: f, ptyName: pty}
			return nil
		}
	}
	return errors.New("process.terminal: is true, but the checkpoint is of a process without a terminal")
}
