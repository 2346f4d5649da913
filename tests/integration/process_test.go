// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/berth-run/berth/tests/internal/bundle"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// want compares an actual text with the wanted one.
func want(t *testing.T, what, got, wanted string) {
	t.Helper()
	if got != wanted {
		t.Errorf("%s is %q, want %q", what, got, wanted)
	}
}

// procStatus makes the container print /proc/self/status, and returns its fields.
func (c *container) procStatus() map[string]string {
	c.t.Helper()
	c.args("cat", "/proc/self/status")
	fields := map[string]string{}
	for line := range strings.Lines(c.output()) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.Join(strings.Fields(value), " ")
	}
	return fields
}

func TestUser(t *testing.T) {
	c := newContainer(t)
	c.spec.Process.User = specs.User{UID: 1000, GID: 1001, AdditionalGids: []uint32{5, 2000}}
	s := c.procStatus()
	want(t, "Uid", s["Uid"], "1000 1000 1000 1000")
	want(t, "Gid", s["Gid"], "1001 1001 1001 1001")
	groups := strings.Fields(s["Groups"])
	slices.Sort(groups)
	if g := strings.Join(groups, " "); g != "2000 5" && g != "1001 2000 5" {
		t.Errorf("groups %q, want 5 and 2000", g)
	}
	want(t, "effective capabilities", s["CapEff"], "0000000000000000")
	want(t, "permitted capabilities", s["CapPrm"], "0000000000000000")
}

// TestNoGroups: the container does not get the runtime's own supplementary groups.
func TestNoGroups(t *testing.T) {
	c := newContainer(t)
	c.spec.Process.User = specs.User{UID: 1000, GID: 1000}
	if g := c.procStatus()["Groups"]; g != "" && g != "1000" {
		t.Errorf("groups %q, want none", g)
	}
}

func TestUmask(t *testing.T) {
	c := newContainer(t)
	want(t, "default umask", c.procStatus()["Umask"], "0022")
	mask := uint32(0o137)
	c.spec.Process.User.Umask = &mask
	want(t, "umask", c.procStatus()["Umask"], "0137")
}

// capMask converts names to the format of /proc/PID/status.
func capMask(t *testing.T, names ...string) string {
	t.Helper()
	numbers := map[string]uint{
		"CAP_CHOWN": unix.CAP_CHOWN, "CAP_KILL": unix.CAP_KILL, "CAP_NET_ADMIN": unix.CAP_NET_ADMIN, "CAP_SYS_TIME": unix.CAP_SYS_TIME,
		"CAP_DAC_OVERRIDE": unix.CAP_DAC_OVERRIDE, "CAP_FSETID": unix.CAP_FSETID, "CAP_FOWNER": unix.CAP_FOWNER,
		"CAP_MKNOD": unix.CAP_MKNOD, "CAP_NET_RAW": unix.CAP_NET_RAW, "CAP_SETGID": unix.CAP_SETGID,
		"CAP_SETUID": unix.CAP_SETUID, "CAP_SETFCAP": unix.CAP_SETFCAP, "CAP_SETPCAP": unix.CAP_SETPCAP,
		"CAP_NET_BIND_SERVICE": unix.CAP_NET_BIND_SERVICE, "CAP_SYS_CHROOT": unix.CAP_SYS_CHROOT,
		"CAP_AUDIT_WRITE": unix.CAP_AUDIT_WRITE, "CAP_AUDIT_READ": unix.CAP_AUDIT_READ,
	}
	var mask uint64
	for _, n := range names {
		bit, known := numbers[n]
		if !known {
			t.Fatalf("unknown capability %s", n)
		}
		mask |= 1 << bit
	}
	return fmt.Sprintf("%016x", mask)
}

func TestCapabilities(t *testing.T) {
	cases := []struct {
		name             string
		uid              uint32
		caps             *specs.LinuxCapabilities
		bnd, eff, prm, i []string
		amb              []string
	}{
		{
			name: "the usual set", caps: &specs.LinuxCapabilities{Bounding: bundle.Capabilities(), Effective: bundle.Capabilities(), Permitted: bundle.Capabilities()},
			bnd: bundle.Capabilities(), eff: bundle.Capabilities(), prm: bundle.Capabilities(),
		},
		{name: "none", caps: &specs.LinuxCapabilities{}},
		{name: "absent"},
		{
			name: "bounding without permitted: root gets them by the exec",
			caps: &specs.LinuxCapabilities{Bounding: []string{"CAP_KILL", "CAP_CHOWN"}, Permitted: []string{"CAP_CHOWN"}, Effective: []string{"CAP_CHOWN"}},
			bnd:  []string{"CAP_KILL", "CAP_CHOWN"}, eff: []string{"CAP_KILL", "CAP_CHOWN"}, prm: []string{"CAP_KILL", "CAP_CHOWN"},
		},
		{
			name: "ambient", uid: 1000,
			caps: &specs.LinuxCapabilities{
				Bounding: []string{"CAP_KILL", "CAP_NET_ADMIN"}, Permitted: []string{"CAP_KILL", "CAP_NET_ADMIN"},
				Effective: []string{"CAP_KILL", "CAP_NET_ADMIN"}, Inheritable: []string{"CAP_NET_ADMIN"}, Ambient: []string{"CAP_NET_ADMIN"},
			},
			bnd: []string{"CAP_KILL", "CAP_NET_ADMIN"}, eff: []string{"CAP_NET_ADMIN"}, prm: []string{"CAP_NET_ADMIN"},
			i: []string{"CAP_NET_ADMIN"}, amb: []string{"CAP_NET_ADMIN"},
		},
		{
			name: "a user keeps none without ambient ones", uid: 1000,
			caps: &specs.LinuxCapabilities{Bounding: bundle.Capabilities(), Effective: bundle.Capabilities(), Permitted: bundle.Capabilities()},
			bnd:  bundle.Capabilities(),
		},
		{
			name: "a number above 31",
			caps: &specs.LinuxCapabilities{Bounding: []string{"CAP_AUDIT_READ"}, Effective: []string{"CAP_AUDIT_READ"}, Permitted: []string{"CAP_AUDIT_READ"}},
			bnd:  []string{"CAP_AUDIT_READ"}, eff: []string{"CAP_AUDIT_READ"}, prm: []string{"CAP_AUDIT_READ"},
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newContainer(t)
			c.spec.Process.Capabilities = tc.caps
			c.spec.Process.User.UID = tc.uid
			c.spec.Process.NoNewPrivileges = false
			s := c.procStatus()
			want(t, "bounding set", s["CapBnd"], capMask(t, tc.bnd...))
			want(t, "effective set", s["CapEff"], capMask(t, tc.eff...))
			want(t, "permitted set", s["CapPrm"], capMask(t, tc.prm...))
			want(t, "inheritable set", s["CapInh"], capMask(t, tc.i...))
			want(t, "ambient set", s["CapAmb"], capMask(t, tc.amb...))
		})
	}
}

func TestNoNewPrivileges(t *testing.T) {
	for _, on := range []bool{true, false} {
		t.Run(strconv.FormatBool(on), func(t *testing.T) {
			c := newContainer(t)
			c.spec.Process.NoNewPrivileges = on
			w := "0"
			if on {
				w = "1"
			}
			want(t, "NoNewPrivs", c.procStatus()["NoNewPrivs"], w)
		})
	}
}

func TestRlimits(t *testing.T) {
	c := newContainer(t)
	// Each limit is at most the hard limit that every machine has.
	c.spec.Process.Rlimits = []specs.POSIXRlimit{
		{Type: "RLIMIT_NOFILE", Soft: 300, Hard: 400},
		{Type: "RLIMIT_CORE", Soft: 0, Hard: 0},
		{Type: "RLIMIT_NPROC", Soft: 100, Hard: 120},
		{Type: "RLIMIT_STACK", Soft: 1 << 20, Hard: 1 << 21},
	}
	out := c.args("cat", "/proc/self/limits").output()
	for _, w := range []string{
		"Max open files 300 400 files", "Max core file size 0 0 bytes", "Max processes 100 120 processes",
		"Max stack size 1048576 2097152 bytes",
	} {
		if !strings.Contains(squeeze(out), w) {
			t.Errorf("limits %q have no %q", squeeze(out), w)
		}
	}
}

// TestRlimitsAreInherited: the Go run time raises a limit for itself. The container must get the
// original one.
func TestRlimitsAreInherited(t *testing.T) {
	c := newContainer(t).args("cat", "/proc/self/limits")
	var old unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &old); err != nil {
		t.Fatal(err)
	}
	c.write()
	// Use a shell to set the limit, since Go restores the original limit for its children.
	script := `ulimit -S -n 200; exec "$@"`
	r := c.shell(script, suite.runtime, "--root", c.state, "run", c.id)
	if w := fmt.Sprintf("Max open files 200 %d files", old.Max); !strings.Contains(squeeze(r.out), w) {
		t.Errorf("limits %q have no %q; stderr %q", squeeze(r.out), w, r.stderr)
	}
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestOOMScoreAdj(t *testing.T) {
	own, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		t.Fatal(err)
	}
	c := newContainer(t).args("cat", "/proc/self/oom_score_adj")
	want(t, "inherited oom_score_adj", c.output(), strings.TrimSpace(string(own)))
	// Raising needs no privilege.
	n := 500
	c.spec.Process.OOMScoreAdj = &n
	want(t, "oom_score_adj", c.output(), "500")
}

func TestCwd(t *testing.T) {
	c := newContainer(t).args("pwd")
	c.spec.Process.Cwd = "/tmp"
	want(t, "cwd", c.output(), "/tmp")
	c.spec.Process.Cwd = "/made/by/the runtime"
	want(t, "new cwd", c.output(), "/made/by/the runtime")
	st, err := os.Stat(c.rootfs("made/by"))
	if err != nil || st.Mode().Perm() != 0o755 {
		t.Errorf("mode of what was made: %v, %v", st, err)
	}
}

// TestCwdInProc: /proc/self depends on the process that looks it up. When the root file system is
// set up, only init is in the container's pid namespace.
func TestCwdInProc(t *testing.T) {
	c := newContainer(t).sh("pwd -P; cat status | grep ^Pid:")
	c.spec.Process.Cwd = "/proc/self"
	want(t, "cwd", c.output(), "/proc/1\nPid:\t1")
	c.sh("pwd -P")
	c.spec.Process.Cwd = "/proc/self/task"
	want(t, "cwd below it", c.output(), "/proc/1/task")
	c.spec.Process.Cwd = "/proc/no/such"
	c.run().fails("/proc/no", "/proc/no/such")
}

// TestCwdOfUser: a working directory that only the container's user may enter.
func TestCwdOfUser(t *testing.T) {
	c := newContainer(t).args("pwd")
	if err := os.Mkdir(c.rootfs("private"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(c.rootfs("private"), 1000, 1000); err != nil {
		t.Fatal(err)
	}
	c.spec.Process.Cwd = "/private"
	c.spec.Process.User = specs.User{UID: 1000, GID: 1000}
	want(t, "cwd", c.output(), "/private")
}

func TestEnv(t *testing.T) {
	c := newContainer(t).args("env")
	c.spec.Process.Env = []string{"PATH=/bin:/usr/bin", "A=1", "B=with = and spaces", "EMPTY=", "HOME=/given"}
	lines := strings.Split(c.output(), "\n")
	slices.Sort(lines)
	want(t, "environment", strings.Join(lines, "|"), "A=1|B=with = and spaces|EMPTY=|HOME=/given|PATH=/bin:/usr/bin")
}

// TestEnvTwice: the last of two equal names wins.
func TestEnvTwice(t *testing.T) {
	c := newContainer(t).sh(`echo "$A"`)
	c.spec.Process.Env = append(c.spec.Process.Env, "A=first", "A=last")
	want(t, "A", c.output(), "last")
}

func TestHome(t *testing.T) {
	for uid, home := range map[uint32]string{0: "/root", 1000: "/home/user", 4242: "/"} {
		t.Run(strconv.Itoa(int(uid)), func(t *testing.T) {
			c := newContainer(t).sh(`echo "$HOME"`)
			c.spec.Process.User.UID = uid
			want(t, "HOME", c.output(), home)
		})
	}
}

func TestPathLookUp(t *testing.T) {
	c := newContainer(t).args("mine")
	if err := os.MkdirAll(c.rootfs("opt/a/mine"), 0o755); err != nil { // a directory with the program's name
		t.Fatal(err)
	}
	for dir, mode := range map[string]os.FileMode{"opt/b": 0o644, "opt/c": 0o755, "opt/d": 0o755} {
		if err := os.MkdirAll(c.rootfs(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(c.rootfs(dir, "mine"), []byte("#!/bin/sh\necho from "+dir+"\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	c.spec.Process.Env = []string{"PATH=/no/such:/opt/a:/opt/b:/opt/c:/opt/d"}
	want(t, "what ran", c.output(), "from opt/c")
}

// TestPathIsTheContainers: the program is looked up in the container's PATH, not in the
// runtime's.
func TestPathIsTheContainers(t *testing.T) {
	c := newContainer(t).args("true")
	c.spec.Process.Env = []string{"PATH=/no/such"}
	c.run().fails(`exec: "true": executable file not found in $PATH`, "")
}

func TestRelativeCommand(t *testing.T) {
	c := newContainer(t).args("./prog")
	if err := os.WriteFile(c.rootfs("tmp/prog"), []byte("#!/bin/sh\necho ran\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	c.spec.Process.Cwd = "/tmp"
	want(t, "output", c.output(), "ran")
}

func TestArguments(t *testing.T) {
	c := newContainer(t).args("/bin/sh", "-c", `printf '<%s>' "$0" "$@"`, "zero", "", "a b", "é", "--flag", strings.Repeat("x", 100_000))
	want(t, "arguments", c.output(), "<zero><><a b><é><--flag><"+strings.Repeat("x", 100_000)+">")
}

func TestExitStatus(t *testing.T) {
	for _, n := range []int{0, 1, 2, 126, 127, 128, 200, 255} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			newContainer(t).sh(fmt.Sprintf("exit %d", n)).run().code(n)
		})
	}
	for _, sig := range []int{9, 15, 6, 11} {
		t.Run(fmt.Sprintf("signal %d", sig), func(t *testing.T) {
			// The first process of a pid namespace ignores its own signals.
			c := newContainer(t).without(specs.PIDNamespace)
			c.sh(fmt.Sprintf("kill -%d $$", sig)).run().code(128 + sig)
		})
	}
}

// TestStandardStreams passes stdin through, and keeps stdout and stderr apart.
func TestStandardStreams(t *testing.T) {
	c := newContainer(t).sh("cat; echo problem >&2")
	in, err := os.CreateTemp(c.dir, "stdin.")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := in.WriteString("some input\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	c.write()
	r := c.commandWithStdin(in, "run", c.id).must()
	want(t, "stdout", r.out, "some input\n")
	want(t, "stderr", r.stderr, "problem\n")
}

// TestMuchOutput: more output than a pipe holds.
func TestMuchOutput(t *testing.T) {
	c := newContainer(t).sh("dd if=/dev/zero bs=65536 count=64 2>/dev/null")
	if n := len(c.run().must().out); n != 64*65536 {
		t.Errorf("%d bytes", n)
	}
}

// TestSessionLeader: the process is a session leader, so that signals to the caller's process
// group do not reach it.
func TestSessionLeader(t *testing.T) {
	c := newContainer(t).sh("cat /proc/self/stat; echo $$")
	f := strings.Fields(c.output())
	if f[5] != "1" || f[len(f)-1] != "1" {
		t.Errorf("session %s, shell's pid %s, want 1 and 1", f[5], f[len(f)-1])
	}
}

// TestSignalsAreReset: the container does not inherit ignored or blocked signals of the runtime.
func TestSignalsAreReset(t *testing.T) {
	s := newContainer(t).procStatus()
	want(t, "blocked signals", s["SigBlk"], "0000000000000000")
	want(t, "ignored signals", s["SigIgn"], "0000000000000000")
}

func TestKeyring(t *testing.T) {
	c := newContainer(t).sh("cat /proc/keys")
	if _, err := os.Stat("/proc/keys"); err != nil {
		require(t, false, "keyrings in the kernel")
	}
	if out := c.output(); !strings.Contains(out, c.id) {
		t.Errorf("no session keyring of its own in %q", out)
	}
	// Use another name, since the kernel takes time to remove the first keyring.
	other := anotherContainer(t, c).sh("cat /proc/keys")
	if out := other.run("--no-new-keyring").must().out; strings.Contains(out, other.id) {
		t.Errorf("a session keyring in %q", out)
	}
}

// TestConsoleSize: the terminal has its size before the program starts.
func TestConsoleSize(t *testing.T) {
	c := newContainer(t).args("sleep", "1000")
	c.spec.Process.Terminal = true
	c.spec.Process.ConsoleSize = &specs.Box{Height: 41, Width: 133}
	r := c.receiver("console")
	c.create("--console-socket", r.path)
	master, _ := r.receive()
	size, err := unix.IoctlGetWinsize(int(master.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row != 41 || size.Col != 133 {
		t.Errorf("size %+v, %v", size, err)
	}
}

// TestDumpable: the process can read its own files in /proc. It must not stay non-dumpable, as
// the runtime has made init.
func TestDumpable(t *testing.T) {
	c := newContainer(t).sh("readlink /proc/self/exe >/dev/null && cat /proc/self/environ >/dev/null && ls /proc/1/fd >/dev/null && echo yes")
	c.spec.Process.User = specs.User{UID: 1000, GID: 1000}
	want(t, "dumpable", c.output(), "yes")
}
