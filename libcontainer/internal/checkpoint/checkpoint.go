// SPDX-License-Identifier: Apache-2.0

// Package checkpoint saves a container with criu.
package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/criu"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Checkpoint is a checkpoint in progress.
type Checkpoint struct {
	*record.Record
	o      *options.Checkpoint
	status specs.ContainerState // before the checkpoint
	cgroup cgroups.Manager
	run    *criu.Run
}

// New starts a checkpoint of the container of a record, which has the given status.
func New(c *record.Record, o *options.Checkpoint, status specs.ContainerState, m cgroups.Manager) *Checkpoint {
	return &Checkpoint{Record: c, o: o, status: status, cgroup: m}
}

// Release closes what was opened for criu.
func (c *Checkpoint) Release() {
	if c.run != nil {
		_ = c.run.Close()
	}
}

// PrepareCriu checks the options before anything is created.
func (c *Checkpoint) PrepareCriu() (err error) {
	c.run, err = criu.NewRun(&c.o.CRIU, criu.DumpLog, c.Saved.Annotations)
	return err
}

// SaveFrozen saves the container while it is frozen: what criu is told about it must not change
// before criu looks. Criu thaws the container itself, and in the end leaves it as it was.
func (c *Checkpoint) SaveFrozen() error {
	if c.status == record.Paused {
		return c.save()
	}
	c.Debugf("checkpoint: freeze the cgroups %v", c.Saved.CgroupPaths)
	err := c.cgroup.Freeze(true)
	if errors.Is(err, cgroups.ErrNoCgroup) {
		return c.save()
	}
	if err != nil {
		return err
	}
	err = c.save()
	c.Debugf("checkpoint: thaw the cgroups")
	return errors.Join(err, c.cgroup.Freeze(false))
}

// RefuseCheckpoint refuses a container that criu would save but nobody could restore.
func (c *Checkpoint) RefuseCheckpoint() error {
	switch {
	case c.Saved.ListenerPath != "":
		// The agent's listener cannot be saved with the container, and a filter whose
		// notifications nobody receives makes system calls fail.
		return errors.New("linux.seccomp.listenerPath: a container with a seccomp agent cannot be checkpointed")
	case c.Saved.Annotations[configs.LandlockAnnotation] != "":
		return errors.New(configs.LandlockField + ": a process that Landlock confines cannot be checkpointed")
	case c.Saved.RootMount != "":
		return fmt.Errorf("%s.destination: a container whose root file system is a mount on / cannot be checkpointed", c.Saved.RootMount)
	case configs.NamespaceType(c.Saved.Namespaces)&configs.NewMount == 0:
		return errors.New("linux.namespaces: a container without a mount namespace cannot be checkpointed")
	case configs.NamespaceType(c.Saved.Namespaces)&(configs.NewUser|configs.NewPID) == configs.NewUser:
		// To restore a procfs criu mounts it, and the container's pid namespace would have to
		// permit that.
		return errors.New("linux.namespaces: a container with a user namespace and without a pid namespace cannot be checkpointed")
	}
	return nil
}

// MakeDirectories checks and makes the directories of the images.
func (c *Checkpoint) MakeDirectories() error {
	o := c.o
	if filepath.IsAbs(o.ParentPath) {
		return errors.New("--parent-path must be relative")
	}
	if o.ParentPath != "" {
		if _, err := os.Stat(filepath.Join(o.ImagePath, o.ParentPath)); err != nil {
			return fmt.Errorf("invalid --parent-path: %w", err)
		}
	}
	if err := os.MkdirAll(o.ImagePath, criu.DirMode); err != nil {
		return fmt.Errorf("image-path: %w", err)
	}
	return criu.MakeWork(&o.CRIU)
}

// save lets criu save the container.
func (c *Checkpoint) save() error {
	r, o, m := c.run, c.o, c.cgroup
	r.Task.Type = rpc.CriuReqType_DUMP
	if o.PreDump {
		r.Task.Type = rpc.CriuReqType_PRE_DUMP
	}
	if err := c.dumpOptions(); err != nil {
		return err
	}
	pids, others, err := criu.ProcessTree(c.Saved.PID, m)
	if err != nil {
		return err
	}
	c.Debugf("checkpoint: save the processes %v, not %v", pids, others)
	for _, pid := range others {
		o.Log.Warnf("process %d is not saved: criu saves only descendants of the container's first process", pid)
	}
	hold, err := c.holdNetwork()
	if err != nil {
		return err
	}
	end := func() error { return criu.EndOthers(others, m) }
	if len(others) == 0 || o.LeaveRunning || o.PreDump {
		end = nil
	}
	r.Task.Notify = c.logCriuSteps(dumpSteps(hold, end))
	names, err := c.describeOutside(r.Task.Opts, pids)
	if err != nil {
		return err
	}
	c.Debugf("checkpoint: from outside are %q", names)
	if !o.PreDump {
		// Before criu ends the container: nobody could find them out afterwards.
		if err := criu.WriteDescriptors(o.ImagePath, names); err != nil {
			return fmt.Errorf("image-path: %w", err)
		}
	}
	if err := r.OpenDirectories(); err != nil {
		return err
	}
	r.Task.DieWithCaller = o.LazyPages
	release, err := r.HoldSignals(o.LazyPages)
	if err != nil {
		return err
	}
	c.Debugf("checkpoint: run %s, whose log is %s", r.Task.Path, r.Log)
	err = r.Run()
	if errors.Is(err, criu.ErrGone) {
		err = errors.Join(err, c.removeLock())
	}
	err = errors.Join(err, release())
	if err != nil || o.LeaveRunning {
		err = errors.Join(err, hold.Release()) // if criu did not get that far
	}
	return err
}

// dumpSteps returns the function to call at criu's steps, nil for none. end ends the processes
// that are not saved, at the end of a dump; it is nil if there are none.
func dumpSteps(hold *criu.NetworkHold, end func() error) func(string, int, *os.File) error {
	if hold == nil && end == nil {
		return nil
	}
	return func(step string, _ int, _ *os.File) error {
		switch step {
		case "network-lock":
			return hold.Hold()
		case "network-unlock":
			return hold.Release()
		case "post-dump":
			if end != nil {
				return end()
			}
		}
		return nil
	}
}

// dumpOptions sets the options that only a dump has.
func (c *Checkpoint) dumpOptions() error {
	r, o, m := c.run, c.o, c.cgroup
	opts := r.Task.Opts
	opts.Pid = criu.Ptr(int32(c.Saved.PID))
	opts.LeaveRunning = criu.Ptr(o.LeaveRunning)
	opts.TcpSkipInFlight = criu.Ptr(o.TCPSkipInFlight)
	if o.ParentPath != "" {
		opts.ParentImg = &o.ParentPath
	}
	if o.PreDump || o.ParentPath != "" {
		opts.TrackMem = criu.Ptr(true)
	}
	if o.StatusFD != nil {
		opts.StatusFd = criu.Ptr(r.Task.Pass(o.StatusFD))
	}
	if dir := criu.Freezer(m.Paths()); dir != "" {
		opts.FreezeCgroup = &dir
	}
	roots, err := criu.CgroupRoots(m)
	if err != nil {
		return err
	}
	opts.CgRoot = roots
	// In hierarchies that the container does not use, its processes are in the cgroup of their
	// parent.
	for _, root := range opts.CgRoot {
		opts.CgroupDumpController = append(opts.CgroupDumpController, root.GetCtrl())
	}
	return nil
}

// describeOutside tells criu what in the container comes from outside, and returns the names of
// such files.
func (c *Checkpoint) describeOutside(opts *rpc.CriuOpts, pids []int) ([]string, error) {
	inside, err := criu.ReadMounts(strconv.Itoa(c.Saved.PID))
	if err != nil {
		return nil, err
	}
	outside, err := criu.ReadMounts("self")
	if err != nil {
		return nil, err
	}
	if path := criu.OwnIDMapped(inside, outside, configs.NamespaceType(c.Saved.Namespaces)); path != "" {
		return nil, fmt.Errorf("%s: an id-mapped file system of the container's own cannot be checkpointed: criu would recreate it without the maps", path)
	}
	own, err := criu.NotShared(c.Saved.PID, configs.NamespaceType(c.Saved.Namespaces))
	if err != nil {
		return nil, err
	}
	external := criu.ExternalMounts(inside, outside, own)
	for _, path := range external {
		if err := criu.CheckMountName(path); err != nil {
			return nil, err
		}
		criu.AddMount(opts, path, path)
	}
	names, keys, err := criu.DescribeFiles(c.Saved.PID, pids, outside)
	if err != nil {
		return nil, err
	}
	for _, path := range external {
		names = append(names, criu.MountName(path))
	}
	names = append(names, criu.OwnMounts(inside, external)...)
	joined, err := c.joinedNamespaces()
	opts.External = append(append(opts.External, keys...), joined...)
	return names, err
}

// ExternalNamespaces are the kinds of joined namespace that criu can leave out of the images,
// with their names there, which are the same as runc's. It saves the others as if they were the
// container's own.
var ExternalNamespaces = [...]struct {
	Kind configs.NamespaceType
	Key  string
}{
	{configs.NewNet, "extRootNetNS"},
	{configs.NewPID, "extRootPidNS"},
}

// joinedNamespaces returns criu's names of the namespaces that the container has joined.
func (c *Checkpoint) joinedNamespaces() ([]string, error) {
	var external []string
	for _, ns := range ExternalNamespaces {
		if configs.NamespaceType(c.Saved.JoinedNamespaces)&ns.Kind == 0 {
			continue
		}
		var st unix.Stat_t
		path := filepath.Join("/proc", strconv.Itoa(c.Saved.PID), "ns", ns.Kind.ProcName())
		if err := unix.Stat(path, &st); err != nil {
			return nil, &os.PathError{Op: "stat", Path: path, Err: err}
		}
		external = append(external, fmt.Sprintf("%s[%d]:%s", ns.Kind.ProcName(), st.Ino, ns.Key))
	}
	return external, nil
}

// logCriuSteps also logs criu's steps. Criu is asked to report them only if something is to be
// done at them.
func (c *Checkpoint) logCriuSteps(do func(string, int, *os.File) error) func(string, int, *os.File) error {
	if do == nil || !c.Debugging() {
		return do
	}
	return func(step string, pid int, file *os.File) error {
		c.Debugf("criu is at %s", step)
		return do(step, pid, file)
	}
}
