// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/attr"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// copier fills new file systems of a container (the option tmpcopyup) with what they hide. The
// files are those of the image or of a volume, as many and as large as their owner likes, and a
// tmpfs keeps them in memory. Therefore a process in the container's cgroup makes them
// (nsenter.Copy). Moving a thread of this process there would not work: the kernel charges
// memory to the cgroup of the owner of the address space, which is the whole process; on cgroup
// v2 such a thread cannot be moved at all; and processes in that cgroup can be frozen, or
// killed when it is out of memory.
type copier struct {
	// cgroups and subgroup are where the container is. moved reports where its first process is
	// now, if its cgroup admits no more processes; nil for a new container.
	cgroups  func() (paths map[string]string, err error)
	subgroup string
	moved    func() (paths map[string]string, found bool)
	// ready is closed when the limits are set; nil if they have been set long ago.
	ready <-chan struct{}
	// joins lead to the container's user namespace. uid and gid are its root there.
	joins    []nsenter.Join
	uid, gid uint32
}

// copier returns the copier for a container that is being created.
func (s *Site) copier() *copier {
	c := &copier{subgroup: s.Config.Cgroup.Subgroup, ready: s.Limited}
	c.cgroups = func() (map[string]string, error) { return s.Cgroup.Paths(), nil }
	c.joins = s.Within.Joins(configs.NewUser)
	c.uid, c.gid = userns.Owner(s.Config)
	return c
}

// copierFor returns the copier for an existing container. target is a pidfd of its first
// process.
func copierFor(c *record.Record, cfg *configs.Config, target *os.File) *copier {
	out := &copier{cgroups: c.ExecCgroups, subgroup: c.Saved.CgroupSubgroup, moved: c.PresentCgroups}
	if cfg.Namespaces.Contains(configs.NewUser) {
		out.joins = []nsenter.Join{{Type: unix.CLONE_NEWUSER, FD: target}}
	}
	out.uid, out.gid = userns.Owner(cfg)
	return out
}

// copyUp copies the directory from to the directory to. It does not use the caller's thread: a
// builder thread is in the container's namespaces, and the process must not start in them.
func (c *copier) copyUp(from, to *os.File, owner bool) error {
	done := make(chan error)
	go func() { done <- c.run(from, to, owner) }()
	return <-done
}

func (c *copier) run(from, to *os.File, owner bool) error {
	if c.ready != nil {
		<-c.ready
	}
	before := used(to)
	paths, err := c.cgroups()
	if err != nil {
		return err
	}
	err = c.runIn(paths, c.subgroup, from, to, owner)
	if c.moved != nil && record.IsCgroupClosed(err) {
		if now, found := c.moved(); found {
			err = c.runIn(now, "", from, to, owner)
		}
	}
	if errors.Is(err, nsenter.ErrCopyKilled) || errors.Is(err, nsenter.ErrInitGone) || errors.Is(err, unix.ENOMEM) {
		return fmt.Errorf("%w after %d bytes (which count as the container's: is linux.resources.memory.limit too low?)",
			err, used(to)-before)
	}
	return tooSmall(err, from, to)
}

// runIn copies in the cgroup at paths.
func (c *copier) runIn(paths map[string]string, subgroup string, from, to *os.File, owner bool) error {
	place, err := c.place(paths, subgroup)
	if err != nil {
		return err
	}
	defer place.Close()
	job := &nsenter.Copy{
		From: from, To: to, Owner: owner,
		CgroupDir: place.Dir, CgroupTasks: place.Tasks,
		Joins: c.joins, OwnerUID: c.uid, OwnerGID: c.gid,
		Around:  func(start func() error) error { return attr.WithOOMScore(&maxOOMScoreAdj, start) },
		Started: preferVictim,
	}
	return job.Run()
}

// maxOOMScoreAdj is the oom_score_adj of the process that the kernel kills first.
var maxOOMScoreAdj = 1000

// preferVictim makes the kernel kill the process before any other in the cgroup, because it is
// the one that asks for memory. An unprivileged user's process starts with that score.
func preferVictim(pid int) error {
	if err := attr.WriteOOMScore(strconv.Itoa(pid), strconv.Itoa(maxOOMScoreAdj)); err != nil && !errors.Is(err, os.ErrPermission) {
		return err
	}
	return nil
}

// used returns how much a file system holds, 0 if that cannot be found out.
func used(dir *os.File) int64 {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &fs); err != nil {
		return 0
	}
	return int64(fs.Blocks-fs.Bfree) * fs.Bsize
}

// place opens the cgroup that is charged for the memory. On v1 that is one of the hierarchies.
// The others are left alone: a freezer among them may be frozen.
func (c *copier) place(paths map[string]string, subgroup string) (*cgroups.Placement, error) {
	if dir, ok := paths["memory"]; ok {
		tasks, err := sysfile.Open(filepath.Join(dir, "tasks"), unix.O_WRONLY)
		if err != nil {
			return nil, fmt.Errorf("place in cgroup: %w", err)
		}
		return &cgroups.Placement{Tasks: []*os.File{tasks}}, nil
	}
	if _, ok := paths[""]; !ok || len(paths) > 1 {
		return &cgroups.Placement{}, nil // the container's memory is not accounted separately
	}
	m, err := cgroups.Load(paths, &configs.Cgroup{Subgroup: subgroup})
	if err != nil {
		return nil, err
	}
	if c.moved != nil {
		if frozen, err := m.Frozen(); err == nil && frozen {
			return nil, errors.New("the container is paused, and a process that copies for it would be paused too")
		}
	}
	return m.Placement()
}
