// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// container is an init that waits in new namespaces, to be joined.
func container(t *testing.T, namespaces uintptr) *Init {
	t.Helper()
	i := start(t, &Options{NewNamespaces: namespaces})
	inside, err := i.Namespaces()
	if err != nil {
		t.Fatal(err)
	}
	if err := inside.Close(); err != nil {
		t.Fatal(err)
	}
	return i
}

func openNamespace(t *testing.T, pid int, kind string) *os.File {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

const showNamespaces = "for n in mnt pid uts ipc net cgroup time; do readlink /proc/self/ns/$n; done"

func checkSame(t *testing.T, out string, pid int) {
	t.Helper()
	lines := strings.Split(out, "\n")
	for n, kind := range []string{"mnt", "pid", "uts", "ipc", "net", "cgroup", "time"} {
		if want := namespaceOf(t, pid, kind); n >= len(lines) || lines[n] != want {
			t.Errorf("%s: %q, want %s", kind, lines, want)
		}
	}
}

// As exec does it: all at once.
func TestJoinByPidfd(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	target := container(t, allNew|unix.CLONE_NEWCGROUP|unix.CLONE_NEWTIME)
	checkSame(t, run(t, &Options{
		Joins: []Join{{Type: unix.CLONE_NEWCGROUP | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWPID |
			unix.CLONE_NEWNET | unix.CLONE_NEWTIME | unix.CLONE_NEWNS, FD: target.PIDFD}},
	}, shell(t, showNamespaces)), target.PID)
}

func TestJoinByFile(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	target := container(t, allNew|unix.CLONE_NEWCGROUP|unix.CLONE_NEWTIME)
	o := &Options{}
	for _, n := range []struct {
		kind string
		flag uint32
	}{
		{"pid", unix.CLONE_NEWPID},
		{"cgroup", unix.CLONE_NEWCGROUP},
		{"ipc", unix.CLONE_NEWIPC},
		{"uts", unix.CLONE_NEWUTS},
		{"net", unix.CLONE_NEWNET},
		{"time", unix.CLONE_NEWTIME},
		{"mnt", unix.CLONE_NEWNS},
	} {
		o.Joins = append(o.Joins, Join{Type: n.flag, FD: openNamespace(t, target.PID, n.kind)})
	}
	checkSame(t, run(t, o, shell(t, showNamespaces)), target.PID)
}

func TestJoinFails(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	target := container(t, allNew)
	uts := openNamespace(t, target.PID, "uts")
	o := &Options{Joins: []Join{
		{Type: unix.CLONE_NEWIPC, FD: openNamespace(t, target.PID, "ipc")},
		{Type: unix.CLONE_NEWNET, FD: uts},
	}}
	i := start(t, o)
	_, err := i.Namespaces()
	var step *StepError
	if !errors.As(err, &step) || step.Step != "setns" || step.Detail != uts.Name() || !errors.Is(err, unix.EINVAL) {
		t.Errorf("Namespaces: %v", err)
	}
	// If Namespaces is not called, Configure returns the reason.
	if step := configureError(t, o, shell(t, "")); step.Error() != "setns "+uts.Name()+": invalid argument" {
		t.Errorf("Configure: %v", step)
	}
}

func TestTimeOffsets(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		t.Fatal(err)
	}
	o := &Options{NewNamespaces: allNew | unix.CLONE_NEWTIME, TimeOffsets: "monotonic 86400 0\nboottime 172800 0\n"}
	out := run(t, o, shell(t, "cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime"))
	fields := strings.Fields(out)
	if len(fields) != 7 || fields[1] != "86400" || fields[4] != "172800" {
		t.Fatalf("offsets %q", out)
	}
	var uptime int64
	if _, err := fmt.Sscan(fields[6], &uptime); err != nil || uptime < now.Sec+172800 || uptime > now.Sec+172860 {
		t.Errorf("uptime %q, want %d and two days", fields[6], now.Sec)
	}
	o.TimeOffsets = "monotonic yes\n"
	if step := configureError(t, o, shell(t, "")); step.Error() != "write /proc/self/timens_offsets: invalid argument" {
		t.Errorf("bad offsets: %v", step)
	}
}

// A procfs mounted from a context of init shows init's pid namespace, although this process,
// which mounts it, is on the host.
func TestProcContexts(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	i := start(t, &Options{NewNamespaces: allNew, ProcContexts: 2})
	inside, err := i.Namespaces()
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	if len(inside.ProcContexts) != 2 || inside.Namespaces != nil {
		t.Fatalf("%+v", inside)
	}
	for _, c := range inside.ProcContexts {
		if err := unix.FsconfigCreate(int(c.Fd())); err != nil {
			t.Fatal(err)
		}
		mount, err := unix.Fsmount(int(c.Fd()), unix.FSMOUNT_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Openat(mount, "1/comm", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		var buf [32]byte
		n, _ := unix.Read(fd, buf[:])
		if string(buf[:max(n, 0)]) != InitName+"\n" {
			t.Errorf("process 1 is %q", buf[:n])
		}
		if err := errors.Join(unix.Close(fd), unix.Close(mount)); err != nil {
			t.Error(err)
		}
	}
}

func TestNamespaceFiles(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	kinds := map[uint32]string{
		unix.CLONE_NEWNS: "mnt", unix.CLONE_NEWPID: "pid", unix.CLONE_NEWUTS: "uts", unix.CLONE_NEWIPC: "ipc",
		unix.CLONE_NEWNET: "net", unix.CLONE_NEWCGROUP: "cgroup", unix.CLONE_NEWTIME: "time",
	}
	i := start(t, &Options{NewNamespaces: allNew | unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME, NamespaceFDs: true, ProcContexts: 1})
	inside, err := i.Namespaces()
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	if len(inside.Namespaces) != len(kinds) || len(inside.ProcContexts) != 1 {
		t.Fatalf("%+v", inside)
	}
	for flag, kind := range kinds {
		got, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", inside.Namespaces[flag].Fd()))
		if want := namespaceOf(t, i.PID, kind); err != nil || got != want {
			t.Errorf("%s: %s, want %s (%v)", kind, got, want, err)
		}
	}
}

// mapBoth returns a MapIDs for both maps.
func mapBoth(m string) func(int) error {
	return func(pid int) error {
		for _, file := range []string{"uid_map", "gid_map"} {
			if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, file), []byte(m), 0); err != nil {
				return err
			}
		}
		return nil
	}
}

// A new user namespace whose ids the caller maps, and a process that joins it.
func TestUserNamespace(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	i := start(t, &Options{NewNamespaces: allNew | unix.CLONE_NEWUSER, ProcContexts: 1, MapIDs: mapBoth("0 100000 65536")})
	inside, err := i.Namespaces()
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	p := shell(t, "id -u; cat /proc/self/uid_map; sleep 100")
	if err := i.Configure(p); err != nil {
		t.Fatal(err)
	}
	pidNamespace := openNamespace(t, i.PID, "pid")
	p = shell(t, "id -u; id -g; cat /proc/self/uid_map")
	p.UID, p.GID = 7, 8
	out := run(t, &Options{
		Joins: []Join{
			{Type: unix.CLONE_NEWPID, FD: pidNamespace},
			{Type: unix.CLONE_NEWUSER, FD: i.PIDFD},
			{Type: unix.CLONE_NEWUTS | unix.CLONE_NEWNS, FD: i.PIDFD},
		},
	}, p)
	if got := strings.Join(strings.Fields(out), " "); got != "7 8 0 100000 65536" {
		t.Errorf("output %q", got)
	}
}

// testCgroup makes a cgroup below a hierarchy of the host for the test.
func testCgroup(t *testing.T, hierarchy, probe string) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(hierarchy, probe)); err != nil {
		t.Skipf("needs the cgroup hierarchy %s", hierarchy)
	}
	dir, err := os.MkdirTemp(hierarchy, "berth-nsenter-test-")
	if err != nil {
		t.Skipf("needs a writable cgroup hierarchy: %v", err)
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestCgroupTasks(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	dirs := []string{
		testCgroup(t, "/sys/fs/cgroup/pids", "tasks"),
		testCgroup(t, "/sys/fs/cgroup/freezer", "tasks"),
	}
	target := container(t, unix.CLONE_NEWUTS)
	o := &Options{
		NewNamespaces: allNew&^unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP,
		Joins:         []Join{{Type: unix.CLONE_NEWUTS, FD: target.PIDFD}},
	}
	for _, dir := range dirs {
		f, err := os.OpenFile(filepath.Join(dir, "tasks"), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		o.CgroupTasks = append(o.CgroupTasks, f)
	}
	// They are the roots of the new cgroup namespace, because it was created after the move.
	out := run(t, o, shell(t, "readlink /proc/self/ns/uts; grep -E ':(pids|freezer):' /proc/self/cgroup; cat "+dirs[0]+"/tasks"))
	if !strings.HasPrefix(out, namespaceOf(t, target.PID, "uts")+"\n") {
		t.Errorf("uts namespace not joined: %q", out)
	}
	if strings.Count(out, ":/\n") != 2 {
		t.Errorf("cgroups %q", out)
	}
	if lines := strings.Split(out, "\n"); len(lines) < 4 {
		t.Errorf("nobody in %s: %q", dirs[0], out)
	}
}

func TestCgroupTasksFail(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	readOnly, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	step := configureError(t, &Options{CgroupTasks: []*os.File{readOnly}}, shell(t, ""))
	if step.Error() != "join cgroup /dev/null: bad file descriptor" {
		t.Errorf("error %v", step)
	}
}

func TestCgroupDirectory(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	hierarchy := "/sys/fs/cgroup"
	if _, err := os.Stat(hierarchy + "/unified/cgroup.procs"); err == nil {
		hierarchy += "/unified"
	}
	dir := testCgroup(t, hierarchy, "cgroup.subtree_control")
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := run(t, &Options{NewNamespaces: allNew, CgroupDir: f}, shell(t, "grep ^0:: /proc/self/cgroup"))
	if out != "0::/"+filepath.Base(dir) {
		t.Errorf("cgroup %q, want %s", out, dir)
	}
}
