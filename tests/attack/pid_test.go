// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A process that berth adds to a pid namespace with other processes can be traced by them from
// its first moment. They can get everything that it has at that time.

// hunt is the program of the attacker. It looks at each new process of its pid namespace as early
// as possible: the program and the root directory, the capabilities, and the open files. It
// prints nothing about a process that has no more than the container itself. args: the pattern of
// a file that only exists on the host, and the capabilities of the container (hex).
func hunt(args []string) error {
	runtime.LockOSThread()
	marker := args[0]
	allowed, err := strconv.ParseUint(args[1], 16, 64)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	seen := lastPID()
	for {
		last := lastPID()
		for pid := seen + 1; pid <= last+1; pid++ {
			look(pid, marker, allowed)
		}
		seen = max(seen, last)
	}
}

// lastPID returns the pid that was assigned last in this pid namespace.
func lastPID() int {
	fields := strings.Fields(read("/proc/loadavg"))
	pid, _ := strconv.Atoi(fields[len(fields)-1])
	return pid
}

// look traces process pid, if it exists, and prints what it finds.
func look(pid int, marker string, allowed uint64) {
	if unix.PtraceSeize(pid) != nil {
		return
	}
	dir := fmt.Sprintf("/proc/%d/", pid)
	if unix.PtraceInterrupt(pid) == nil {
		_, _ = unix.Wait4(pid, nil, unix.WALL, nil)
	}
	defer release(pid)
	exe, _ := os.Readlink(dir + "exe")
	if exe == "/helper" || read(dir+"cmdline") == "" && exe == "" {
		return
	}
	if !strings.HasPrefix(exe, "/bin/") && !strings.HasPrefix(exe, "/memfd:berth-init") {
		fmt.Printf("program %s\n", exe)
	}
	if _, err := os.Stat(dir + "root" + marker); err == nil {
		fmt.Println("root of the host")
	}
	// In its own user namespace a process has no capabilities over anything of the host.
	own, _ := os.Readlink("/proc/self/ns/user")
	if its, _ := os.Readlink(dir + "ns/user"); its != own {
		return
	}
	for line := range strings.Lines(read(dir + "status")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name != "CapPrm" && name != "CapEff" {
			continue
		}
		has, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err == nil && has&^allowed != 0 {
			fmt.Printf("%s %x beyond the container's\n", name, has&^allowed)
		}
	}
	fds, _ := os.ReadDir(dir + "fd")
	for _, fd := range fds {
		path := dir + "fd/" + fd.Name()
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			if _, err := os.Stat(path + strings.Repeat("/..", 12) + marker); err == nil {
				fmt.Println("a directory of the host")
			}
			// In the host's procfs each process leads to its root directory.
			if _, err := os.Stat(path + "/../2/ns"); err == nil {
				fmt.Println("procfs of the host")
			}
		}
	}
}

// release lets a traced process continue. It must be stopped for that.
func release(pid int) {
	for unix.PtraceDetach(pid) != nil {
		if unix.PtraceInterrupt(pid) != nil {
			return // it no longer exists
		}
		_, _ = unix.Wait4(pid, nil, unix.WALL|unix.WNOHANG, nil)
	}
}

// hunter returns a container that runs hunt, and may trace.
func (s *stage) hunter(prepare func(b *box)) (b *box, found func() string) {
	s.Helper()
	marker := s.dir + "/host-alone"
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		s.Fatal(err)
	}
	b = s.box("hunter").capabilities("CAP_SYS_PTRACE")
	b.helper("hunt", marker, fmt.Sprintf("%x", ordinary|1<<unix.CAP_SYS_PTRACE))
	prepare(b)
	path := b.startOutput()
	s.waitUntil(func() bool { return strings.HasPrefix(read(path), "ready") })
	return b, func() string { return strings.TrimSpace(strings.TrimPrefix(read(path), "ready")) }
}

// ordinary are the capabilities in bundle.Spec.
const ordinary = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_FSETID | 1<<unix.CAP_FOWNER | 1<<unix.CAP_MKNOD |
	1<<unix.CAP_NET_RAW | 1<<unix.CAP_SETGID | 1<<unix.CAP_SETUID | 1<<unix.CAP_SETFCAP | 1<<unix.CAP_SETPCAP |
	1<<unix.CAP_NET_BIND_SERVICE | 1<<unix.CAP_SYS_CHROOT | 1<<unix.CAP_KILL | 1<<unix.CAP_AUDIT_WRITE

// waitUntil polls until done returns true.
func (s *stage) waitUntil(done func() bool) {
	s.Helper()
	for deadline := time.Now().Add(limit); !done(); {
		if time.Now().After(deadline) {
			s.Fatal("waited too long")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestHuntExec: from the moment when the container can see a process that exec adds, this has no
// more privileges than the container (CVE-2016-9962, CVE-2019-5736).
func TestHuntExec(t *testing.T) {
	for name, prepare := range map[string]func(b *box){
		"plain":  func(*box) {},
		"filter": func(b *box) { b.spec.Linux.Seccomp = someFilter(); b.spec.Process.NoNewPrivileges = false },
	} {
		t.Run(name, func(t *testing.T) {
			withstands(t, 3, func(s *stage) string {
				b, found := s.hunter(prepare)
				for range 20 {
					b.command("exec", b.id, "/bin/true")
				}
				return found()
			})
		})
	}
}

// TestHuntListener: the helper that receives the listener of a filter is not visible either.
func TestHuntListener(t *testing.T) {
	withstands(t, 3, func(s *stage) string {
		path := s.dir + "/agent"
		agent, err := net.Listen("unix", path)
		if err != nil {
			s.Fatal(err)
		}
		defer agent.Close()
		go func() {
			for {
				c, err := agent.Accept()
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, c)
				c.Close()
			}
		}()
		b, found := s.hunter(func(b *box) {
			b.spec.Linux.Seccomp = someFilter()
			b.spec.Linux.Seccomp.ListenerPath = path
			b.spec.Linux.Seccomp.Syscalls[0].Action = specs.ActNotify
		})
		for range 20 {
			b.command("exec", b.id, "/bin/true")
		}
		return found()
	})
}

// peek prints the command lines of new processes. It needs no capability.
func peek([]string) error {
	runtime.LockOSThread()
	fmt.Println("ready")
	printed := map[string]bool{}
	for seen := lastPID(); ; seen = max(seen, lastPID()) {
		line := strings.ReplaceAll(read(fmt.Sprintf("/proc/%d/cmdline", seen+1)), "\x00", " ")
		if strings.Contains(line, "TOKEN") && !printed[line] {
			printed[line] = true
			fmt.Println(line)
		}
	}
}

// TestPeekExec: the container cannot see the command line of berth, which may have secrets for
// the program that exec runs.
func TestPeekExec(t *testing.T) {
	withstands(t, 5, func(s *stage) string {
		b := s.box("peeker")
		b.spec.Process.User = specs.User{UID: 1000, GID: 1000}
		b.spec.Process.Capabilities = nil
		path := b.helper("peek").startOutput()
		s.waitUntil(func() bool { return strings.HasPrefix(read(path), "ready") })
		for range 30 {
			b.command("exec", "--user", "0", "--env", "TOKEN=for-another-user", b.id, "/bin/true")
		}
		return strings.TrimSpace(strings.TrimPrefix(read(path), "ready"))
	})
}

// TestDescriptors: no descriptor leads to a directory of the host (CVE-2024-21626).
func TestDescriptors(t *testing.T) {
	weakened(t, 1, func(s *stage) string {
		marker := s.dir + "/host-alone"
		if err := os.WriteFile(marker, nil, 0o600); err != nil {
			s.Fatal(err)
		}
		up := strings.Repeat("/..", 12)
		b := s.box("a").sh("for n in $(seq 0 60); do ls -d /proc/self/fd/$n" + up + marker + " /proc/1/fd/$n" + up + marker + "; done 2>/dev/null; true")
		var options []string
		if s.weak {
			host, err := os.Open("/")
			if err != nil {
				s.Fatal(err)
			}
			defer host.Close()
			b.files, options = []*os.File{host}, []string{"--preserve-fds", "1"}
		}
		out := b.command(append(append([]string{"run"}, options...), b.id)...).out
		b.files = nil
		b.must("delete", "--force", b.id)
		running := s.box("b").sh("exec sleep 1000")
		running.startOutput()
		for n := 0; !s.weak && n < 30; n++ {
			b.spec.Process.Cwd = fmt.Sprintf("/proc/self/fd/%d", n)
			out += b.sh("ls -d ."+up+marker).command("run", b.id).hostPathIn(marker)
			b.must("delete", "--force", b.id)
			out += running.command("exec", "--cwd", b.spec.Process.Cwd, running.id, "ls", "-d", "."+up+marker).hostPathIn(marker)
		}
		return strings.TrimSpace(out)
	})
}

// hostPathIn returns the output if it contains a path of the host.
func (r *result) hostPathIn(path string) string {
	if r.status == 0 && strings.Contains(r.out, path) {
		return r.out
	}
	return ""
}

// TestHuntCreate: the same for a container that shares a pid namespace.
func TestHuntCreate(t *testing.T) {
	withstands(t, 3, func(s *stage) string {
		hunter, found := s.hunter(func(*box) {})
		b := s.box("neighbour").sh("true")
		b.namespace(specs.PIDNamespace, fmt.Sprintf("/proc/%s/ns/pid", read(hunter.path("pid"))))
		for range 10 {
			b.command("run", b.id)
		}
		return found()
	})
}

// someFilter returns a profile that forbids a system call which no test uses.
func someFilter() *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Architectures: []specs.Arch{specs.ArchX86_64},
		Syscalls:      []specs.LinuxSyscall{{Names: []string{"swapon"}, Action: specs.ActErrno}},
	}
}

// TestHuntMounts: `mounts add` opens files in the container's pid namespace.
func TestHuntMounts(t *testing.T) {
	withstands(t, 3, func(s *stage) string {
		hunter, found := s.hunter(func(*box) {})
		document := s.dir + "/mounts.json"
		const text = `[{"destination":"/proc2","type":"proc","source":"proc"}]`
		if err := os.WriteFile(document, []byte(text), 0o600); err != nil {
			s.Fatal(err)
		}
		for range 10 {
			hunter.must("mounts", "add", hunter.id, document)
		}
		return found()
	})
}

// TestHuntBuilder: for a container with a user namespace, a process in that makes the mounts, and
// has files of the host open. With the host's pid namespace it would be visible.
func TestHuntBuilder(t *testing.T) {
	withstands(t, 3, func(s *stage) string {
		hunter, found := s.hunter(func(b *box) {
			b.mapped().without(specs.PIDNamespace)
			b.spec.Linux.MaskedPaths, b.spec.Linux.ReadonlyPaths = nil, nil
			b.spec.Mounts = slices.DeleteFunc(b.spec.Mounts, func(m specs.Mount) bool { return m.Destination == "/proc" })
			b.mount("/proc", "bind", "/proc", "rbind")
		})
		document := s.dir + "/mounts.json"
		const text = `[{"destination":"/more","type":"tmpfs","source":"tmpfs"}]`
		if err := os.WriteFile(document, []byte(text), 0o600); err != nil {
			s.Fatal(err)
		}
		for range 10 {
			hunter.must("mounts", "add", hunter.id, document)
		}
		return found()
	})
}
