// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"fmt"
	"os"
	"slices"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/trace"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// Change is an AddMounts or RemoveMounts in progress. As with a create, a thread of this
// process does the work, or another process if there is a user namespace. That process enters
// only the user namespace and has a mount namespace of its own, in which it sees the host's
// files with the rights of the container's root.
type Change struct {
	buildJob
	Remove bool

	c            *record.Record
	target       *os.File // pidfd of the container's init
	procContexts []*os.File
}

// NewChange returns a Change for the container whose init target is a pidfd of.
func NewChange(c *record.Record, cfg *configs.Config, target *os.File, m cgroups.Manager) *Change {
	ch := &Change{buildJob: buildJob{Config: cfg}, c: c, target: target}
	ch.Traced, ch.track = c.Trace != nil, c.Trace.Lane(trace.Builder)
	ch.copyUp = copierFor(c, cfg, target).copyUp
	// A container without cgroups has got the host's, or the part of them that v2 shows.
	if mode, err := cgroups.DetectMode(); err == nil && (mode == cgroups.Unified || len(c.Saved.CgroupPaths) > 0) {
		ch.Cgroups = jobCgroups(cfg, m)
	}
	return ch
}

// Run makes the mounts of the plan, or removes what is mounted at their destinations.
func (ch *Change) Run(remove bool) (err error) {
	defer ch.close()
	ch.Remove = remove
	if !ch.Remove {
		if err := ch.openTrees(ch.c.Saved.PID, ch.target); err != nil {
			return err
		}
		n := CountProcMounts(ch.Config.Mounts)
		if ch.procContexts, err = OpenProcContexts(n, ch.c.Joins(ch.target)); err != nil {
			return err
		}
	}
	if ch.Config.Namespaces.Contains(configs.NewUser) {
		return ch.inProcess()
	}
	return ch.inThread()
}

// OpenProcContexts makes a process in the pid namespace that joins lead to open n contexts. See
// rootfs.Options.
func OpenProcContexts(n int, joins []nsenter.Join) ([]*os.File, error) {
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

// leadingJoins returns the joins that are needed to enter the pid namespace. A caller who is
// not root has rights over it only through its user namespace.
func leadingJoins(joins []nsenter.Join) (leading []nsenter.Join) {
	wanted := uint32(configs.NewPID)
	if userns.Unprivileged() {
		wanted |= uint32(configs.NewUser)
	}
	for _, j := range joins {
		if j.Type &= wanted; j.Type != 0 {
			leading = append(leading, j)
		}
	}
	return leading
}

// inProcess leaves the work to a builder process.
func (ch *Change) inProcess() error {
	uid, gid := userns.Owner(ch.Config)
	b, err := startBuilderProcess(&nsenter.Options{
		Joins:         []nsenter.Join{{Type: unix.CLONE_NEWUSER, FD: ch.target}},
		NewNamespaces: unix.CLONE_NEWNS,
		OwnerUID:      uid, OwnerGID: gid,
		Track: ch.track,
	}, ch.Config, sharesPIDNamespace(ch.c.Saved.PID))
	if err != nil {
		return err
	}
	defer b.end()
	if err := b.send(ch, ch.procContexts, ch.trees, ch.target); err != nil {
		return err
	}
	_, _, err = b.answer(requests{copyUp: ch.copyUp, phases: ch.track.Add})
	return err
}

// close releases what Run has opened.
func (ch *Change) close() {
	ch.buildJob.close()
	for _, f := range ch.procContexts {
		_ = f.Close() // a second time, if Live has taken it over
	}
}

// CountProcMounts returns the number of mounts of type proc. Each of them needs a context.
func CountProcMounts(mounts []configs.Mount) int {
	n := 0
	for i := range mounts {
		if mounts[i].Type == "proc" {
			n++
		}
	}
	return n
}
