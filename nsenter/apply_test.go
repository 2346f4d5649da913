// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// filter answers one system call with action and allows all others. It looks at
// the number only, which is enough for a test on the machine's own architecture.
func filter(syscall, action uint32) []byte {
	var out []byte
	for _, in := range []struct {
		code   uint16
		jt, jf uint8
		k      uint32
	}{
		{unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, 0, 0, 0},
		{unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, 0, 1, syscall},
		{unix.BPF_RET | unix.BPF_K, 0, 0, action},
		{unix.BPF_RET | unix.BPF_K, 0, 0, unix.SECCOMP_RET_ALLOW},
	} {
		out = binary.NativeEndian.AppendUint16(out, in.code)
		out = append(out, in.jt, in.jf)
		out = binary.NativeEndian.AppendUint32(out, in.k)
	}
	return out
}

func refuse(errno unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(errno) }

func TestUser(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := shell(t, "id -u; id -g; id -G; umask")
	p.UID, p.GID, p.Groups, p.Umask = 1000, 1001, []uint32{5, 4000000000}, 0o27
	if out := run(t, nil, p); out != "1000\n1001\n1001 5 4000000000\n0027" {
		t.Errorf("output %q", out)
	}
	p.Groups = nil
	if out := run(t, nil, p); out != "1000\n1001\n1001\n0027" {
		t.Errorf("output without groups %q", out)
	}
}

func TestSetGroupsFalseKeepsGroups(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	want := statusOf(t, "/proc/self/status")["Groups"]
	p := rootPlan(t, "cat", "/proc/self/status")
	p.SetGroups, p.Groups = false, []uint32{77}
	if got := parseStatus(run(t, nil, p))["Groups"]; got != want {
		t.Errorf("groups %q, want %q", got, want)
	}
}

func TestCapabilities(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	const chown, kill, net = 1 << unix.CAP_CHOWN, 1 << unix.CAP_KILL, 1 << unix.CAP_NET_ADMIN
	const block = 1 << unix.CAP_BLOCK_SUSPEND // in the upper half
	all := chown | kill | net | block
	for _, tt := range []struct {
		name string
		uid  uint32
		p    Plan
		want Plan
	}{
		{
			"none", 1000, Plan{}, Plan{},
		},
		{
			"a user's without ambient are lost in the exec", 1000,
			Plan{Bounding: uint64(all), Effective: chown, Permitted: chown | block},
			Plan{Bounding: uint64(all)},
		},
		{
			"ambient ones are not", 1000,
			Plan{Bounding: uint64(all), Effective: chown, Permitted: chown | block, Inheritable: chown | block, Ambient: chown | block},
			Plan{
				Bounding: uint64(all), Effective: chown | block, Permitted: chown | block,
				Inheritable: chown | block, Ambient: chown | block,
			},
		},
		{
			"ambient but not inheritable or permitted is skipped", 1000,
			Plan{Bounding: uint64(all), Permitted: chown | kill, Inheritable: kill | net, Ambient: uint64(all)},
			Plan{Bounding: uint64(all), Effective: kill, Permitted: kill, Inheritable: kill | net, Ambient: kill},
		},
		{
			"root gets the bounding set", 0,
			Plan{Bounding: chown | kill, Effective: chown, Permitted: chown},
			Plan{Bounding: chown | kill, Effective: chown | kill, Permitted: chown | kill},
		},
		{
			"ones that no kernel has", 0,
			Plan{Bounding: chown | 1<<63, Permitted: chown | 1<<63, Inheritable: 1 << 63, Ambient: 1 << 63},
			Plan{Bounding: chown, Effective: chown, Permitted: chown},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.p
			p.Args, p.Cwd, p.UID, p.GID, p.SetGroups = []string{"/bin/cat", "/proc/self/status"}, "/", tt.uid, tt.uid, true
			status := parseStatus(run(t, nil, &p))
			for field, want := range map[string]uint64{
				"CapBnd": tt.want.Bounding, "CapEff": tt.want.Effective, "CapPrm": tt.want.Permitted,
				"CapInh": tt.want.Inheritable, "CapAmb": tt.want.Ambient,
			} {
				if got := parseHex(t, status[field]); got != want {
					t.Errorf("%s %#x, want %#x", field, got, want)
				}
			}
		})
	}
}

// onThreadWithout runs f on a thread whose children have only the given
// capabilities, even as root.
func onThreadWithout(t *testing.T, drop []uintptr, f func()) {
	t.Helper()
	onThread(func() {
		for _, c := range drop {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
				t.Errorf("PR_CAPBSET_DROP: %v", err)
				return
			}
		}
		f()
	})
}

func TestCapabilitiesThatRootLacks(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	all := capabilities(t)
	onThreadWithout(t, []uintptr{unix.CAP_NET_RAW, unix.CAP_SETPCAP}, func() {
		p := rootPlan(t, "true")
		step := configureError(t, nil, p)
		if step.Error() != "capset: operation not permitted" {
			t.Errorf("permitted beyond the own: %v", step)
		}
		less := all &^ (1<<unix.CAP_NET_RAW | 1<<unix.CAP_SETPCAP)
		p.Bounding, p.Effective, p.Permitted = all, less, less
		run(t, nil, p) // nothing is to be dropped, so CAP_SETPCAP is not needed
		p.Bounding = less &^ (1 << unix.CAP_CHOWN)
		if step := configureError(t, nil, p); step.Error() != "drop bounding capability 0: operation not permitted" {
			t.Errorf("drop without CAP_SETPCAP: %v", step)
		}
	})
}

func TestKeepCredentials(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	want := statusOf(t, "/proc/self/status")
	p := &Plan{
		Args: []string{"/bin/cat", "/proc/self/status"}, Cwd: "/", KeepCredentials: true,
		UID: 5, GID: 6, Groups: []uint32{7}, SetGroups: true, Umask: 0o123,
	}
	got := parseStatus(run(t, nil, p))
	for _, field := range []string{"Uid", "Gid", "Groups", "Umask", "CapBnd", "CapPrm"} {
		if got[field] != want[field] {
			t.Errorf("%s %q, want %q", field, got[field], want[field])
		}
	}
}

func TestNoNewPrivileges(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	for _, set := range []bool{false, true} {
		p := rootPlan(t, "cat", "/proc/self/status")
		p.NoNewPrivileges = set
		if got := parseStatus(run(t, nil, p))["NoNewPrivs"]; (got == "1") != set {
			t.Errorf("NoNewPrivs %s, want %v", got, set)
		}
	}
}

func TestSeccomp(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	for _, late := range []bool{false, true} {
		p := shell(t, "uname 2>&1; grep ^Seccomp: /proc/self/status")
		p.NoNewPrivileges, p.UID = late, 1000
		p.Effective, p.Permitted = 0, 0
		p.Seccomp = filter(unix.SYS_UNAME, refuse(unix.EXDEV))
		if out := run(t, nil, p); !strings.Contains(out, "ross-device link") || !strings.HasSuffix(out, "\t2") {
			t.Errorf("no_new_privs %v: %q", late, out)
		}
	}
}

// Without no_new_privs the filter needs CAP_SYS_ADMIN, so it meets the capset that
// takes that away, and nothing before: not the look-up, not the working directory.
func TestSeccompOrder(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := rootPlan(t, "true")
	p.UID = 1000
	p.Seccomp = filter(unix.SYS_CAPSET, refuse(unix.EXDEV))
	if step := configureError(t, nil, p); step.Error() != "capset: invalid cross-device link" {
		t.Errorf("without no_new_privs: %v", step)
	}
	for _, nr := range []uint32{unix.SYS_GETCWD, unix.SYS_CHDIR, unix.SYS_FACCESSAT2, unix.SYS_SETRESUID} {
		p.Seccomp = filter(nr, refuse(unix.EXDEV))
		run(t, nil, p)
	}
	p.NoNewPrivileges = true
	p.Seccomp = filter(unix.SYS_CAPSET, refuse(unix.EXDEV))
	run(t, nil, p)
}

func TestSeccompIsRefused(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := rootPlan(t, "true")
	p.Seccomp = []byte{0xff, 0xff, 0, 0, 0, 0, 0, 0}
	if step := configureError(t, nil, p); step.Error() != "load seccomp filter: invalid argument" {
		t.Errorf("error %v", step)
	}
}

func TestKeyring(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	name := fmt.Sprintf("_ses.nsenter-test-%d", os.Getpid())
	p := shell(t, "grep "+name+" /proc/keys || echo none")
	if out := run(t, nil, p); out != "none" {
		t.Fatalf("keyring before: %q", out)
	}
	p.Keyring = name
	out := run(t, nil, p)
	fields := strings.Fields(out)
	if len(fields) < 5 {
		t.Skipf("needs kernel keyrings: %q", out)
	}
	if usr := parseHex(t, fields[4]) >> 16 & 0xff; usr&0x08 == 0 {
		t.Errorf("permissions %s: the user may not search", fields[4])
	}
	p.Keyring = strings.Repeat("k", 5000)
	if step := configureError(t, nil, p); step.Step != "join session keyring" || step.Errno == 0 {
		t.Errorf("long name: %v", step)
	}
}

func openTerminal(t *testing.T) (master, peer *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("needs a pty: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, master.Fd(), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		t.Fatal(errno)
	}
	peer = os.NewFile(fd, "pty peer")
	t.Cleanup(func() { peer.Close() })
	return master, peer
}

func TestConsole(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	master, peer := openTerminal(t)
	i := start(t, &Options{NewNamespaces: allNew})
	p := shell(t, `echo to the terminal >/dev/tty; stat -L -c "owner %u:%g" /proc/self/fd/0 /proc/self/fd/2; [ "$(readlink /proc/self/fd/0)" = "$(readlink /proc/self/fd/2)" ] && echo same; echo end`)
	p.UID, p.GID, p.NewSession, p.Console = 1000, 1000, true, peer
	if err := i.Configure(p); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(peer.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	peer.Close()
	if err := i.Proceed(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(out.String(), "end") {
		n, err := master.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, out.String())
		}
		out.Write(buf[:n])
	}
	want := fmt.Sprintf("to the terminal\r\nowner 1000:%d\r\nowner 1000:%d\r\nsame\r\nend\r\n", st.Gid, st.Gid)
	if out.String() != want {
		t.Errorf("output %q, want %q", out.String(), want)
	}
}

func TestConsoleFails(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	p := rootPlan(t, "true")
	p.Console, p.NewSession = null, true
	if step := configureError(t, nil, p); step.Error() != "set controlling terminal: inappropriate ioctl for device" {
		t.Errorf("error %v", step)
	}
}

// Pipes and files go to the user; /dev/null, which is everybody's, does not.
func TestStdioOwner(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	var before unix.Stat_t
	if err := unix.Fstat(int(null.Fd()), &before); err != nil {
		t.Fatal(err)
	}
	p := shell(t, `stat -L -c %u /proc/self/fd/0 /proc/self/fd/1; echo again >/proc/self/fd/1`)
	p.UID = 1234
	p.Effective, p.Permitted = 0, 0
	o := &Options{NewNamespaces: allNew}
	o.Stdio[0] = null
	if out := run(t, o, p); out != fmt.Sprintf("%d\n1234\nagain", before.Uid) {
		t.Errorf("output %q, /dev/null was %d's", out, before.Uid)
	}
}

// rootfs is a directory with a static shell in it.
func rootfs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	data, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skipf("needs a static busybox: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin/busybox"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func openDir(t *testing.T, dir string) *os.File {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestChroot(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := rootPlan(t, "busybox", "ls", "/")
	p.Root, p.Cwd = openDir(t, rootfs(t)), "/bin"
	if out := run(t, nil, p); out != "bin" {
		t.Errorf("output %q", out)
	}
}

func TestCwd(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	dir := t.TempDir()
	p := rootPlan(t, "pwd")
	p.Cwd = dir
	if out := run(t, nil, p); out != dir {
		t.Errorf("output %q", out)
	}
	p.Cwd = dir + "/missing"
	if step := configureError(t, nil, p); step.Error() != "chdir "+dir+"/missing: no such file or directory" {
		t.Errorf("error %v", step)
	}
}

// What root may not enter the user may: the second attempt.
func TestCwdOfUser(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	dir := filepath.Join(t.TempDir(), "private")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 1000, 1000), os.Chmod(filepath.Dir(dir), 0o755),
		os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755)); err != nil {
		t.Fatal(err)
	}
	onThreadWithout(t, []uintptr{unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH}, func() {
		p := &Plan{Args: []string{"/bin/pwd"}, Cwd: dir, UID: 1000, GID: 1000}
		if out := run(t, nil, p); out != dir {
			t.Errorf("output %q", out)
		}
		p.UID = 1001
		if step := configureError(t, nil, p); step.Error() != "chdir "+dir+": permission denied" {
			t.Errorf("error %v", step)
		}
	})
}

// CVE-2024-21626: a cwd through a descriptor of a directory of the host.
func TestCwdOutsideRoot(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	root := rootfs(t)
	if err := os.Mkdir(filepath.Join(root, "proc"), 0o755); err != nil {
		t.Fatal(err)
	}
	onThread(func() {
		if err := errors.Join(
			unix.Unshare(unix.CLONE_NEWNS|unix.CLONE_FS),
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("proc", filepath.Join(root, "proc"), "proc", 0, ""),
		); err != nil {
			t.Errorf("mount namespace: %v", err)
			return
		}
		host := openDir(t, "/usr")
		p := rootPlan(t, "busybox", "pwd")
		p.Root, p.Cwd = openDir(t, root), "/proc/self/fd/3"
		o := &Options{NewNamespaces: unix.CLONE_NEWUTS, ExtraFiles: []*os.File{host}}
		step := configureError(t, o, p)
		want := `cwd "/proc/self/fd/3" is outside of the container's root: possible breakout attempt`
		if step.Error() != want {
			t.Errorf("error %v, want %s", step, want)
		}
		// None of init's own descriptors leads out either, and the program of a
		// path through one of them is not found in the exec.
		for fd := 4; fd < 12; fd++ {
			p.Cwd = fmt.Sprintf("/proc/self/fd/%d/../..", fd)
			i := start(t, o)
			if err := i.Configure(p); err == nil {
				t.Errorf("cwd %s was accepted", p.Cwd)
			}
		}
	})
}

func TestPersonality(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	const linux32 = 8
	for _, domain := range []uint32{0, linux32} {
		p := rootPlan(t, "cat", "/proc/self/personality")
		p.Personality = &domain
		if out := run(t, nil, p); out != fmt.Sprintf("%08x", domain) {
			t.Errorf("personality %s, want %#x", out, domain)
		}
	}
}

func TestMemoryPolicy(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	if _, err := os.Stat("/proc/self/numa_maps"); err != nil {
		t.Skipf("needs a kernel with NUMA: %v", err)
	}
	for _, tt := range []struct {
		policy MemoryPolicy
		want   string
	}{
		{MemoryPolicy{Mode: unix.MPOL_BIND, Nodes: []uint64{1}}, "bind:0"},
		{MemoryPolicy{Mode: unix.MPOL_BIND | unix.MPOL_F_STATIC_NODES, Nodes: []uint64{1, 0}}, "bind=static:0"},
		{MemoryPolicy{Mode: unix.MPOL_LOCAL}, "local"},
		{MemoryPolicy{}, "default"},
	} {
		p := shell(t, "grep -m 1 heap /proc/self/numa_maps")
		p.MemoryPolicy = &tt.policy
		if f := strings.Fields(run(t, nil, p)); len(f) < 2 || f[1] != tt.want {
			t.Errorf("policy %q, want %s", f, tt.want)
		}
	}
	p := rootPlan(t, "true")
	p.MemoryPolicy = &MemoryPolicy{Mode: unix.MPOL_BIND}
	if step := configureError(t, nil, p); step.Error() != "set_mempolicy: invalid argument" || step.Step != StepMemoryPolicy {
		t.Errorf("error %v", step)
	}
}

func TestResetAffinity(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	all := statusOf(t, "/proc/self/status")["Cpus_allowed"]
	onThread(func() {
		var one unix.CPUSet
		one.Set(0)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			t.Errorf("sched_setaffinity: %v", err)
			return
		}
		for _, reset := range []bool{false, true} {
			want := all
			if !reset {
				want = strings.Repeat("0", len(all)-1) + "1"
			}
			o := &Options{NewNamespaces: allNew, ResetAffinity: reset}
			if got := parseStatus(run(t, o, rootPlan(t, "cat", "/proc/self/status")))["Cpus_allowed"]; got != want {
				t.Errorf("reset %v: CPUs %s, want %s", reset, got, want)
			}
		}
	})
}

// Where the security module is missing the kernel refuses the text, and the error
// names the label. With it, the integration tests look at the effect.
func TestLabelsAreRefused(t *testing.T) {
	requireInit(t)
	checkLeaks(t)
	p := rootPlan(t, "true")
	p.AppArmor = "no-such-profile"
	step := configureError(t, nil, p)
	if step.Step != StepAppArmor || step.Detail != "no-such-profile" || step.Errno == 0 {
		t.Errorf("AppArmor: %v", step)
	}
	p.AppArmor = strings.Repeat("x", wireMaxDetail)
	if step := configureError(t, nil, p); !strings.HasSuffix(step.Error(), ": file name too long") {
		t.Errorf("long profile: %v", step)
	}
	p = rootPlan(t, "true")
	p.SELinux = "no such label"
	step = configureError(t, nil, p)
	if step.Step != StepSELinux || step.Detail != "no such label" || step.Errno == 0 {
		t.Errorf("SELinux: %v", step)
	}
}
