// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// nsFiles has the name of the file in /proc/PID/ns for each type of namespace.
var nsFiles = map[specs.LinuxNamespaceType]string{
	specs.PIDNamespace: "pid", specs.NetworkNamespace: "net", specs.IPCNamespace: "ipc", specs.UTSNamespace: "uts",
	specs.MountNamespace: "mnt", specs.CgroupNamespace: "cgroup", specs.TimeNamespace: "time",
}

// nsOf identifies a namespace of a process.
func nsOf(t *testing.T, pid int, file string) string {
	t.Helper()
	id, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, file))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// needTime requires time namespaces, which not every runtime supports.
func needTime(t *testing.T) {
	t.Helper()
	_, err := os.Stat("/proc/self/ns/time")
	require(t, err == nil, "time namespaces in the kernel")
}

// hostSafe removes what would change the host from the spec of a container without its own
// namespace of type typ.
func hostSafe(c *container, typ specs.LinuxNamespaceType) {
	switch typ {
	case specs.UTSNamespace:
		c.spec.Hostname = ""
	case specs.NetworkNamespace:
		// Only the owner of the network namespace can mount a sysfs: here that is root.
	case specs.MountNamespace:
		c.spec.Linux.MaskedPaths, c.spec.Linux.ReadonlyPaths, c.spec.Mounts = nil, nil, nil
	}
}

func TestNamespaceNew(t *testing.T) {
	for typ, file := range nsFiles {
		t.Run(string(typ), func(t *testing.T) {
			c := newContainer(t)
			if typ == specs.TimeNamespace {
				needTime(t)
				c.namespace(typ, "")
			}
			c.running()
			if nsOf(t, c.pid, file) == nsOf(t, os.Getpid(), file) {
				t.Error("the host's namespace")
			}
			if typ == specs.PIDNamespace {
				// Child processes are in the same one.
				if nsOf(t, c.pid, "pid") != nsOf(t, c.pid, "pid_for_children") {
					t.Error("another pid namespace for children")
				}
			}
		})
	}
}

func TestNamespaceAbsent(t *testing.T) {
	for typ, file := range nsFiles {
		if typ == specs.MountNamespace {
			continue // see TestNoMountNamespace
		}
		t.Run(string(typ), func(t *testing.T) {
			c := newContainer(t).without(typ)
			hostSafe(c, typ)
			c.running()
			if nsOf(t, c.pid, file) != nsOf(t, os.Getpid(), file) {
				t.Error("not the host's namespace")
			}
		})
	}
}

func TestNamespaceJoined(t *testing.T) {
	for typ, file := range nsFiles {
		if typ == specs.MountNamespace {
			continue // its root is another one; see TestMountNamespaceJoined
		}
		t.Run(string(typ), func(t *testing.T) {
			first := newContainer(t)
			if typ == specs.TimeNamespace {
				needTime(t)
				first.namespace(typ, "")
			}
			first.running()
			c := anotherContainer(t, first)
			c.namespace(typ, fmt.Sprintf("/proc/%d/ns/%s", first.pid, file))
			hostSafe(c, typ)
			c.running()
			if nsOf(t, c.pid, file) != nsOf(t, first.pid, file) {
				t.Error("not the namespace to be joined")
			}
			if typ == specs.PIDNamespace && suite.name != "crun" {
				// The second container's process is not the first one of the namespace.
				ids := nsPIDs(t, c.pid)
				if len(ids) != 2 || ids[1] == 1 {
					t.Errorf("pids %v", ids)
				}
			}
		})
	}
}

// nsPIDs returns the pids of a process, from the outermost pid namespace inwards.
func nsPIDs(t *testing.T, pid int) []int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		rest, found := strings.CutPrefix(line, "NSpid:")
		if !found {
			continue
		}
		var ids []int
		for _, f := range strings.Fields(rest) {
			n, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, n)
		}
		return ids
	}
	t.Fatal("no NSpid")
	return nil
}

// TestPIDNamespaceEnds: if the first process of a pid namespace ends, a second container in it
// ends too. Both can be deleted.
func TestPIDNamespaceEnds(t *testing.T) {
	first := newContainer(t).running()
	c := anotherContainer(t, first)
	c.namespace(specs.PIDNamespace, fmt.Sprintf("/proc/%d/ns/pid", first.pid))
	c.running()
	first.command("kill", first.id, "KILL").must()
	// The kernel keeps the first process until all others have been reaped.
	c.wait()
	first.wait()
	c.status(specs.StateStopped)
	first.status(specs.StateStopped)
}

// TestProcIsOfTheContainer: /proc shows the processes of the container's pid namespace, also if
// that is joined.
func TestProcIsOfTheContainer(t *testing.T) {
	c := newContainer(t).sh("echo $$; cat /proc/self/stat | cut -d' ' -f1; ls /proc | grep -c '^[0-9]'")
	lines := strings.Split(c.output(), "\n")
	if lines[0] != "1" {
		t.Errorf("the shell is process %s", lines[0])
	}
	if n, err := strconv.Atoi(lines[2]); err != nil || n > 4 {
		t.Errorf("%s processes in /proc", lines[2])
	}
}

// TestHostPIDNamespace: without a pid namespace, the container sees the host's processes.
func TestHostPIDNamespace(t *testing.T) {
	c := newContainer(t).without(specs.PIDNamespace)
	c.sh(fmt.Sprintf("test -d /proc/%d && echo seen", os.Getpid()))
	want(t, "the tests' own process", c.output(), "seen")
}

func TestLoopbackIsUp(t *testing.T) {
	c := newContainer(t).sh("cat /sys/class/net/lo/flags; ls /sys/class/net")
	lines := strings.Split(c.output(), "\n")
	flags, err := strconv.ParseUint(strings.TrimPrefix(lines[0], "0x"), 16, 32)
	if err != nil || flags&unix.IFF_UP == 0 {
		t.Errorf("flags of lo: %q", lines[0])
	}
	c.sh("cat /proc/net/route /proc/net/if_inet6; ping -c 1 -W 5 127.0.0.1 >/dev/null && echo answered")
	c.spec.Process.Capabilities.Effective = append(c.spec.Process.Capabilities.Effective, "CAP_NET_RAW")
	if suite.kind == "busybox" && !strings.Contains(c.output(), "answered") {
		t.Error("127.0.0.1 does not answer")
	}
}

// TestLoopbackOfJoined: the loopback interface of a joined namespace is not changed.
func TestLoopbackOfJoined(t *testing.T) {
	begin(t)
	cmd := exec.Command("/bin/sh", "-c", "echo; read x")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	c := anotherContainer(t, nil).args("cat", "/sys/class/net/lo/flags")
	c.namespace(specs.NetworkNamespace, fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))
	want(t, "flags of lo", c.output(), "0x8")
}

func TestHostname(t *testing.T) {
	c := newContainer(t).sh("cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname")
	before, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	c.spec.Hostname = "a-name-of-its-own"
	if got := strings.Split(c.output(), "\n")[0]; got != "a-name-of-its-own" {
		t.Errorf("hostname %q", got)
	}
	after, err := os.Hostname()
	if err != nil || after != before {
		t.Errorf("the host's name is now %q, %v", after, err)
	}
	c.spec.Hostname = ""
	if got := strings.Split(c.output(), "\n")[0]; got != before {
		t.Errorf("hostname %q, want the host's %q", got, before)
	}
}

func TestDomainname(t *testing.T) {
	c := newContainer(t).sh("cat /proc/sys/kernel/domainname")
	c.spec.Domainname = "example.org"
	want(t, "domainname", c.output(), "example.org")
}

// TestHostnameOfJoined sets the name in a joined uts namespace.
func TestHostnameOfJoined(t *testing.T) {
	first := newContainer(t).running()
	c := anotherContainer(t, first).args("cat", "/proc/sys/kernel/hostname")
	c.namespace(specs.UTSNamespace, fmt.Sprintf("/proc/%d/ns/uts", first.pid))
	c.spec.Hostname = "renamed"
	want(t, "hostname", c.output(), "renamed")
}

func TestTimeOffsets(t *testing.T) {
	c := newContainer(t)
	needTime(t)
	c.namespace(specs.TimeNamespace, "").sh("cut -d. -f1 /proc/uptime; cat /proc/self/timens_offsets")
	c.spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{
		"monotonic": {Secs: 7881, Nanosecs: 2}, "boottime": {Secs: 1 << 30, Nanosecs: 5},
	}
	lines := strings.Split(c.output(), "\n")
	if up, err := strconv.Atoi(lines[0]); err != nil || up < 1<<30 {
		t.Errorf("uptime %q", lines[0])
	}
	offsets := squeeze(strings.Join(lines[1:], " "))
	want(t, "offsets", offsets, "monotonic 7881 2 boottime 1073741824 5")
}

// TestNegativeTimeOffset: an offset may be negative unless the clock would become negative.
func TestNegativeTimeOffset(t *testing.T) {
	c := newContainer(t)
	needTime(t)
	c.namespace(specs.TimeNamespace, "").sh("cat /proc/self/timens_offsets")
	c.spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: -1}}
	want(t, "offsets", squeeze(c.output()), "monotonic 0 0 boottime -1 0")
}

// TestCgroupNamespaceRoot: the container's cgroup is the root of the hierarchy that it sees.
func TestCgroupNamespaceRoot(t *testing.T) {
	c := newContainer(t).args("cat", "/proc/self/cgroup")
	for line := range strings.Lines(c.output()) {
		if !strings.HasSuffix(strings.TrimSpace(line), ":/") {
			t.Errorf("cgroup %q", line)
		}
	}
	c.without(specs.CgroupNamespace)
	if out := c.output(); !strings.Contains(out, c.cgroup) {
		t.Errorf("cgroups %q", out)
	}
}

// TestNoMountNamespace runs in the runtime's mount namespace. Nothing is mounted then.
func TestNoMountNamespace(t *testing.T) {
	c := newContainer(t).without(specs.MountNamespace).sh("ls /bin/sh; test -d " + suite.rootfs + " || echo in its root")
	hostSafe(c, specs.MountNamespace)
	if out := c.output(); !strings.Contains(out, "in its root") {
		t.Errorf("printed %q", out)
	}
}

// TestNamespaceLimit: the kernel's error for too many namespaces says that there is no space on a
// device. The error must say what there are too many of.
func TestNamespaceLimit(t *testing.T) {
	onlyBerth(t)
	only(t, suite.users.name == "root", "the mode in which root makes the user namespace")
	for _, kind := range []string{"net", "uts", "pid"} {
		c := newContainer(t).args("true")
		c.spec.Linux.CgroupsPath, c.spec.Linux.Resources = "", nil // which the user namespace may not have
		c.write()
		script := "echo 0 >/proc/sys/user/max_" + kind + `_namespaces; exec "$0" "$@"`
		inside := []string{"--user", "--map-root-user", "sh", "-c", script, suite.runtime}
		r := c.mustFinish(c.exec(nil, "unshare", append(append(inside, c.globals()...), "run", "--bundle", c.dir, c.id)...))
		r.fails("no space left on device (a limit of /proc/sys/user/max_*_namespaces is reached)", "")
		c.command("state", c.id).fails("does not exist", "")
	}
}

// TestNamespaceIsFifo: what is at a namespace's path may be a fifo, at which an open would wait.
func TestNamespaceIsFifo(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t)
	fifo := c.dir + "/fifo"
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	c.namespace(specs.UTSNamespace, fifo)
	c.write()
	c.checkRefused("is not a uts namespace", "")
}
