// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"strings"
	"testing"
)

func TestPodmanRootless(t *testing.T) {
	inRoom(t)
	p := startPodman(t, true)
	smoke(t, "run hello", func(t *T) {
		t.equal("output", p.run(t, nil, "echo", "hello"), "hello")
	})
	operation(t, "names", func(t *T) { p.names(t) })
	p.testUsers(t)
	if suite.smoke {
		return // the rest is much like root's
	}
	p.testPasta(t)
	p.testRootlessRun(t)
	p.testMounts(t)
	p.testLife(t)
	p.testExec(t)
	p.testPods(t)
	p.testBuild(t)
}

// testUsers has the ways in which an ordinary user's containers see users.
func (p *podmanEngine) testUsers(t *testing.T) {
	operation(t, "users", func(t *T) {
		out := p.run(t, nil, "sh", "-c", "cat /proc/self/uid_map; touch /a; chown 1000:1000 /a; stat -c %u:%g /a")
		t.contains("in the container", strings.Join(strings.Fields(out), " "), fmt.Sprintf("0 %d 1 ", podmanUID), " 1000000 200000 1000:1000")
	})
	smoke(t, "userns keep-id", func(t *T) {
		t.contains("in the container", p.run(t, []string{"--userns=keep-id"}, "id"), fmt.Sprintf("uid=%d(", podmanUID))
		t.contains("in the container", p.run(t, []string{"--userns=keep-id:uid=7,gid=8"}, "id"), "uid=7", "gid=8")
		dir := p.directory(t)
		p.run(t, []string{"--userns=keep-id", "--volume", dir + ":/a"}, "touch", "/a/file")
		t.equal("owner", command{args: []string{"stat", "-c", "%u", dir + "/file"}}.run(t), fmt.Sprint(podmanUID))
	})
	operation(t, "userns auto", func(t *T) {
		t.contains("the map", p.run(t, []string{"--userns=auto:size=5000"}, "cat", "/proc/self/uid_map"), " 5000")
	})
	operation(t, "userns nomap", func(t *T) {
		// These are ids of the user namespace of podman.
		t.contains("the map", strings.Join(strings.Fields(p.run(t, []string{"--userns=nomap"}, "cat", "/proc/self/uid_map")), " "), "0 1 ")
	})
	operation(t, "group-add keep-groups", func(t *T) {
		dir := p.directory(t)
		for _, args := range [][]string{{"chgrp", "dockers", dir}, {"chmod", "0070", dir}, {"chown", "root", dir}} {
			command{args: args}.run(t)
		}
		p.run(t, []string{"--group-add", "keep-groups", "--volume", dir + ":/a"}, "touch", "/a/file")
	})
}

// testPasta has the network of an ordinary user.
func (p *podmanEngine) testPasta(t *testing.T) {
	operation(t, "network pasta", func(t *T) {
		p.start(t, []string{"--publish", "127.0.0.1:8081:80"}, "httpd", "-f", "-p", "80", "-h", "/etc")
		t.until("it answers", func() error {
			r := command{args: []string{"busybox", "wget", "-qO-", "-T", "3", "http://127.0.0.1:8081/passwd"}}.try(t)
			if !strings.Contains(r.out, "root:") {
				return fmt.Errorf("%s%s", r.out, r.err)
			}
			return nil
		})
	})
	operation(t, "network", func(t *T) { p.network(t) })
}

// testRootlessRun has what an ordinary user's containers can do, or cannot.
func (p *podmanEngine) testRootlessRun(t *testing.T) {
	operation(t, "run privileged", func(t *T) {
		t.contains("in the container", p.run(t, []string{"--privileged"}, "sh", "-c", "mount -t tmpfs none /tmp; grep CapEff /proc/self/status; cat /proc/mounts"), p.allCapabilities(t), " /tmp tmpfs")
	})
	operation(t, "run user and capabilities", func(t *T) {
		out := p.run(t, []string{"--user", "1000", "--cap-drop", "all", "--cap-add", "net_raw"}, "sh", "-c", "id -u; grep CapBnd /proc/self/status")
		t.equal("in the container", out, "1000\nCapBnd:\t0000000000002000")
	})
	operation(t, "run devices", func(t *T) {
		t.contains("in the container", p.run(t, []string{"--device", "/dev/fuse"}, "ls", "-l", "/dev/fuse"), " 10, 229")
	})
	operation(t, "run read-only, init and hooks", func(t *T) {
		t.contains("in the container", p.run(t, []string{"--read-only", "--init"}, "ps"), "podman-init")
	})
	operation(t, "run exit statuses", func(t *T) { p.exitStatuses(t) })
	operation(t, "run seccomp", func(t *T) { p.seccomp(t) })
	operation(t, "cgroups disabled", func(t *T) {
		t.equal("output", p.run(t, []string{"--cgroups=disabled"}, "echo", "hello"), "hello")
	})
	operation(t, "host's network and processes", func(t *T) {
		out := p.run(t, []string{"--net=host", "--pid=host", "--ipc=host", "--uts=host"}, "sh", "-c", "ps; hostname")
		t.contains("in the container", out, "engines.test", "room")
	})
}
