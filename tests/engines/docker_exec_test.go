// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"strings"
	"testing"
)

// onTerminal returns docker's command line on a terminal of 40 by 100. What it prints there comes
// with the terminal's line ends.
func (d *dockerEngine) onTerminal(args ...string) command {
	var quoted []string
	for _, arg := range append([]string{"docker"}, args...) {
		quoted = append(quoted, "'"+strings.ReplaceAll(arg, "'", `'\''`)+"'")
	}
	c := d.command()
	c.args = []string{"script", "--quiet", "--return", "--command", "stty rows 40 cols 100; exec " + strings.Join(quoted, " "), "/dev/null"}
	return c
}

// dockerExec runs commands in containers, and attaches to them.
func dockerExec(t *testing.T, d *dockerEngine) {
	smoke(t, "exec", d.op(func(t *T) {
		id := d.detached(t, nil, "sleep", "1000")
		t.equal("output", d.do(t, "exec", "--env", "A=b", "--workdir", "/etc", "--user", "user", id, "sh", "-c", "echo $A; pwd; id -u"), "b\n/etc\n1000")
		r := d.try(t, "exec", id, "sh", "-c", "echo out; echo err >&2; exit 6")
		t.equal("result", fmt.Sprint(r), "{6 out\n err\n}")
		t.equal("input", d.command("exec", "--interactive", id, "cat").stdinOf([]byte("through")).run(t), "through")
	}))
	operation(t, "exec of what is missing", d.op(func(t *T) {
		id := d.detached(t, nil, "sleep", "1000")
		for program, part := range map[string]string{"missing": "not found", "/etc": "/etc", "/etc/passwd": "permission denied"} {
			r := d.try(t, "exec", id, program)
			if r.code != 126 && r.code != 127 {
				t.Errorf("%s: exit status %d", program, r.code)
			}
			t.contains(program, strings.ToLower(r.out+r.err), part)
		}
	}))
	operation(t, "exec --privileged", d.op(func(t *T) {
		d.everyCapability(t)
		id := d.detached(t, nil, "sleep", "1000")
		t.equal("capabilities", d.do(t, "exec", "--privileged", id, "sh", "-c", "grep CapEff /proc/self/status | cut -f2"),
			command{args: []string{"sh", "-c", "grep CapEff /proc/self/status | cut -f2"}}.run(t))
	}))
	operation(t, "exec --detach", d.op(func(t *T) {
		id := d.detached(t, nil, "sleep", "1000")
		d.do(t, "exec", "--detach", id, "sh", "-c", "echo done >/tmp/file")
		t.until("the file", func() error {
			if r := d.try(t, "exec", id, "grep", "done", "/tmp/file"); r.code != 0 {
				return fmt.Errorf("%s", r.err)
			}
			return nil
		})
	}))
	smoke(t, "exec -it", d.op(func(t *T) {
		id := d.detached(t, nil, "sleep", "1000")
		out := d.onTerminal("exec", "--interactive", "--tty", id, "sh", "-c",
			"tty; for i in 1 2 3 4 5 6 7 8 9; do [ \"$(stty size)\" = '40 100' ] && break; sleep 0.2; done; stty size; echo $TERM; exit 4").try(t)
		t.equal("exit status", fmt.Sprint(out.code), "4")
		t.contains("output", out.out, "/dev/pts/0\r\n", "40 100\r\n", "xterm\r\n")
	}))
	operation(t, "run -it", d.op(func(t *T) {
		out := d.onTerminal("run", "--rm", "--interactive", "--tty", "--runtime", d.runtime, "box", "sh", "-c",
			"ls -l /dev/console; read line; echo got $line; exit 8").stdinOf([]byte("a line\n")).try(t)
		t.equal("exit status", fmt.Sprint(out.code), "8")
		t.contains("output", out.out, "got a line\r\n", "/dev/console")
	}))
	operation(t, "attach", d.op(func(t *T) {
		id := d.do(t, "create", "--interactive", "--runtime", d.runtime, "box", "sh", "-c", "read line; echo got $line; exit 2")
		r := d.command("start", "--attach", "--interactive", id).stdinOf([]byte("first\n")).try(t)
		t.equal("start -a", fmt.Sprint(r.code, " ", r.out), "2 got first")
		d.do(t, "start", id)
		r = d.command("attach", id).stdinOf([]byte("second\n")).try(t)
		t.equal("attach", fmt.Sprint(r.code, " ", r.out), "2 got second")
	}))
	operation(t, "attach and detach by keys", d.op(func(t *T) {
		id := d.do(t, "run", "--detach", "--interactive", "--tty", "--runtime", d.runtime, "box", "sh")
		talk := d.onTerminal("attach", id).talk(t)
		// The answer shows that what follows gets there too.
		talk.say("echo $((6*7))\n", "42")
		talk.say("\x10\x11", "")
		t.equal("status", d.inspect(t, id, ".State.Status"), "running")
	}))
	operation(t, "50 execs at once", d.op(func(t *T) {
		id := d.detached(t, []string{"--init"}, "sleep", "1000")
		t.together(50, func(n int) error {
			r := d.command("exec", id, "sh", "-c", fmt.Sprintf("echo %d; exit %d", n, n)).try(t)
			if r.code != n || strings.TrimSpace(r.out) != fmt.Sprint(n) {
				return fmt.Errorf("exec %d: %d: %s%s", n, r.code, r.out, r.err)
			}
			return nil
		})
		t.until("they are gone", func() error {
			if top := d.do(t, "top", id, "-o", "pid"); strings.Count(top, "\n") != 2 {
				return fmt.Errorf("%s", top)
			}
			return nil
		})
	}))
	operation(t, "exec in namespaces of its container", d.op(func(t *T) {
		id := d.detached(t, nil, "sleep", "1000")
		const list = "cd /proc/%s/ns; for n in cgroup ipc mnt net pid uts user; do readlink $n; done"
		t.equal("namespaces", d.do(t, "exec", id, "sh", "-c", fmt.Sprintf(list, "self")), d.do(t, "exec", id, "sh", "-c", fmt.Sprintf(list, "1")))
	}))
}
