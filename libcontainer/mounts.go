// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Plan is what is still known of the plan of a container, as far as further mounts depend
// on it; the id maps are those that the kernel has. ErrNotRunning when it has stopped.
func (c *Container) Plan() (*configs.Config, error) {
	cfg := &configs.Config{
		SpecVersion: c.rec.Saved.OCIVersion, Bundle: c.rec.Saved.Bundle, MountLabel: c.rec.Saved.MountLabel,
		Annotations: c.rec.Saved.Annotations,
		Rootfs:      configs.Rootfs{Path: c.rec.Saved.Rootfs, Propagation: uintptr(c.rec.Saved.RootfsPropagation)},
		Cgroup:      configs.Cgroup{Rootless: c.rec.Saved.CgroupRootless},
	}
	pidfd, err := c.rec.OpenInit()
	if err != nil {
		return nil, err
	}
	defer pidfd.Close()
	dir := "/proc/" + strconv.Itoa(c.rec.Saved.PID)
	for _, t := range configs.NamespaceTypes() {
		ns := configs.Namespace{Type: t}
		if configs.NamespaceType(c.rec.Saved.JoinedNamespaces)&t != 0 {
			ns.Path = dir + "/ns/" + t.ProcName()
		}
		if configs.NamespaceType(c.rec.Saved.Namespaces)&t != 0 {
			cfg.Namespaces = append(cfg.Namespaces, ns)
		}
	}
	if !cfg.Namespaces.Contains(configs.NewUser) {
		return cfg, nil
	}
	for _, m := range [...]struct {
		file string
		rows *[]configs.IDMap
	}{{"/uid_map", &cfg.UIDMappings}, {"/gid_map", &cfg.GIDMappings}} {
		data, err := sysfile.Read(dir + m.file)
		if err != nil {
			return nil, err
		}
		if *m.rows, err = parseIDMap(data); err != nil {
			return nil, fmt.Errorf("%s: %w", dir+m.file, err)
		}
	}
	// The number may have become another process's since.
	if err := unix.PidfdSendSignal(int(pidfd.Fd()), 0, nil, 0); err != nil {
		return nil, record.ErrNotRunning
	}
	return cfg, nil
}

// AddMounts makes the mounts of cfg, which is [Container.Plan] with mounts in it, in a
// container that has not stopped, all of them or none. RemoveMounts takes away what is
// mounted at their destinations, in the opposite order. A container that is paused stays so.
func (c *Container) AddMounts(cfg *configs.Config, log options.Logger) error {
	return c.changeMounts(cfg, false, log)
}

// RemoveMounts is the opposite of AddMounts; of a mount of cfg it needs but the name and
// the destination.
func (c *Container) RemoveMounts(cfg *configs.Config, log options.Logger) error {
	return c.changeMounts(cfg, true, log)
}

func (c *Container) changeMounts(cfg *configs.Config, remove bool, log options.Logger) error {
	return c.change(func(status specs.ContainerState, m cgroups.Manager) error {
		if status == specs.StateStopped || status == specs.StateCreating {
			return record.ErrNotRunning
		}
		target, err := c.rec.OpenInit()
		if err != nil {
			return err
		}
		defer target.Close()
		ch := &mountChange{buildJob: buildJob{Config: cfg}, Remove: remove, c: c.rec, target: target, log: log}
		ch.copyUp = copierFor(c.rec, cfg, target).copyUp
		// A container without cgroups has been given the host's, or what v2 shows of them.
		if mode, err := cgroups.DetectMode(); err == nil && (mode == cgroups.Unified || len(c.rec.Saved.CgroupPaths) > 0) {
			ch.Cgroups = jobCgroups(cfg, m)
		}
		c.debugMounts(cfg, remove)
		if err := ch.run(); err != nil {
			if unix.PidfdSendSignal(int(target.Fd()), 0, nil, 0) != nil {
				return fmt.Errorf("%w (it has just ended: %w)", record.ErrNotRunning, err)
			}
			return err
		}
		return nil
	})
}

// mountChange is an AddMounts or RemoveMounts in progress. As with a create, a thread of
// this process does it, or another process when there is a user namespace: that one enters
// the user namespace alone, and has a mount namespace of its own, where it sees the files
// of the host with the rights of the container's root.
type mountChange struct {
	buildJob
	Remove bool

	c            *record.Record
	target       *os.File // pidfd of the container's init
	procContexts []*os.File
	log          options.Logger
}

func (ch *mountChange) run() (err error) {
	defer ch.close()
	if !ch.Remove {
		if err := ch.openTrees(ch.c.Saved.PID, ch.target); err != nil {
			return err
		}
		n := countProcMounts(ch.Config.Mounts)
		if ch.procContexts, err = openProcContexts(n, ch.c.Joins(ch.target)); err != nil {
			return err
		}
	}
	if ch.Config.Namespaces.Contains(configs.NewUser) {
		return ch.inProcess()
	}
	return ch.inThread()
}

// openProcContexts has a process in the pid namespace to which joins lead open n contexts;
// see rootfs.Options.
func openProcContexts(n int, joins []nsenter.Join) ([]*os.File, error) {
	if slices.ContainsFunc(joins, isPIDNamespace) {
		joins = leadingJoins(joins)
	}
	contexts, err := nsenter.OpenProcContexts(n, joins)
	if err != nil {
		return nil, fmt.Errorf("procfs of the container: %w", err)
	}
	return contexts, nil
}

func isPIDNamespace(j nsenter.Join) bool { return j.Type&unix.CLONE_NEWPID != 0 }

// leadingJoins are those that it takes to get into the pid namespace. Who is not root has
// rights over that by its user namespace alone.
func leadingJoins(joins []nsenter.Join) (leading []nsenter.Join) {
	wanted := uint32(configs.NewPID)
	if unprivileged() {
		wanted |= uint32(configs.NewUser)
	}
	for _, j := range joins {
		if j.Type &= wanted; j.Type != 0 {
			leading = append(leading, j)
		}
	}
	return leading
}

// inProcess gives the work to a builder process.
func (ch *mountChange) inProcess() error {
	uid, gid := owner(ch.Config)
	b, err := startBuilderProcess(&nsenter.Options{
		Joins:         []nsenter.Join{{Type: unix.CLONE_NEWUSER, FD: ch.target}},
		NewNamespaces: unix.CLONE_NEWNS,
		OwnerUID:      uid, OwnerGID: gid,
	}, ch.Config, sharesPIDNamespace(ch.c.Saved.PID))
	if err != nil {
		return err
	}
	defer b.end()
	if err := b.send(ch, ch.procContexts, ch.trees, ch.target); err != nil {
		return err
	}
	_, _, err = b.answer(ch.log, requests{copyUp: ch.copyUp})
	return err
}

// close releases what run has opened.
func (ch *mountChange) close() {
	ch.buildJob.close()
	for _, f := range ch.procContexts {
		_ = f.Close() // again, where Live has taken it over
	}
}
