// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// testCheckpoint has containers that are frozen to disk, and go on from there.
func (p *podmanEngine) testCheckpoint(t *testing.T) {
	operation(t, "checkpoint and restore", func(t *T) {
		id := p.counting(t)
		p.do(t, "container", "checkpoint", id)
		t.equal("state", p.inspect(t, id, "{{.State.Status}} {{.State.Checkpointed}}"), "exited true")
		p.do(t, "container", "restore", id)
		p.goesOn(t, id)
	})
	operation(t, "checkpoint leaves running", func(t *T) {
		id := p.counting(t)
		p.do(t, "container", "checkpoint", "--leave-running", "--keep", id)
		t.equal("state", p.inspect(t, id, "{{.State.Status}}"), "running")
		p.do(t, "kill", id)
		p.do(t, "wait", id)
		p.do(t, "container", "restore", "--keep", id)
		p.goesOn(t, id)
	})
	operation(t, "checkpoint export and import", func(t *T) {
		id := p.counting(t)
		file := filepath.Join(p.directory(t), "counter.tar.zst")
		p.do(t, "container", "checkpoint", "--export", file, id)
		p.do(t, "rm", id)
		restored := p.do(t, "container", "restore", "--import", file)
		t.equal("the id", restored, id)
		p.goesOn(t, id)
	})
	operation(t, "checkpoint import under another name", func(t *T) {
		id := p.counting(t)
		file := filepath.Join(p.directory(t), "counter.tar")
		p.do(t, "container", "checkpoint", "--compress", "none", "--leave-running", "--export", file, id)
		for _, name := range []string{"second", "third"} {
			p.removeLater(t, name)
			p.do(t, "container", "restore", "--import", file, "--name", name, "--ignore-static-ip", "--ignore-static-mac")
			p.goesOn(t, name)
		}
	})
	operation(t, "checkpoint with a predump", func(t *T) {
		if r := (command{args: []string{"criu", "check", "--feature", "mem_dirty_track"}}).try(t); r.code != 0 {
			t.Skipf("criu cannot see which memory has changed on this kernel: %s", r.err)
		}
		id := p.counting(t)
		dir := p.directory(t)
		p.do(t, "container", "checkpoint", "--pre-checkpoint", "--export", dir+"/pre.tar.gz", id)
		t.equal("state", p.inspect(t, id, "{{.State.Status}}"), "running")
		p.do(t, "container", "checkpoint", "--with-previous", "--export", dir+"/last.tar.gz", id)
		p.do(t, "rm", id)
		p.do(t, "container", "restore", "--import-previous", dir+"/pre.tar.gz", "--import", dir+"/last.tar.gz")
		p.goesOn(t, id)
	})
	operation(t, "checkpoint as an image", func(t *T) {
		id := p.counting(t)
		t.Cleanup(func() { p.do(t, "rmi", "--force", "frozen") })
		p.do(t, "container", "checkpoint", "--create-image", "frozen", id)
		p.do(t, "rm", id)
		restored := p.do(t, "container", "restore", "frozen")
		p.removeLater(t, restored)
		p.goesOn(t, restored)
	})
}

// counting starts a container that counts in memory.
func (p *podmanEngine) counting(t *T) string {
	t.Helper()
	id := p.start(t, nil, counts(1000, "/tmp/count")...)
	p.count(t, id, 1003)
	return id
}

// count waits until it has counted to more than n.
func (p *podmanEngine) count(t *T, id string, n int) {
	t.Helper()
	t.until("it counts", func() error {
		var got int
		r := p.try(t, "exec", id, "cat", "/tmp/count")
		if _, err := fmt.Sscan(strings.TrimSpace(r.out), &got); err != nil || got <= n {
			return fmt.Errorf("%s%s", r.out, r.err)
		}
		return nil
	})
}

// goesOn checks that the container has its memory still.
func (p *podmanEngine) goesOn(t *T, id string) {
	t.Helper()
	t.equal("state", p.inspect(t, id, "{{.State.Status}}"), "running")
	p.count(t, id, 1006)
	p.do(t, "stop", "--time", "0", id)
}
