// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/handover"
	"github.com/berth-run/berth/libcontainer/internal/initproc"
	"github.com/berth-run/berth/libcontainer/network"
	"github.com/berth-run/berth/libcontainer/rootfs"
	"github.com/berth-run/berth/libcontainer/rootfs/reach"
	"github.com/berth-run/berth/libcontainer/trace"
)

// buildJob is what a builder does once it is in the container's namespaces. The exported fields
// are sent to a builder that is a process of its own.
type buildJob struct {
	Config  *configs.Config
	Cgroups []rootfs.CgroupHierarchy
	// InOrder holds the indices of bind mounts whose sources openSource opens once the mounts
	// before them have been made.
	InOrder []int `json:",omitempty"`
	// Traced means that the runtime wants to know the phases.
	Traced bool `json:",omitempty"`

	// track gets the phases of the builder.
	track trace.Track
	// ordered allows openTrees to leave sources for later.
	ordered bool
	// trees are those of the mounts, then of the devices, as far as the runtime has opened
	// them.
	trees []*os.File
	// opener is what openTrees leaves for InOrder; nil if that is empty.
	opener *TreeOpener
	// openSource is rootfs.Options.OpenSource.
	openSource func(index int) (*os.File, error)
	// openRoot, privateParent and reach are the functions of these names in rootfs.Options.
	openRoot      func() (int, error)
	privateParent func() error
	reach         func(root int, r *reach.Request) (int, error)
	// copyUp is rootfs.Options.CopyUp.
	copyUp func(from, to *os.File, owner bool) error
	// root and onHost are rootfs.Options.NamespaceRoot and OnHost.
	root   *os.File
	onHost func(do func() error) error
	rb     *rootfs.Builder
}

func newBuildJob(s *Site) *buildJob {
	return &buildJob{
		Config: s.Config, Cgroups: jobCgroups(s.Config, s.Cgroup), ordered: true,
		Traced: s.Trace != nil, track: s.Trace.Lane(trace.Builder),
		copyUp: func(from, to *os.File, owner bool) error { return s.copier().copyUp(from, to, owner) },
	}
}

// jobCgroups returns the hierarchies that the mounts of cfg need. On a hybrid host that is cgroup v1
// alone, as with runc: programs take a host for one of cgroup v2 if they see it mounted anywhere.
func jobCgroups(cfg *configs.Config, m cgroups.Manager) (all []rootfs.CgroupHierarchy) {
	if !hasMountType(cfg.Mounts, "cgroup", "cgroup2") {
		return nil
	}
	for _, h := range m.Hierarchies() {
		if h.V2 && h.Name != "" {
			continue
		}
		all = append(all, rootfs.CgroupHierarchy{
			Name: h.Name, Options: h.Options, Links: h.Links, HostPath: h.Path, V2: h.V2,
		})
	}
	return all
}

// mount is the first phase: the loopback interface, all mounts, devices and links.
func (j *buildJob) mount(procContexts []*os.File) error {
	if j.Config.Namespaces.IsNew(configs.NewNet) {
		span := j.track.Begin("bring up the loopback interface")
		if err := span.End(network.LoopbackUp()); err != nil {
			return fmt.Errorf("bring up lo: %w", err)
		}
	}
	var devices []*os.File
	if n := len(j.Config.Mounts); len(j.trees) > n {
		devices = j.trees[n:]
	}
	span := j.track.Begin("open the root file system")
	rb, err := rootfs.New(&rootfs.Options{
		Config:       j.Config,
		ProcContexts: procContexts,
		DeviceTrees:  devices,
		Trees:        j.trees,
		InOrder:      j.InOrder,
		OpenSource:   j.openSource,
		OpenRoot:     j.openRoot, PrivateParent: j.privateParent, Reach: j.reach,
		NamespaceRoot: j.root, OnHost: j.onHost,
		Cgroups: j.Cgroups,
		CopyUp:  j.copyUp,
		Track:   j.track,
	})
	if span.End(err) != nil {
		return err
	}
	j.rb = rb
	return rb.Mount()
}

// enter is the second phase: it opens the terminal, makes the new tree the root, seals it, and
// makes the Landlock ruleset.
func (j *buildJob) enter() (*Built, error) {
	out := &Built{}
	p := &j.Config.Process
	if p.Terminal {
		span := j.track.Begin("open the terminal")
		if err := span.End(j.openTerminal(out)); err != nil {
			return out, err
		}
	}
	var err error
	if out.Chroot, err = j.rb.Enter(); err != nil {
		return out, err
	}
	if out.Ruleset, err = j.rb.Landlock(); err != nil {
		return out, err
	}
	if !initproc.HasEnv(p.Env, "HOME") {
		out.Home, err = j.rb.Home(p.UID)
	}
	return out, err
}

// openTerminal makes the pty and /dev/console.
func (j *buildJob) openTerminal(out *Built) (err error) {
	if out.Master, out.Peer, err = j.rb.Console(); err != nil {
		return err
	}
	out.PtyName = out.Peer.Name()
	if err := handover.SetConsoleSize(out.Master, j.Config.Process.ConsoleSize); err != nil {
		return fmt.Errorf("process.consoleSize: %w", err)
	}
	return nil
}

// close releases what the phases hold.
func (j *buildJob) close() {
	if j.rb != nil {
		_ = j.rb.Close()
	}
	j.closeTrees()
	if j.opener != nil {
		j.opener.Close()
		j.opener = nil
	}
}

func (j *buildJob) closeTrees() {
	for _, f := range j.trees {
		if f != nil {
			_ = f.Close()
		}
	}
	j.trees = nil
}

// hasMountType reports whether a mount has one of the types.
func hasMountType(mounts []configs.Mount, types ...string) bool {
	for i := range mounts {
		for _, t := range types {
			if mounts[i].Type == t {
				return true
			}
		}
	}
	return false
}
