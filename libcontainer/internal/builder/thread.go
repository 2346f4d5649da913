// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// threadBuilder is a builder that is a thread of this process.
type threadBuilder struct {
	site *Site
	job  *buildJob
	// inside runs a function in the container's namespaces.
	inside func(f func() error) error
	// end releases what inside holds.
	end func()
}

func newThreadBuilder(s *Site, job *buildJob) *threadBuilder {
	b := &threadBuilder{site: s, job: job}
	if userns.Inside() {
		// The host's namespaces may belong to a user namespace above, in which this process has
		// no rights: a thread that leaves them cannot return.
		t := &stayingThread{site: s}
		b.inside, b.end = t.do, t.end
		return b
	}
	v := &visit{init: s.Init, kinds: s.Config.Namespaces.Types() & Kinds}
	b.inside, b.end = v.do, v.end
	copyUp := job.copyUp
	job.copyUp = func(from, to *os.File, owner bool) error {
		return v.outside(func() error { return copyUp(from, to, owner) })
	}
	return b
}

func (b *threadBuilder) Mount() error {
	inside, err := b.site.Init.Namespaces()
	if err != nil {
		return b.site.Describe(err)
	}
	if err := b.job.openTrees(b.site.Init.PID, b.site.Init.PIDFD); err != nil {
		return errors.Join(err, inside.Close())
	}
	return b.inside(func() error {
		if b.job.opener != nil {
			b.job.openSource = b.job.opener.openInOrder // this thread is in the right mount namespace
		}
		return b.job.mount(append(inside.ProcContexts, b.site.ProcContexts...))
	})
}

func (b *threadBuilder) Finish() (built *Built, err error) {
	err = b.inside(func() error {
		built, err = b.job.enter()
		return err
	})
	b.Abort()
	return built, err
}

func (b *threadBuilder) Abort() {
	b.job.close()
	b.end()
}

// joinAsBuilder moves the calling thread into init's namespaces.
func joinAsBuilder(init *nsenter.Init, kinds configs.NamespaceType) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare(CLONE_FS): %w", err)
	}
	return setnsInit(init, kinds)
}

func setnsInit(init *nsenter.Init, kinds configs.NamespaceType) error {
	if kinds == 0 {
		return nil
	}
	if err := unix.Setns(int(init.PIDFD.Fd()), int(kinds)); err != nil {
		return fmt.Errorf("setns to init's namespaces: %w", err)
	}
	return nil
}

// A visit lets the calling goroutine's thread work in init's namespaces, and brings it back. That
// spares two threads that wait for each other: on a busy machine each handover waits for a CPU,
// and even an idle CPU takes 20 to 60 µs to wake up.
//
// The thread may be the first of the process, to which /proc/self refers. So nothing else may
// look there during a visit, and whatever needs another thread runs outside.
type visit struct {
	init  *nsenter.Init
	kinds configs.NamespaceType
	// home is the way back: the root directory, the working directory and, from firstNamespace
	// on, the namespaces; nil before the first visit.
	home  []int
	umask int
}

const firstNamespace = 2

// do runs f in the namespaces.
func (v *visit) do(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := v.enter(); err != nil {
		return err
	}
	defer v.leave()
	return f()
}

// outside runs f at home. It is for use during do.
func (v *visit) outside(f func() error) error {
	v.leave()
	err := f()
	return errors.Join(err, v.enter())
}

// prepare opens the way back.
func (v *visit) prepare() error {
	paths := []string{"/", "."}
	for _, kind := range configs.NamespaceTypes() {
		if v.kinds&kind != 0 {
			paths = append(paths, "/proc/thread-self/ns/"+kind.ProcName())
		}
	}
	for i, path := range paths {
		flags := unix.O_RDONLY | unix.O_CLOEXEC
		if i < firstNamespace {
			flags |= unix.O_PATH
		}
		fd, err := unix.Open(path, flags, 0)
		if err != nil {
			v.end()
			return &os.PathError{Op: "open", Path: path, Err: err}
		}
		v.home = append(v.home, fd)
	}
	return nil
}

func (v *visit) enter() error {
	if v.home == nil {
		if err := v.prepare(); err != nil {
			return err
		}
	}
	// Again each time: threads that were started meanwhile share them with this one.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return os.NewSyscallError("unshare(CLONE_FS)", err)
	}
	if err := setnsInit(v.init, v.kinds); err != nil {
		return err // none of them
	}
	v.umask = unix.Umask(0)
	return nil
}

// leave returns the thread. Nothing that this process still has to do may be done elsewhere, what it
// has to undo least of all, and it has had the right to enter. So it panics if that fails.
func (v *visit) leave() {
	fail := func(err error) {
		if err != nil {
			panic(fmt.Sprintf("builder: cannot return to the host's namespaces: %v", err))
		}
	}
	for _, fd := range v.home[firstNamespace:] {
		fail(unix.Setns(fd, 0))
	}
	// setns makes the root of the mount namespace the root directory, and the fallbacks for
	// containers without a mount namespace of their own chroot.
	fail(unix.Fchdir(v.home[0]))
	fail(unix.Chroot("."))
	fail(unix.Fchdir(v.home[1]))
	unix.Umask(v.umask)
}

func (v *visit) end() {
	for _, fd := range v.home {
		_ = unix.Close(fd)
	}
	v.home = nil
}

// stayingThread is a thread that enters init's namespaces and ends there, so that no other Go code
// ever runs in them.
type stayingThread struct {
	site *Site
	work chan func() error
	done chan error
}

// do runs f on the thread.
func (t *stayingThread) do(f func() error) error {
	if t.work == nil {
		t.work, t.done = make(chan func() error), make(chan error)
		osthread.Go(t.run)
		if err := <-t.done; err != nil {
			return err
		}
	}
	t.work <- f
	return <-t.done
}

func (t *stayingThread) run() {
	t.done <- joinAsBuilder(t.site.Init, t.site.Config.Namespaces.Types()&Kinds)
	for f := range t.work {
		t.done <- f()
	}
}

func (t *stayingThread) end() {
	if t.work != nil {
		close(t.work)
		t.work = nil
	}
}
