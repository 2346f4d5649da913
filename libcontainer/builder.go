// SPDX-License-Identifier: Apache-2.0

package libcontainer

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

// builder builds the root file system from inside the container's namespaces, in two
// phases with room for hooks between them:
//
//	runtime                        builder
//	start                   →      job.mount
//	(cgroup limits, filter)
//	waitMounted             ←      mounted
//	hooks
//	finish                  →      job.enter
//	                        ←      built
//
// It is a thread of this process, or, when there is a user namespace, which no thread
// of many may enter, a process of its own that runs the same job.
type builder interface {
	// waitMounted waits for the first phase.
	waitMounted() error
	// finish lets the second phase run and waits for it. The result is the
	// caller's, also when there is an error.
	finish() (*built, error)
	// abort ends the builder, whatever phase it is in.
	abort()
}

// site is what a builder needs of the container that is being made.
type site struct {
	config *configs.Config
	init   *nsenter.Init
	// within are init's namespaces; a builder process asks init for them.
	within *initNamespaces
	cgroup cgroups.Manager
	// limited is closed when the limits of the cgroup are set.
	limited <-chan struct{}
	// procContexts are of a pid namespace that is joined. They are the builder's.
	procContexts []*os.File
	// waits says that something is to be done between the two phases.
	waits bool
	// entered is called when init is in its namespaces, before anything is mounted.
	entered func() error
	// describe explains an error of init's.
	describe func(error) error
	log      options.Logger
}

// startBuilder starts the kind of builder that the container needs.
func startBuilder(s *site) builder {
	job := newBuildJob(s)
	if s.config.Namespaces.Contains(configs.NewUser) {
		return startProcessBuilder(s, job)
	}
	return startThreadBuilder(s, job)
}

// initNamespaces are the namespaces of an init, for other processes to join.
type initNamespaces struct {
	init  *nsenter.Init
	kinds configs.NamespaceType // those of the plan
	// files are the namespaces by CLONE_NEW* flag, when init was asked for them.
	files map[uint32]*os.File
}

// joins are those of the kinds that there are: at once by init's pidfd, or, where that takes
// the right to trace init, by the files that init has sent.
func (n *initNamespaces) joins(kinds configs.NamespaceType) []nsenter.Join {
	kinds &= n.kinds
	if n.files == nil {
		if kinds == 0 {
			return nil
		}
		return []nsenter.Join{{Type: uint32(kinds), FD: n.init.PIDFD}}
	}
	var joins []nsenter.Join
	for _, t := range configs.NamespaceTypes() {
		if f := n.files[uint32(t)]; f != nil && kinds&t != 0 {
			joins = append(joins, nsenter.Join{Type: uint32(t), FD: f})
		}
	}
	return joins
}

// close closes the files.
func (n *initNamespaces) close() {
	if n == nil {
		return
	}
	for _, f := range n.files {
		_ = f.Close()
	}
}

// built is what the builder leaves.
type built struct {
	// chroot is the directory for init to chroot into; nil after pivot_root.
	chroot *os.File
	// master and peer are the ends of the pty; nil without a terminal.
	master, peer *os.File
	// ptyName is the pty's path in the container, for the receiver of master.
	ptyName string
	// ruleset is of Landlock; nil for none.
	ruleset *os.File
	// home is the user's home directory, "" when HOME is set already.
	home string
}

func (b *built) close() {
	if b == nil {
		return
	}
	for _, f := range []*os.File{b.chroot, b.master, b.peer, b.ruleset} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// threadBuilder is a builder on a locked OS thread. The thread is nobody
// else's and dies with it, so its namespaces are never seen by other Go code.
type threadBuilder struct {
	site    *site
	job     *buildJob
	mounted chan error
	proceed chan bool
	done    chan buildResult
}

type buildResult struct {
	built *built
	err   error
}

func startThreadBuilder(s *site, job *buildJob) *threadBuilder {
	b := &threadBuilder{
		site: s, job: job,
		mounted: make(chan error, 1),
		proceed: make(chan bool, 1),
		done:    make(chan buildResult, 1),
	}
	if !s.waits {
		b.proceed <- true // nothing to wait for between the mounts and the pivot
	}
	osthread.Go(b.run)
	return b
}

func (b *threadBuilder) waitMounted() error { return <-b.mounted }

func (b *threadBuilder) finish() (*built, error) {
	b.tell(true)
	r := <-b.done
	return r.built, r.err
}

func (b *threadBuilder) abort() {
	b.tell(false)
	r := <-b.done
	r.built.close()
}

// tell lets the second phase begin or skips it; a builder that had no hooks to wait
// for has its word already.
func (b *threadBuilder) tell(proceed bool) {
	select {
	case b.proceed <- proceed:
	default:
	}
}

// run is the builder thread's whole life.
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
	inside, err := b.site.init.Namespaces()
	if err != nil {
		return b.site.describe(err)
	}
	if err := b.job.openTrees(b.site.init.PID, b.site.init.PIDFD); err != nil {
		return errors.Join(err, inside.Close())
	}
	if err := joinAsBuilder(b.site.init, b.site.config.Namespaces); err != nil {
		return err
	}
	if b.job.opener != nil {
		b.job.openSource = b.job.opener.openInOrder // this thread is where the mounts are
	}
	return b.job.mount(append(inside.ProcContexts, b.site.procContexts...), b.site.log.Warnf)
}

// builderNamespaces are the kinds that matter to the builder: those of what it mounts
// and sets. The pid namespace does not (a procfs context comes from init), and time
// and user namespaces cannot be joined by a thread of many.
const builderNamespaces = configs.NewMount | configs.NewNet | configs.NewIPC | configs.NewUTS | configs.NewCgroup

// joinAsBuilder moves the calling thread into init's namespaces.
func joinAsBuilder(init *nsenter.Init, list configs.Namespaces) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare(CLONE_FS): %w", err)
	}
	flags := list.Types() & builderNamespaces
	if flags == 0 {
		return nil
	}
	if err := unix.Setns(int(init.PIDFD.Fd()), int(flags)); err != nil {
		return fmt.Errorf("setns to init's namespaces: %w", err)
	}
	return nil
}
