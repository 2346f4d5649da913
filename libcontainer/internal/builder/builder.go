// SPDX-License-Identifier: Apache-2.0

// Package builder is the runtime's side of building a root file system. It starts the builder,
// a thread or a process in the container's namespaces, opens in advance what the builder has no
// right to open, and answers its requests. What the builder does there is in package rootfs.
package builder

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"github.com/berth-run/berth/libcontainer/trace"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// Builder builds the root file system from inside the container's namespaces, in two
// phases with room for hooks between them:
//
//	runtime                        builder
//	start                   →      job.mount
//	(cgroup limits, filter)
//	WaitMounted             ←      mounted
//	hooks
//	finish                  →      job.enter
//	                        ←      built
//
// It is a thread of this process. If there is a user namespace, which a thread of a
// multithreaded process cannot enter, it is a process of its own that runs the same job.
type Builder interface {
	// WaitMounted waits for the first phase.
	WaitMounted() error
	// Finish lets the second phase run and waits for it. The result belongs to the caller, even
	// with an error.
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
	// Limited is closed when the limits of the cgroup are set.
	Limited <-chan struct{}
	// ProcContexts are for a pid namespace that is joined. They belong to the builder.
	ProcContexts []*os.File
	// Waits is set if there is something to do between the two phases.
	Waits bool
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
	return traced(startThreadBuilder(s, job), s.Trace)
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

// threadBuilder is a builder on a locked OS thread. The thread ends with the builder, so that
// no other Go code ever runs in its namespaces.
type threadBuilder struct {
	site    *Site
	job     *buildJob
	mounted chan error
	proceed chan bool
	done    chan buildResult
}

type buildResult struct {
	built *Built
	err   error
}

func startThreadBuilder(s *Site, job *buildJob) *threadBuilder {
	b := &threadBuilder{
		site: s, job: job,
		mounted: make(chan error, 1),
		proceed: make(chan bool, 1),
		done:    make(chan buildResult, 1),
	}
	if !s.Waits {
		b.proceed <- true // nothing to wait for between the mounts and the pivot
	}
	osthread.Go(b.run)
	return b
}

func (b *threadBuilder) WaitMounted() error { return <-b.mounted }

func (b *threadBuilder) Finish() (*Built, error) {
	b.decide(true)
	r := <-b.done
	return r.built, r.err
}

func (b *threadBuilder) Abort() {
	b.decide(false)
	r := <-b.done
	r.built.Close()
}

// decide lets the second phase begin or skips it. A builder that had no hooks to wait for has
// been told already.
func (b *threadBuilder) decide(proceed bool) {
	select {
	case b.proceed <- proceed:
	default:
	}
}

// run is the body of the builder thread.
func (b *threadBuilder) run() {
	defer b.job.close()
	err := b.mount()
	b.mounted <- err
	span := b.job.track.Begin("wait for the runtime")
	if err != nil || !<-b.proceed {
		b.done <- buildResult{}
		return
	}
	_ = span.End(nil)
	res, err := b.job.enter()
	b.done <- buildResult{res, err}
}

// mount joins the container's namespaces and runs the first phase.
func (b *threadBuilder) mount() error {
	span := b.job.track.Begin("wait for init in its namespaces")
	inside, err := b.site.Init.Namespaces()
	if span.End(err) != nil {
		return b.site.Describe(err)
	}
	if err := b.job.openTrees(b.site.Init.PID, b.site.Init.PIDFD); err != nil {
		return errors.Join(err, inside.Close())
	}
	span = b.job.track.Begin("join the namespaces of init")
	if err := span.End(joinAsBuilder(b.site.Init, b.site.Config.Namespaces)); err != nil {
		return err
	}
	if b.job.opener != nil {
		b.job.openSource = b.job.opener.openInOrder // this thread is in the right mount namespace
	}
	return b.job.mount(append(inside.ProcContexts, b.site.ProcContexts...))
}

// Kinds are the namespaces that matter to the builder because of what it mounts and sets. The
// pid namespace does not (a procfs context comes from init), and a thread of a multithreaded
// process cannot join a time or user namespace.
const Kinds = configs.NewMount | configs.NewNet | configs.NewIPC | configs.NewUTS | configs.NewCgroup

// joinAsBuilder moves the calling thread into init's namespaces.
func joinAsBuilder(init *nsenter.Init, list configs.Namespaces) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare(CLONE_FS): %w", err)
	}
	flags := list.Types() & Kinds
	if flags == 0 {
		return nil
	}
	if err := unix.Setns(int(init.PIDFD.Fd()), int(flags)); err != nil {
		return fmt.Errorf("setns to init's namespaces: %w", err)
	}
	return nil
}
