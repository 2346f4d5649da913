// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// childVariable marks a run of the test program as the child that loads the filter of one of
// loadCases: a filter cannot be removed again.
const childVariable = "SECCOMP_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		os.Exit(child(name))
	}
	os.Exit(m.Run())
}

// attempt is a system call under a filter, with its expected result.
type attempt struct {
	name string
	nr   uintptr
	args [3]uintptr
	want syscall.Errno
}

// loadCases are the filters to load. Without the filter, the calls would succeed, or return
// another error.
var loadCases = map[string]struct {
	profile  string
	attempts []attempt
}{
	"default": {"testdata/default.json", []attempt{
		{"getpid", unix.SYS_GETPID, [3]uintptr{}, 0},
		{"unshare", unix.SYS_UNSHARE, [3]uintptr{}, unix.EPERM},
		{"personality asks", unix.SYS_PERSONALITY, [3]uintptr{0xffffffff}, 0},
		{"personality sets", unix.SYS_PERSONALITY, [3]uintptr{0x1000000}, unix.EPERM},
		{"socket unix", unix.SYS_SOCKET, [3]uintptr{unix.AF_UNIX, unix.SOCK_STREAM, 0}, 0},
		{"socket vsock", unix.SYS_SOCKET, [3]uintptr{unix.AF_VSOCK, unix.SOCK_STREAM, 0}, unix.EPERM},
		{"clone with a namespace", unix.SYS_CLONE, [3]uintptr{unix.CLONE_NEWUTS | unix.CLONE_THREAD}, unix.EPERM},
		{"clone with bad flags", unix.SYS_CLONE, [3]uintptr{unix.CLONE_THREAD}, unix.EINVAL},
		{"clone3", unix.SYS_CLONE3, [3]uintptr{}, unix.ENOSYS},
	}},
	"old": {"testdata/old.json", []attempt{
		{"getpid", unix.SYS_GETPID, [3]uintptr{}, 0},
		{"not in the profile", unix.SYS_UNSHARE, [3]uintptr{}, unix.EPERM},
		{"newer than the profile", unix.SYS_PIDFD_OPEN, [3]uintptr{^uintptr(0)}, unix.ENOSYS},
	}},
}

func TestLoad(t *testing.T) {
	for name := range loadCases {
		t.Run(name, func(t *testing.T) { runChild(t, name) })
	}
}

// TestLoadNotify answers for a system call from outside the filter.
func TestLoadNotify(t *testing.T) {
	runChild(t, "notify")
}

// TestLoadKill: the filter kills the process.
func TestLoadKill(t *testing.T) {
	out, err := childCommand("kill").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("%v: %s", err, out)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGSYS {
		t.Errorf("%v, want death by SIGSYS: %s", err, out)
	}
}

func childCommand(name string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childVariable+"="+name)
	return cmd
}

func runChild(t *testing.T, name string) {
	t.Helper()
	if out, err := childCommand(name).CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

// child is the main function of the child. Only one thread has the filter, so that another can
// report about it.
func child(name string) int {
	runtime.LockOSThread()
	var problems []string
	switch name {
	case "kill":
		problems = childKill()
	case "notify":
		problems = childNotify()
	default:
		problems = childAttempts(name)
	}
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, p)
	}
	return min(len(problems), 1)
}

func childAttempts(name string) (problems []string) {
	b, err := os.ReadFile(loadCases[name].profile)
	if err != nil {
		return []string{err.Error()}
	}
	if _, err := load(string(b)); err != nil {
		return []string{err.Error()}
	}
	for _, a := range loadCases[name].attempts {
		_, _, errno := unix.RawSyscall(a.nr, a.args[0], a.args[1], a.args[2])
		if errno != a.want {
			problems = append(problems, fmt.Sprintf("%s: %v, want %v", a.name, errno, a.want))
		}
	}
	return problems
}

func childKill() []string {
	_, err := load(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["acct"],"action":"SCMP_ACT_KILL_PROCESS"}]}`)
	if err != nil {
		return []string{err.Error()}
	}
	_, _, errno := unix.RawSyscall(unix.SYS_ACCT, 0, 0, 0)
	return []string{fmt.Sprintf("still alive after acct: %v", errno)}
}

func childNotify() []string {
	fd, err := load(`{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/agent",
		"syscalls":[{"names":["acct"],"action":"SCMP_ACT_NOTIFY"}]}`)
	if err != nil {
		return []string{err.Error()}
	}
	answered := make(chan error)
	go func() { answered <- answer(fd, unix.EXDEV) }()
	_, _, errno := unix.Syscall(unix.SYS_ACCT, 0, 0, 0)
	if err := <-answered; err != nil {
		return []string{err.Error()}
	}
	if errno != unix.EXDEV {
		return []string{fmt.Sprintf("acct: %v, want the agent's answer", errno)}
	}
	return nil
}

// answer is an agent that fails one call with errno (seccomp_unotify(2)).
func answer(listener uintptr, errno syscall.Errno) error {
	const (
		notifRecv = 0xc0502100
		notifSend = 0xc0182101
	)
	var notif [80]byte
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, listener, notifRecv, uintptr(unsafe.Pointer(&notif))); e != 0 {
		return fmt.Errorf("receive: %w", e)
	}
	if nr := binary.NativeEndian.Uint32(notif[16:]); nr != unix.SYS_ACCT {
		return fmt.Errorf("notified of number %d", nr)
	}
	var resp [24]byte
	copy(resp[:8], notif[:8])
	binary.NativeEndian.PutUint32(resp[16:], uint32(-int32(errno)))
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, listener, notifSend, uintptr(unsafe.Pointer(&resp))); e != 0 {
		return fmt.Errorf("send: %w", e)
	}
	return nil
}

// load compiles a profile and loads it on this thread. It returns the listener if
// there is one.
func load(profile string) (listener uintptr, err error) {
	p, err := compileText(profile)
	if err != nil {
		return 0, err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	prog := unix.SockFprog{Len: uint16(len(p.BPF) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&p.BPF[0]))}
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		uintptr(p.Flags), uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return 0, fmt.Errorf("load with flags %#x: %w", p.Flags, errno)
	}
	if p.NewListener() != (fd > 0) {
		return 0, fmt.Errorf("listener %v, but the load returned %d", p.NewListener(), fd)
	}
	return fd, nil
}

func compileText(profile string) (*Program, error) {
	p := new(specs.LinuxSeccomp)
	if err := json.Unmarshal([]byte(profile), p); err != nil {
		return nil, err
	}
	return Compile(p)
}
