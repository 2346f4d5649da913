// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const landlockAnnotation = "run.berth.landlock"

// landlocked gives the container Landlock rules. The kernel must support the ABI unless it is
// older than that.
func (c *container) landlocked(abi int, rules string) *container {
	c.t.Helper()
	onlyBerth(c.t)
	since := map[int]struct{ major, minor int }{1: {5, 13}, 2: {5, 19}, 3: {6, 2}, 4: {6, 7}, 5: {6, 10}, 6: {6, 12}}[abi]
	if !kernelAtLeast(c.t, since.major, since.minor) {
		c.t.Skipf("requires Linux %d.%d", since.major, since.minor)
	}
	have, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	require(c.t, errno == 0 && int(have) >= abi, fmt.Sprintf("Landlock ABI %d", abi))
	return c.annotate(landlockAnnotation, fmt.Sprintf(`{"abi": %d, %s}`, abi, rules))
}

// readOnlyBut returns rules that allow reading and executing everything, and writing only below
// paths.
func readOnlyBut(paths ...string) string {
	return fmt.Sprintf(`"handledAccessFS": ["all"], "pathBeneath": [
		{"paths": ["/"], "allowedAccess": ["execute", "read_file", "read_dir"]},
		{"paths": ["%s"], "allowedAccess": ["all"]}]`, strings.Join(paths, `", "`))
}

// writes is a script that tries to write inside and outside of the writable path.
const writes = `id -u; for d in /tmp /root; do (echo >$d/new) 2>/dev/null && echo "$d written" || echo "$d refused"; done`

const wrote = "0\n/tmp written\n/root refused"

// TestLandlock: the rules apply to the first process, with and without no_new_privs, to processes
// that exec adds, and to their children, during the container's whole life.
func TestLandlock(t *testing.T) {
	for name, nnp := range map[string]bool{"no_new_privs": true, "capabilities": false} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t).landlocked(3, readOnlyBut("/tmp", "/dev/null", "/ready"))
			c.spec.Process.NoNewPrivileges = nnp
			c.spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"landlock_restrict_self", "mkdir", "mkdirat"}, Action: specs.ActErrno}}}
			c.running()
			want(t, "exec", c.execOut(c.id, "sh", "-c", writes), wrote)
			want(t, "exec with HOME", c.execOut("-e", "HOME=/", c.id, "sh", "-c", writes), wrote)
		})
	}
}

func TestLandlockRun(t *testing.T) {
	c := newContainer(t).landlocked(1, readOnlyBut("/tmp", "/dev"))
	want(t, "run", c.sh(writes).output(), wrote)
}

// TestLandlockMounts: rules are about the paths as the container sees them, and not about what a
// mount hides.
func TestLandlockMounts(t *testing.T) {
	c := newContainer(t).landlocked(1, readOnlyBut("/link", "/dev"))
	c.mount("/mnt", "tmpfs", "tmpfs", "mode=777")
	if err := unix.Symlink("/mnt", c.rootfs("link")); err != nil {
		t.Fatal(err)
	}
	c.sh(`for f in /mnt/new /root/new; do (echo >$f) 2>/dev/null && echo $f; done; true`)
	want(t, "written", c.output(), "/mnt/new")
}

func TestLandlockTerminal(t *testing.T) {
	c := newContainer(t).landlocked(5, readOnlyBut("/tmp"))
	c.terminal().sh("stty size; " + writes)
	c.spec.Process.ConsoleSize = &specs.Box{Height: 7, Width: 9}
	r := c.receiver("console.sock")
	c.create("--console-socket", r.path)
	master, _ := r.receive()
	defer master.Close()
	c.start()
	out := readAll(t, master)
	if !strings.Contains(out, "7 9") || !strings.Contains(out, "/root refused") {
		t.Errorf("output %q", out)
	}
}

// TestLandlockHooks: the rules apply to startContainer hooks, too.
func TestLandlockHooks(t *testing.T) {
	hook := func(c *container) {
		c.spec.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo >/root/new"}}}}
	}
	c := newContainer(t).landlocked(1, readOnlyBut("/tmp", "/dev", "/root"))
	hook(c)
	c.sh("ls /root/new").run().must()
	c = newContainer(t).landlocked(1, readOnlyBut("/tmp", "/dev"))
	hook(c)
	c.sh("true").create()
	c.command("start", c.id).fails("ermission denied", "")
}

func TestLandlockNet(t *testing.T) {
	c := newContainer(t).landlocked(4, `"handledAccessNet": ["connect_tcp"], "netPort": [{"ports": [4000], "allowedAccess": ["all"]}]`)
	connect := "nc 127.0.0.1 $port </dev/null"
	if suite.kind != "busybox" {
		connect = `bash -c "echo >/dev/tcp/127.0.0.1/$port"`
	}
	c.sh("for port in 4000 4001; do " + connect + " 2>&1 | tail -n 1; done")
	lines := strings.Split(c.output(), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "refused") || !strings.Contains(lines[1], "denied") {
		t.Errorf("output %q", lines)
	}
}

// TestLandlockScoped: each process that exec adds is in a scope of its own.
func TestLandlockScoped(t *testing.T) {
	for scope, signalled := range map[string]bool{"signal": false, "abstract_unix_socket": true} {
		t.Run(scope, func(t *testing.T) {
			c := newContainer(t).landlocked(6, fmt.Sprintf(`"scoped": ["%s"]`, scope)).running()
			r := c.command("exec", c.id, "sh", "-c", "kill -0 $$ && kill -0 1")
			if (r.status == 0) != signalled {
				t.Errorf("status %d, %q", r.status, r.stderr)
			}
		})
	}
}

// TestLandlockCheckpoint: refused, since criu would not restore the rules.
func TestLandlockCheckpoint(t *testing.T) {
	c := newContainer(t).landlocked(1, readOnlyBut("/ready")).running()
	c.command("checkpoint", "--image-path", c.path("image"), c.id).
		fails(`annotations["run.berth.landlock"]: a process that Landlock confines cannot be checkpointed`, "")
	want(t, "alive", c.execOut(c.id, "echo", "yes"), "yes")
	c.command("restore", "--image-path", c.path("image"), "--bundle", c.dir, c.id+"-restored").
		fails(`annotations["run.berth.landlock"]: a restored process cannot be confined by Landlock`, "")
}

func TestBadLandlock(t *testing.T) {
	for _, test := range []struct{ name, value, err string }{
		{"no JSON", `{`, `annotations["run.berth.landlock"]: line 1, column 2: unexpected end of the file`},
		{"unknown right", `{"abi": 1, "handledAccessFS": ["fly"]}`, `annotations["run.berth.landlock"].handledAccessFS[0]: unknown right "fly"`},
		{
			"missing path", `{"abi": 1, "handledAccessFS": ["all"], "pathBeneath": [{"paths": ["/", "/none"], "allowedAccess": ["all"]}]}`,
			`annotations["run.berth.landlock"].pathBeneath[0].paths[1]: openat2 /none: no such file or directory`,
		},
		{"no program", `{"abi": 1, "handledAccessFS": ["all"]}`, "permission denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onlyBerth(t)
			c := newContainer(t).annotate(landlockAnnotation, test.value).sh("true")
			if test.name == "no program" {
				c.landlocked(1, `"handledAccessFS": ["all"]`).create()
				c.command("start", c.id).fails(test.err, "")
				return
			}
			c.write()
			c.checkRefused(test.err, "")
		})
	}
}
