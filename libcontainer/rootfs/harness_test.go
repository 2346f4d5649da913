// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// childEnv tells a test that it runs in its own process, and which directory it has.
const childEnv = "BERTH_ROOTFS_TEST_DIR"

// inChild runs body in its own process, on a locked thread in new mount, uts, ipc, network and
// cgroup namespaces. The parent process removes dir, since the child may not be able to reach
// it any more. It requires root.
func inChild(t *testing.T, body func(t *testing.T, dir string)) {
	t.Helper()
	child(t, body, nil)
}

// inUserNamespace is inChild with new user and pid namespaces as well, but in the host's cgroup
// namespace. The directory has an image as "rootfs", and a mount as "host" whose flags (nosuid,
// nodev, noatime) are locked.
func inUserNamespace(t *testing.T, body func(t *testing.T, dir string)) {
	t.Helper()
	self := []syscall.SysProcIDMap{{Size: 1}}
	child(t, body, &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		UidMappings: self,
		GidMappings: self,
	})
}

func child(t *testing.T, body func(t *testing.T, dir string), attr *syscall.SysProcAttr) {
	t.Helper()
	if dir := os.Getenv(childEnv); dir != "" {
		runtime.LockOSThread() // never unlocked: the thread cannot be used again
		spaces := unix.CLONE_FS | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET
		if attr == nil {
			spaces |= unix.CLONE_NEWCGROUP
		}
		if err := unix.Unshare(spaces); err != nil {
			t.Fatal(err)
		}
		body(t, dir)
		return
	}
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("requires root")
		}
		t.Skip("requires root")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	before := hostMounts(t, dir)
	if attr != nil {
		image(t, dir)
		v := filepath.Join(dir, "host")
		if err := unix.Mount("volume", v, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOATIME, ""); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := unix.Unmount(v, 0); err != nil {
				t.Error(err)
			}
		}()
		before = hostMounts(t, dir)
	}
	// Names of subtests are matched level by level.
	levels := strings.Split(t.Name(), "/")
	for i, l := range levels {
		levels[i] = "^" + regexp.QuoteMeta(l) + "$"
	}
	cmd := exec.Command(os.Args[0], "-test.run="+strings.Join(levels, "/"), "-test.v")
	// The race detector would sleep for a second at the end of each process.
	cmd.Env = append(os.Environ(), childEnv+"="+dir, "GORACE=atexit_sleep_ms=0")
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP: "+t.Name()+" ") {
		t.Skipf("%s", out)
	}
	if !strings.Contains(string(out), "--- PASS: "+t.Name()+" ") && err == nil {
		t.Errorf("the child has not run the test:\n%s", out)
	}
	if after := hostMounts(t, dir); after != before {
		t.Errorf("mounts on the host changed from\n%s\nto\n%s", before, after)
	}
}

func hostMounts(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	// Other tests on the machine mount as well. Ours are below dir.
	var ours []string
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, dir) {
			ours = append(ours, line)
		}
	}
	return strings.Join(ours, "")
}

// image makes a small root file system in dir, with a secret of the host beside it, and returns
// its path.
func image(t *testing.T, dir string) string {
	t.Helper()
	root := filepath.Join(dir, "rootfs")
	for _, d := range []string{"bin", "dev", "etc", "proc", "run", "sys", "tmp", "work"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "tmp"), os.ModeSticky|0o777); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nbob:x:1000:1000::/home/bob:/bin/sh\n")
	if err := os.MkdirAll(filepath.Join(dir, "host"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "host/secret"), "host")
	return root
}

func writeFile(t *testing.T, name, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, name string) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

// snapshot describes all files below dir, for an attack test to compare. It takes a descriptor,
// since after a pivot_root no path leads there.
func snapshot(t *testing.T, dir *os.File) string {
	t.Helper()
	if err := unix.Fchdir(int(dir.Fd())); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		var data []byte
		if info.Mode().IsRegular() {
			if data, err = os.ReadFile(p); err != nil {
				return err
			}
		}
		_, err = fmt.Fprintf(&out, "%s %v %q\n", p, info.Mode(), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// plan returns the config of a default container, as engines make it.
func plan(root string) *configs.Config {
	const std = unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV
	c := &configs.Config{
		Rootfs: configs.Rootfs{Path: root, Readonly: true},
		Namespaces: configs.Namespaces{
			{Type: configs.NewMount},
			{Type: configs.NewUTS},
			{Type: configs.NewIPC},
			{Type: configs.NewNet},
			{Type: configs.NewCgroup},
		},
		Hostname:    "berth-test",
		PopulateDev: true,
		Mounts: []configs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc"},
			{
				Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Flags: unix.MS_NOSUID | unix.MS_STRICTATIME,
				Data: []string{"mode=755", "size=65536k"},
			},
			{
				Destination: "/dev/pts", Type: "devpts", Source: "devpts", Flags: unix.MS_NOSUID | unix.MS_NOEXEC,
				Data: []string{"newinstance", "ptmxmode=0666", "mode=0620", "gid=5"},
			},
			{
				Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Flags: std,
				Data: []string{"mode=1777", "size=65536k"},
			},
			{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Flags: std},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Flags: std | unix.MS_RDONLY},
		},
		MaskedPaths: []string{
			"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
			"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
			"/proc/no/such/path",
		},
		ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/nowhere"},
		Sysctls:       []configs.Sysctl{{Key: "net/ipv4/ip_unprivileged_port_start", Value: "7"}},
		Process:       configs.Process{Cwd: "/work/deep/down"},
	}
	for _, d := range []configs.Device{
		{Path: "/dev/null", Minor: 3},
		{Path: "/dev/zero", Minor: 5},
		{Path: "/dev/full", Minor: 7},
		{Path: "/dev/random", Minor: 8},
		{Path: "/dev/urandom", Minor: 9},
		{Path: "/dev/tty", Major: 5},
	} {
		d.Type, d.FileMode, d.Default = 'c', 0o666, true
		if d.Major == 0 {
			d.Major = 1
		}
		c.Devices = append(c.Devices, d)
	}
	number(c)
	return c
}

// number sets the field names of the mounts of c, for errors.
func number(c *configs.Config) {
	for i := range c.Mounts {
		c.Mounts[i].Field = fmt.Sprintf("mounts[%d]", i)
	}
}

// add appends one mount.
func add(c *configs.Config, m configs.Mount) {
	c.Mounts = append(c.Mounts, m)
	number(c)
}

// options returns the builder's options, with a procfs context for each mount of proc.
func options(t *testing.T, c *configs.Config) *Options {
	t.Helper()
	o := &Options{Config: c}
	for i := range c.Mounts {
		if c.Mounts[i].Type != "proc" {
			continue
		}
		fd, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		o.ProcContexts = append(o.ProcContexts, os.NewFile(uintptr(fd), "proc"))
	}
	return o
}

// start makes a builder and closes it at the end of the test.
func start(t *testing.T, c *configs.Config) *Builder {
	t.Helper()
	return startWith(t, options(t, c))
}

func startWith(t *testing.T, o *Options) *Builder {
	t.Helper()
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// build runs b to the end.
func build(t *testing.T, b *Builder) {
	t.Helper()
	if err := b.Mount(); err != nil {
		t.Fatal(err)
	}
	root, err := b.Enter()
	if err != nil {
		t.Fatal(err)
	}
	if (root != nil) != !b.pivots() {
		t.Errorf("Enter returned %v", root)
	}
	if root != nil {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	}
}

// mounted is one line of mountinfo.
type mounted struct {
	id, parent, root, point, options, tags, fstype, source, super string
}

func (m mounted) has(option string) bool {
	for _, o := range strings.Split(m.options, ",") {
		if o == option {
			return true
		}
	}
	return false
}

// mountTable reads this thread's mounts through the procfs from outside, which works below any
// root.
func mountTable(t *testing.T, b *Builder) []mounted {
	t.Helper()
	data, err := b.proc.ReadThread("mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var all []mounted
	for line := range strings.Lines(string(data)) {
		left, right, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		all = append(all, mounted{
			id: l[0], parent: l[1], root: l[3], point: strings.ReplaceAll(l[4], `\040`, " "), options: l[5], tags: strings.Join(l[6:], " "),
			fstype: r[0], source: r[1], super: r[2],
		})
	}
	return all
}

// topMount returns the last mount on a path.
func topMount(t *testing.T, b *Builder, point string) mounted {
	t.Helper()
	var found mounted
	for _, m := range mountTable(t, b) {
		if m.point == point {
			found = m
		}
	}
	if found.id == "" {
		t.Errorf("nothing is mounted on %s", point)
	}
	return found
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("error %v, want %v", got, want)
	}
}
