// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// notifyAll returns a filter that notifies the agent of every system call.
func notifyAll() []byte {
	out := binary.NativeEndian.AppendUint16(nil, unix.BPF_RET|unix.BPF_K)
	out = append(out, 0, 0)
	return binary.NativeEndian.AppendUint32(out, unix.SECCOMP_RET_USER_NOTIF)
}

// proceed is an agent's answer that lets the call continue. Other answers are errnos.
const proceed = unix.Errno(0)

// agent answers the notifications of a listener (seccomp_unotify(2)).
type agent struct {
	t      testing.TB
	answer func(nr uint32) unix.Errno
	served sync.WaitGroup
	mu     sync.Mutex
	asked  []uint32
}

// newAgent returns an agent for processes that the test starts afterwards, and which therefore
// end before the agent.
func newAgent(t testing.TB, answer func(nr uint32) unix.Errno) *agent {
	a := &agent{t: t, answer: answer}
	t.Cleanup(a.served.Wait)
	return a
}

// listen is a Plan.Listener: it serves a copy of the listener until all filtered processes have
// ended.
func (a *agent) listen(listener *os.File) error {
	fd, err := unix.FcntlInt(listener.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	a.served.Add(1)
	go func() {
		defer a.served.Done()
		defer unix.Close(fd)
		a.serve(fd)
	}()
	return nil
}

func (a *agent) serve(fd int) {
	const receive, send = 0xc0502100, 0xc0182101
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); errors.Is(err, unix.EINTR) {
			continue
		} else if err != nil || fds[0].Revents&unix.POLLIN == 0 {
			return
		}
		var request [80]byte
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), receive, uintptr(unsafe.Pointer(&request)))
		if errno != 0 {
			continue // killed in the meantime
		}
		nr := binary.NativeEndian.Uint32(request[16:])
		a.mu.Lock()
		a.asked = append(a.asked, nr)
		a.mu.Unlock()
		var response [24]byte
		copy(response[:8], request[:8])
		if e := a.answer(nr); e == proceed {
			binary.NativeEndian.PutUint32(response[20:], unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		} else {
			binary.NativeEndian.PutUint32(response[16:], uint32(-int32(e)))
		}
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), send, uintptr(unsafe.Pointer(&response)))
		if errno != 0 && errno != unix.ENOENT {
			a.t.Errorf("answer for %d: %v", nr, errno)
		}
	}
}

// numbers returns the system calls that the agent was notified of.
func (a *agent) numbers() []uint32 {
	a.served.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.asked)
}

// notifying adds a filter that notifies to a plan.
func notifying(p *Plan, filter []byte, hand func(*os.File) error) *Plan {
	p.Seccomp, p.SeccompFlags = filter, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	p.Listener = hand
	return p
}

// onListenerWays runs f for each order of filter and capabilities, and each way into a pid
// namespace: init is the first process of a new one, stays in the present one, or joins one.
func onListenerWays(t *testing.T, f func(t *testing.T, nnp bool, o *Options)) {
	requireInit(t)
	for way, options := range map[string]func(t *testing.T) *Options{
		"first":   func(*testing.T) *Options { return &Options{NewNamespaces: allNew} },
		"another": func(*testing.T) *Options { return &Options{NewNamespaces: allNew &^ unix.CLONE_NEWPID} },
		"joins": func(t *testing.T) *Options {
			joins := []Join{{Type: unix.CLONE_NEWPID | unix.CLONE_NEWNS, FD: container(t, allNew).PIDFD}}
			return &Options{Joins: joins}
		},
	} {
		for order, nnp := range map[string]bool{"capabilities": false, "no_new_privs": true} {
			t.Run(way+", "+order, func(t *testing.T) {
				checkLeaks(t)
				o := options(t)
				o.Notifies = true
				f(t, nnp, o)
			})
		}
	}
}

func TestListener(t *testing.T) {
	onListenerWays(t, func(t *testing.T, nnp bool, o *Options) {
		a := newAgent(t, func(uint32) unix.Errno { return unix.EXDEV })
		p := notifying(shell(t, "uname 2>&1; readlink /proc/self/fd/*; true"), filter(unix.SYS_UNAME, unix.SECCOMP_RET_USER_NOTIF), a.listen)
		p.NoNewPrivileges = nnp
		out := run(t, o, p)
		if !strings.Contains(out, "ross-device link") || strings.Contains(out, "seccomp") {
			t.Errorf("output %q", out)
		}
		if got := a.numbers(); !slices.Equal(got, []uint32{unix.SYS_UNAME}) {
			t.Errorf("asked about %v", got)
		}
	})
}

// An agent is notified of everything that init does from loading the filter to the exec.
func TestListenerOfEveryCall(t *testing.T) {
	onListenerWays(t, func(t *testing.T, nnp bool, o *Options) {
		a := newAgent(t, func(uint32) unix.Errno { return proceed })
		p := notifying(shell(t, "echo done"), notifyAll(), a.listen)
		p.NoNewPrivileges = nnp
		if out := run(t, o, p); out != "done" {
			t.Errorf("output %q", out)
		}
		asked := a.numbers()
		want := []uint32{unix.SYS_WRITE, unix.SYS_READ, unix.SYS_EXECVE, unix.SYS_EXIT_GROUP}
		if !nnp && len(o.Joins) == 0 {
			want = append(want, unix.SYS_CAPSET, unix.SYS_PRCTL)
		}
		for _, nr := range want {
			if !slices.Contains(asked, nr) {
				t.Errorf("not asked about %d, but about %v", nr, asked)
			}
		}
	})
}

// Neither the runtime nor init keeps a copy of the listener, so the kernel knows when nobody can
// answer any more.
func TestListenerIsDropped(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := notifying(shell(t, "uname 2>&1"), filter(unix.SYS_UNAME, unix.SECCOMP_RET_USER_NOTIF),
		func(*os.File) error { return nil })
	p.Args[2] += " || true"
	if out := run(t, &Options{NewNamespaces: allNew, Notifies: true}, p); !strings.Contains(out, "not implemented") {
		t.Errorf("output %q", out)
	}
	p = notifying(rootPlan(t, "true"), filter(unix.SYS_WRITE, unix.SECCOMP_RET_USER_NOTIF),
		func(*os.File) error { return nil })
	i := start(t, &Options{NewNamespaces: allNew, Notifies: true})
	within(t, "Configure", func() {
		if err := i.Configure(p); !errors.Is(err, ErrInitGone) {
			t.Errorf("Configure: %v, want %v", err, ErrInitGone)
		}
	})
}

// If an agent refuses what init needs, init ends.
func TestListenerRefusesInit(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	for name, answer := range map[string]func(uint32) unix.Errno{
		"write": func(nr uint32) unix.Errno {
			if nr == unix.SYS_WRITE {
				return unix.EPERM
			}
			return proceed
		},
		"all": func(uint32) unix.Errno { return unix.EPERM },
	} {
		t.Run(name, func(t *testing.T) {
			a := newAgent(t, answer)
			p := notifying(rootPlan(t, "true"), notifyAll(), a.listen)
			p.NoNewPrivileges = true
			i := start(t, &Options{NewNamespaces: allNew, Notifies: true})
			within(t, "Configure", func() {
				if err := i.Configure(p); !errors.Is(err, ErrInitGone) {
					t.Errorf("Configure: %v, want %v", err, ErrInitGone)
				}
			})
		})
	}
}

// A caller that has waited too long for an agent kills init.
func TestListenerNeverAnswers(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	listening := make(chan *os.File, 1)
	p := notifying(rootPlan(t, "true"), notifyAll(), func(f *os.File) error {
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		listening <- os.NewFile(uintptr(fd), "agent's listener")
		return err
	})
	i := start(t, &Options{NewNamespaces: allNew, Notifies: true})
	aborted := make(chan struct{})
	go func() {
		defer close(aborted)
		f := <-listening
		defer f.Close()
		// Init asks, and gets no answer.
		fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
		for n, _ := unix.Poll(fds, -1); n < 1; n, _ = unix.Poll(fds, -1) {
			continue
		}
		if err := i.Abort(); err != nil {
			t.Error(err)
		}
	}()
	within(t, "Configure", func() {
		if err := i.Configure(p); !errors.Is(err, ErrInitGone) {
			t.Errorf("Configure: %v, want %v", err, ErrInitGone)
		}
		<-aborted
	})
}

func TestListenerFails(t *testing.T) {
	onListenerWays(t, func(t *testing.T, nnp bool, o *Options) {
		p := notifying(rootPlan(t, "true"), notifyAll(), func(*os.File) error { return io.ErrNoProgress })
		p.NoNewPrivileges = nnp
		i := start(t, o)
		if err := i.Configure(p); !errors.Is(err, io.ErrNoProgress) {
			t.Errorf("Configure: %v", err)
		}
	})
	onListenerWays(t, func(t *testing.T, nnp bool, o *Options) {
		p := notifying(rootPlan(t, "true"), []byte{0xff, 0xff, 0, 0, 0, 0, 0, 0}, func(*os.File) error {
			t.Error("there is no listener to hand over")
			return nil
		})
		p.NoNewPrivileges = nnp
		if step := configureError(t, o, p); step.Error() != "load seccomp filter: invalid argument" {
			t.Errorf("error %v", step)
		}
	})
}

// With a filter that forbids write, init cannot report "ready".
func TestSeccompForbidsWrite(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := rootPlan(t, "true")
	p.NoNewPrivileges, p.Seccomp = true, filter(unix.SYS_WRITE, refuse(unix.EPERM))
	i := start(t, &Options{NewNamespaces: allNew, Notifies: true})
	within(t, "Configure", func() {
		if err := i.Configure(p); !errors.Is(err, ErrInitGone) {
			t.Errorf("Configure: %v, want %v", err, ErrInitGone)
		}
	})
}

func TestPlanListener(t *testing.T) {
	p := &Plan{Args: []string{"a"}, Cwd: "/", Seccomp: notifyAll(), SeccompFlags: unix.SECCOMP_FILTER_FLAG_NEW_LISTENER}
	if _, err := p.encode(false); err == nil {
		t.Error("a filter that notifies nobody was accepted")
	}
	p.SeccompFlags, p.Listener = 0, func(*os.File) error { return nil }
	if _, err := p.encode(false); err == nil {
		t.Error("a listener without a filter that notifies was accepted")
	}
}
