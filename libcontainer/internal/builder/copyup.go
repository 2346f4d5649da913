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

// copier fills new file systems of a container (the option tmpcopyup) with what they
// hide. The files are the image's or a volume's, as many and as large as somebody likes, and
// a tmpfs keeps them in memory. So it is a process in the container's cgroup that makes
// them (nsenter.Copy). To move a thread of this process there would not do: the kernel
// charges memory to the cgroup of the address space's owner, which is the whole process;
// on cgroup v2 a thread cannot be moved at all; and what is in that cgroup can be frozen,
// and killed for want of memory.
type copier struct {
	// cgroups and subgroup are where the container is; moved is asked for where its first
	// process is now when there is no room any more; nil for a new container.
	cgroups  func() (paths map[string]string, err error)
	subgroup string
	moved    func() (paths map[string]string, found bool)
	// ready is closed when the limits are set; nil when they have been for long.
	ready <-chan struct{}
	// Joins lead to the container's user namespace, and owner is its root there.
	joins    []nsenter.Join
	uid, gid uint32
}

// copier is for a container that is being created.
func (s *Site) copier() *copier {
	c := &copier{subgroup: s.Config.Cgroup.Subgroup, ready: s.Limited}
	c.cgroups = func() (map[string]string, error) { return s.Cgroup.Paths(), nil }
	c.joins = s.Within.Joins(configs.NewUser)
	c.uid, c.gid = userns.Owner(s.Config)
	return c
}

// copierFor is for a container that is there; target is a pidfd of its first process.
func copierFor(c *record.Record, cfg *configs.Config, target *os.File) *copier {
	out := &copier{cgroups: c.ExecCgroups, subgroup: c.Saved.CgroupSubgroup, moved: c.PresentCgroups}
	if cfg.Namespaces.Contains(configs.NewUser) {
		out.joins = []nsenter.Join{{Type: unix.CLONE_NEWUSER, FD: target}}
	}
	out.uid, out.gid = userns.Owner(cfg)
	return out
}

// copyUp copies the directory from to the directory to, on another thread than the
// caller's: that of a builder stands in the container's namespaces, which the process is
// not to be born in.
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
		Around:  func(start func() error) error { return attr.WithOOMScore(&mostVictim, start) },
		Started: preferVictim,
	}
	return job.Run()
}

// mostVictim is the oom_score_adj of what the kernel kills first.
var mostVictim = 1000

// preferVictim has the kernel kill the process before any other of the cgroup: it is what
// asks for the memory. That of an ordinary user is born so.
func preferVictim(pid int) error {
	if err := attr.WriteOOMScore(strconv.Itoa(pid), strconv.Itoa(mostVictim)); err != nil && !errors.Is(err, os.ErrPermission) {
		return err
	}
	return nil
}

// used is how much there is in a file system, 0 when that cannot be told.
func used(dir *os.File) int64 {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &fs); err != nil {
		return 0
	}
	return int64(fs.Blocks-fs.Bfree) * fs.Bsize
}

// place opens the cgroup whose memory it is. On v1 that is one of the hierarchies, and the
// others are left alone: there may be a freezer that stands still among them.
func (c *copier) place(paths map[string]string, subgroup string) (*cgroups.Placement, error) {
	if dir, ok := paths["memory"]; ok {
		tasks, err := sysfile.Open(filepath.Join(dir, "tasks"), unix.O_WRONLY)
		if err != nil {
			return nil, fmt.Errorf("place in cgroup: %w", err)
		}
		return &cgroups.Placement{Tasks: []*os.File{tasks}}, nil
	}
	if _, ok := paths[""]; !ok || len(paths) > 1 {
		return &cgroups.Placement{}, nil // the container's memory is nobody's in particular
	}
	m, err := cgroups.Load(paths, &configs.Cgroup{Subgroup: subgroup})
	if err != nil {
		return nil, err
	}
	if c.moved != nil {
		if frozen, err := m.Frozen(); err == nil && frozen {
			return nil, errors.New("the container is paused, and so would be what copies on its account")
		}
	}
	return m.Placement()
}
