// SPDX-License-Identifier: Apache-2.0

// Package builder is the runtime's side of building a root file system. It sends the
// builder, a thread or a process, into the container's namespaces, opens in advance what the builder has no
// right to open, and answers its requests. What the builder does there is in package rootfs.
package builder

import (
	"os"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/trace"
	"github.com/berth-run/berth/nsenter"
)

// Builder builds the root file system from inside the container's namespaces, in two
// phases with room for hooks between them:
//
//	runtime                        builder
//	Start
//	(cgroup limits, filter)
//	Mount                   →      job.mount
//	                        ←      mounted
//	hooks
//	Finish                  →      job.enter
//	                        ←      built
//
// It is the calling thread, which enters the namespaces for each phase and returns. If there is
// a user namespace, which a thread of a multithreaded process cannot enter, it is a process of
// its own that runs the same job. That process is started by Start, and begins with the first
// phase at once.
type Builder interface {
	// Mount runs the first phase, or waits for its end.
	Mount() error
	// Finish runs the second phase. The result belongs to the caller, even with an error.
	Finish() (*Built, error)
	// Abort ends the builder, whatever phase it is in.
	Abort()
}

// Site is what a builder needs to know about the container that is being created.
type Site struct {
	Config *configs.Config
	Init   *nsenter.Init
	// Within holds init's namespaces. A builder process asks init for them.
	Within *InitNamespaces
	Cgroup cgroups.Manager
	// OwnTree means that init is in a mount namespace of [NewMountNamespace].
	OwnTree bool
	// Limited is closed when the limits of the cgroup are set.
	Limited <-chan struct{}
	// ProcContexts are for a pid namespace that is joined. They belong to the builder.
	ProcContexts []*os.File
	// Entered is called when init is in its namespaces, before anything is mounted.
	Entered func() error
	// Describe explains an error from init.
	Describe func(error) error
	Trace    *trace.Trace
}

// Start starts the kind of builder that the container needs.
func Start(s *Site) Builder {
	job := newBuildJob(s)
	if s.Config.Namespaces.Contains(configs.NewUser) {
		return traced(startProcessBuilder(s, job), s.Trace)
	}
	return traced(newThreadBuilder(s, job), s.Trace)
}

// InitNamespaces holds the namespaces of an init, for other processes to join.
type InitNamespaces struct {
	Init  *nsenter.Init
	Kinds configs.NamespaceType // those of the plan
	// files holds the namespaces by CLONE_NEW* flag, if init was asked for them.
	files map[uint32]*os.File
}

// Joins returns the joins for those of the kinds that there are: all at once through init's
// pidfd or, if that needs the right to trace init, through the files that init has sent.
func (n *InitNamespaces) Joins(kinds configs.NamespaceType) []nsenter.Join {
	kinds &= n.Kinds
	if n.files == nil {
		if kinds == 0 {
			return nil
		}
		return []nsenter.Join{{Type: uint32(kinds), FD: n.Init.PIDFD}}
	}
	var joins []nsenter.Join
	for _, t := range configs.NamespaceTypes() {
		if f := n.files[uint32(t)]; f != nil && kinds&t != 0 {
			joins = append(joins, nsenter.Join{Type: uint32(t), FD: f})
		}
	}
	return joins
}

// Close closes the files.
func (n *InitNamespaces) Close() {
	if n == nil {
		return
	}
	for _, f := range n.files {
		_ = f.Close()
	}
}

// Built is the result of the builder.
type Built struct {
	// Chroot is the directory for init to chroot into; nil after pivot_root.
	Chroot *os.File
	// Master and peer are the ends of the pty; nil without a terminal.
	Master, Peer *os.File
	// PtyName is the pty's path in the container, for the receiver of master.
	PtyName string
	// Ruleset is a Landlock ruleset; nil for none.
	Ruleset *os.File
	// Home is the user's home directory; "" if HOME is set already.
	Home string
}

// Close closes all files. It may be called on nil.
func (b *Built) Close() {
	if b == nil {
		return
	}
	for _, f := range []*os.File{b.Chroot, b.Master, b.Peer, b.Ruleset} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// Kinds are the namespaces that matter to the builder because of what it mounts and sets. The
// pid namespace does not (a procfs context comes from init), and a thread of a multithreaded
// process cannot join a time or user namespace.
const Kinds = configs.NewMount | configs.NewNet | configs.NewIPC | configs.NewUTS | configs.NewCgroup
