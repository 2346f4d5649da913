// SPDX-License-Identifier: Apache-2.0

// Package builder is the runtime's side of building a root file system: it starts the builder,
// a thread or a process in the container's namespaces, opens beforehand what that has no right
// to, and answers what it asks for. What the builder does there is package rootfs's.
package builder

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"github.com/berth-run/berth/libcontainer/options"
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
// It is a thread of this process, or, when there is a user namespace, which no thread
// of many may enter, a process of its own that runs the same job.
type Builder interface {
	// WaitMounted waits for the first phase.
	WaitMounted() error
	// Finish lets the second phase run and waits for it. The result is the
	// caller's, also when there is an error.
	Finish() (*Built, error)
	// Abort ends the builder, whatever phase it is in.
	Abort()
}

// Site is what a builder needs of the container that is being made.
type Site struct {
	Config *configs.Config
	Init   *nsenter.Init
	// Within are init's namespaces; a builder process asks init for them.
	Within *InitNamespaces
	Cgroup cgroups.Manager
	// Limited is closed when the limits of the cgroup are set.
	Limited <-chan struct{}
	// ProcContexts are of a pid namespace that is joined. They are the builder's.
	ProcContexts []*os.File
	// Waits says that something is to be done between the two phases.
	Waits bool
	// Entered is called when init is in its namespaces, before anything is mounted.
	Entered func() error
	// Describe explains an error of init's.
	Describe func(error) error
	Log      options.Logger
}

// Start starts the kind of builder that the container needs.
func Start(s *Site) Builder {
	job := newBuildJob(s)
	if s.Config.Namespaces.Contains(configs.NewUser) {
		return startProcessBuilder(s, job)
	}
	return startThreadBuilder(s, job)
}

// InitNamespaces are the namespaces of an init, for other processes to join.
type InitNamespaces struct {
	Init  *nsenter.Init
	Kinds configs.NamespaceType // those of the plan
	// files are the namespaces by CLONE_NEW* flag, when init was asked for them.
	files map[uint32]*os.File
}

// Joins are those of the kinds that there are: at once by init's pidfd, or, where that takes
// the right to trace init, by the files that init has sent.
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

// Built is what the builder leaves.
type Built struct {
	// Chroot is the directory for init to chroot into; nil after pivot_root.
	Chroot *os.File
	// Master and peer are the ends of the pty; nil without a terminal.
	Master, Peer *os.File
	// PtyName is the pty's path in the container, for the receiver of master.
	PtyName string
	// Ruleset is of Landlock; nil for none.
	Ruleset *os.File
	// Home is the user's home directory, "" when HOME is set already.
	Home string
}

// Close closes all files; nil has none.
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

// threadBuilder is a builder on a locked OS thread. The thread is nobody
// else's and dies with it, so its namespaces are never seen by other Go code.
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
	b.tell(true)
	r := <-b.done
	return r.built, r.err
}

func (b *threadBuilder) Abort() {
	b.tell(false)
	r := <-b.done
	r.built.Close()
}

// tell lets the second phase begin or skips it; a builder that had no hooks to wait
// for has its word already.
func (b *threadBuilder) tell(proceed bool) {
	select {
	case b.proceed <- proceed:
	default:
	}
}

// Run is the builder thread's whole life.
func (b *threadBuilder) run() {
	defer b.job.close()
	err := b.mount()
	b.mounted <- err
	if err != nil || !<-b.proceed {
		b.done <- buildResult{}
		return
	}
	res, err := b.job.enter()
	b.done <- buildResult{res, err}
}

// mount joins the container's namespaces and does the first phase.
func (b *threadBuilder) mount() error {
	inside, err := b.site.Init.Namespaces()
	if err != nil {
		return b.site.Describe(err)
	}
	if err := b.job.openTrees(b.site.Init.PID, b.site.Init.PIDFD); err != nil {
		return errors.Join(err, inside.Close())
	}
	if err := joinAsBuilder(b.site.Init, b.site.Config.Namespaces); err != nil {
		return err
	}
	if b.job.opener != nil {
		b.job.openSource = b.job.opener.openInOrder // this thread is where the mounts are
	}
	return b.job.mount(append(inside.ProcContexts, b.site.ProcContexts...), b.site.Log.Warnf)
}

// Kinds are the kinds that matter to the builder: those of what it mounts
// and sets. The pid namespace does not (a procfs context comes from init), and time
// and user namespaces cannot be joined by a thread of many.
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
