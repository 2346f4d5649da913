// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// testExec has commands in a running container.
func (p *podmanEngine) testExec(t *testing.T) {
	smoke(t, "exec", func(t *T) {
		id := p.start(t, []string{"--env", "A=1"}, "sleep", "1000")
		out := p.do(t, "exec", "--user", "1000", "--workdir", "/var", "--env", "B=2", id, "sh", "-c", "id -u; pwd; echo $A$B")
		t.equal("output", out, "1000\n/var\n12")
		out = p.command("exec", "--interactive", id, "cat").stdinOf([]byte("over and out")).run(t)
		t.equal("output", out, "over and out")
	})
	operation(t, "exec exit statuses", func(t *T) {
		id := p.start(t, nil, "sleep", "1000")
		for _, c := range []struct {
			want int
			args []string
		}{
			{42, []string{"sh", "-c", "exit 42"}},
			{143, []string{"sh", "-c", "kill $$"}},
			{127, []string{"missing"}},
			{127, []string{"/missing"}},
			{126, []string{"/etc/passwd"}},
		} {
			if r := p.try(t, append([]string{"exec", id}, c.args...)...); r.code != c.want {
				t.Errorf("%s: exit status %d, want %d: %s", c.args, r.code, c.want, r.err)
			}
		}
	})
	operation(t, "exec at a terminal", func(t *T) {
		id := p.start(t, nil, "sleep", "1000")
		t.contains("output", p.terminal(t, "exec", "--interactive", "--tty", id, "tty"), "/dev/pts/")
	})
	operation(t, "exec detached", func(t *T) {
		id := p.start(t, nil, "sleep", "1000")
		p.do(t, "exec", "--detach", id, "sh", "-c", "echo done >/tmp/done")
		t.until("the file", func() error {
			if r := p.try(t, "exec", id, "cat", "/tmp/done"); r.out != "done\n" {
				return fmt.Errorf("%s%s", r.out, r.err)
			}
			return nil
		})
	})
	operation(t, "exec privileged", func(t *T) {
		id := p.start(t, nil, "sleep", "1000")
		t.contains("in the container", p.do(t, "exec", "--privileged", id, "grep", "CapEff", "/proc/self/status"), p.allCapabilities(t))
	})
	operation(t, "exec with descriptors", func(t *T) { p.descriptors(t) })
	operation(t, "50 execs at once", func(t *T) {
		id := p.start(t, nil, "sleep", "1000")
		var group sync.WaitGroup
		results := make([]result, 50)
		for i := range results {
			group.Go(func() { results[i] = p.try(t, "exec", id, "echo", fmt.Sprint(i)) })
		}
		group.Wait()
		for i, r := range results {
			if r.code != 0 || r.out != fmt.Sprintf("%d\n", i) {
				t.Errorf("%d: exit status %d: %s%s", i, r.code, r.out, r.err)
			}
		}
	})
}

// descriptors passes an open file to a container and to a command in it.
func (p *podmanEngine) descriptors(t *T) {
	file := p.directory(t) + "/file"
	if err := os.WriteFile(file, []byte("cargo"), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	run := "exec 3<" + file + `; exec podman "$@"`
	t.equal("run", p.shell("sh", "-c", run, "sh", "run", "--rm", "--preserve-fds", "1", "box", "sh", "-c", "cat <&3").run(t), "cargo")
	id := p.start(t, nil, "sleep", "1000")
	t.equal("exec", p.shell("sh", "-c", run, "sh", "exec", "--preserve-fds", "1", id, "sh", "-c", "cat <&3").run(t), "cargo")
}
