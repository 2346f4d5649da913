// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
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
	// root returns the root of the mount namespace; nil if it is the root directory of the thread.
	root func() *os.File
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
		b.root = func() *os.File { return nil }
		return b
	}
	v := newVisit(s.Init, s.Config.Namespaces.Types()&Kinds)
	b.inside, b.end = v.do, v.end
	if s.OwnTree {
		v.ownTree, job.onHost = true, v.onHost
	}
	b.root = func() *os.File { return v.root }
	copyUp := job.copyUp
	job.copyUp = func(from, to *os.File, owner bool) error {
		return v.outside(func() error { return copyUp(from, to, owner) })
	}
	return b
}

func (b *threadBuilder) Mount() error {
	span := b.job.track.Begin("wait for init in its namespaces")
	inside, err := b.site.Init.Namespaces()
	if span.End(err) != nil {
		return b.site.Describe(err)
	}
	if err := b.job.openTrees(b.site.Init.PID, b.site.Init.PIDFD); err != nil {
		return errors.Join(err, inside.Close())
	}
	contexts, begun := append(inside.ProcContexts, b.site.ProcContexts...), false
	err = b.inside(func() error {
		if b.job.opener != nil {
			b.job.openSource = b.job.opener.openInOrder // this thread is in the right mount namespace
		}
		b.job.root = b.root()
		begun = true // which takes ownership of the contexts
		return b.job.mount(contexts)
	})
	if !begun {
		for _, f := range contexts {
			err = errors.Join(err, f.Close())
		}
	}
	return err
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
	// namespaces are those of the host; nil before the first visit.
	namespaces []int
	// home is where the thread was on the host, and there is where it was in the namespaces when it
	// left them: that can be below the mount that the builder has made on "/", and setns would
	// begin in that mount.
	home, there directories
	umask       int
	// ownTree is Site.OwnTree. Then the thread keeps the host's root directory, which is not in the
	// mount namespace.
	ownTree bool
	// root is the root of the mount namespace, if it is not the root directory of the thread.
	root *os.File
	// hostMounts is the mount namespace of the host, one of namespaces.
	hostMounts int
}

func newVisit(init *nsenter.Init, kinds configs.NamespaceType) *visit {
	return &visit{init: init, kinds: kinds, home: noDirectories, there: noDirectories}
}

// do runs f in the namespaces. If the error is an [*Astray], the thread is still there.
func (v *visit) do(f func() error) (err error) {
	runtime.LockOSThread()
	defer func() {
		// A goroutine that is astray stays alone on its thread.
		if !errors.As(err, new(*Astray)) {
			runtime.UnlockOSThread()
		}
	}()
	if err := v.enter(); err != nil {
		return err
	}
	err = f()
	return errors.Join(err, v.leave())
}

// Astray is the error of a thread that cannot return from a container's namespaces. Its goroutine
// must not use a path any more. Other goroutines run on other threads, and can.
type Astray struct{ cause error }

func (a *Astray) Error() string {
	return fmt.Sprintf("cannot return to the host's namespaces: %v", a.cause)
}

func (a *Astray) Unwrap() error { return a.cause }

// outside runs f at home. It is for use during do.
func (v *visit) outside(f func() error) error {
	if err := v.leave(); err != nil {
		return err
	}
	err := f()
	return errors.Join(err, v.enter())
}

// prepare opens the way back.
func (v *visit) prepare() (err error) {
	if v.home, err = openDirectories(); err != nil {
		return err
	}
	for _, kind := range configs.NamespaceTypes() {
		if v.kinds&kind == 0 {
			continue
		}
		path := "/proc/thread-self/ns/" + kind.ProcName()
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			v.end()
			return &os.PathError{Op: "open", Path: path, Err: err}
		}
		v.namespaces = append(v.namespaces, fd)
		if kind == configs.NewMount {
			v.hostMounts = fd
		}
	}
	return nil
}

func (v *visit) enter() error {
	if v.home == noDirectories {
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
	if v.there == noDirectories {
		if err := v.takeRoot(); err != nil {
			return errors.Join(err, v.leave())
		}
		return nil
	}
	if err := v.there.restore(); err != nil {
		return errors.Join(err, v.leave())
	}
	v.there.close()
	return nil
}

// takeRoot gives the thread, which setns has put into the root of the mount namespace, the root
// directory that it has on the host, so that paths of the config lead to the same files. That makes
// a difference if the runtime is in a chroot. Init is in it as well, but in the copy.
func (v *visit) takeRoot() error {
	if v.kinds&configs.NewMount == 0 {
		return nil
	}
	inits := "proc/" + strconv.Itoa(v.init.PID) + "/root"
	if !v.ownTree {
		init, err := mountapi.IdentifyAt(v.home.root, inits)
		if err != nil {
			return err
		}
		root, err := mountapi.IdentifyAt(unix.AT_FDCWD, "/")
		if err != nil || root.SameFile(init) {
			return err
		}
	}
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
	root, err := unix.Open("/", flags, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/", Err: err}
	}
	v.root = os.NewFile(uintptr(root), "/")
	if v.ownTree {
		return v.home.restore()
	}
	init, err := unix.Openat(v.home.root, inits, flags, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/" + inits, Err: err}
	}
	at := directories{root: init, cwd: init}
	err = at.restore()
	_ = unix.Close(init)
	return err
}

// onHost runs f in the mount namespace of the host. It is for use during do.
func (v *visit) onHost(f func() error) error {
	there, err := openDirectories()
	if err != nil {
		return err
	}
	defer there.close()
	if err := unix.Setns(v.hostMounts, unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("setns", err)
	}
	err = v.home.restore()
	if err == nil {
		err = f()
	}
	// If there is no way back to the container, that is an error, and leave goes on from here.
	err = errors.Join(err, setnsInit(v.init, configs.NewMount))
	return errors.Join(err, there.restore())
}

// leave returns the thread.
func (v *visit) leave() error {
	there, err := openDirectories()
	if err != nil {
		return &Astray{err}
	}
	v.there.close()
	v.there = there
	for _, fd := range v.namespaces {
		if err := unix.Setns(fd, 0); err != nil {
			return &Astray{os.NewSyscallError("setns", err)}
		}
	}
	// setns makes the root of the mount namespace the root directory, and the fallbacks for
	// containers without a mount namespace of their own chroot.
	if err := v.home.restore(); err != nil {
		return &Astray{err}
	}
	unix.Umask(v.umask)
	return nil
}

func (v *visit) end() {
	for _, fd := range v.namespaces {
		_ = unix.Close(fd)
	}
	v.namespaces = nil
	_ = v.root.Close() // which may be nil
	v.home.close()
	v.there.close()
}

// directories are the root and the working directory of a thread.
type directories struct{ root, cwd int }

var noDirectories = directories{-1, -1}

func openDirectories() (d directories, err error) {
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
	if d.root, err = unix.Open("/", flags, 0); err != nil {
		return noDirectories, &os.PathError{Op: "open", Path: "/", Err: err}
	}
	if d.cwd, err = unix.Open(".", flags, 0); err != nil {
		_ = unix.Close(d.root)
		return noDirectories, &os.PathError{Op: "open", Path: ".", Err: err}
	}
	return d, nil
}

func (d directories) restore() error {
	for _, step := range [...]struct {
		name string
		do   func() error
	}{
		{"fchdir", func() error { return unix.Fchdir(d.root) }},
		{"chroot", func() error { return unix.Chroot(".") }},
		{"fchdir", func() error { return unix.Fchdir(d.cwd) }},
	} {
		if err := step.do(); err != nil {
			return os.NewSyscallError(step.name, err)
		}
	}
	return nil
}

func (d *directories) close() {
	if *d != noDirectories {
		_, _ = unix.Close(d.root), unix.Close(d.cwd)
		*d = noDirectories
	}
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
