// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/berth-run/berth/tests/internal/cgrouptree"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// These attacks are about cgroups of another container, and those that a container creates
// itself.

// status returns the status that `state` prints.
func (b *box) status() string {
	b.Helper()
	var state struct{ Status string }
	if r := b.command("state", b.id); r.status == 0 {
		if err := json.Unmarshal([]byte(r.out), &state); err != nil {
			b.Fatal(err)
		}
	}
	return state.Status
}

// createKilled creates the container, and kills the command as soon as it has saved its state. It
// reports whether the state exists.
func (b *box) createKilled() bool {
	b.Helper()
	b.write()
	cmd := exec.Command(b.runtime, "--root", b.state, "create", b.id)
	cmd.Dir = b.dir
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.state, b.id, "state.json")
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		if unix.Access(file, unix.F_OK) == nil || unix.Kill(cmd.Process.Pid, 0) != nil {
			break
		}
		// Only this test can reap it.
		var info unix.Siginfo
		if unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) == nil && info.Signo != 0 {
			break
		}
	}
	_ = cmd.Process.Kill()
	err := cmd.Wait()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		b.Fatal(err)
	}
	return unix.Access(file, unix.F_OK) == nil
}

// TestCgroupOfAnother: a create for the cgroup of another container is killed before it notices
// the conflict. When it is deleted, the processes of the other container must not be killed.
func TestCgroupOfAnother(t *testing.T) {
	withstands(t, 3, func(s *stage) string {
		one := s.box("one").sh("exec sleep 10000")
		one.startOutput()
		two := s.box("two").sh("exec sleep 10000")
		two.spec.Linux.CgroupsPath = one.cgroup
		early := 0
		for n := 0; n < 200 && early < 20; n++ {
			if two.createKilled() {
				early++
			}
			two.must("delete", "--force", two.id)
			if status := one.status(); status != "running" {
				return "the other container has " + status
			}
		}
		if early == 0 {
			s.Error("no create was killed early enough")
		}
		return ""
	})
}

// cgroupBox returns a container that may write to its cgroups. inside is the path in the
// container of the cgroup by which a runtime finds its processes, and outside is the same path on
// the host.
func (s *stage) cgroupBox(name string) (b *box, inside, outside string) {
	s.Helper()
	b = s.box(name)
	b.namespace(specs.CgroupNamespace, "")
	b.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "rw")
	inside, outside = "/sys/fs/cgroup", "/sys/fs/cgroup"+b.cgroup
	if !suite.unified {
		inside, outside = "/sys/fs/cgroup/freezer", "/sys/fs/cgroup/freezer"+b.cgroup
	}
	return b, inside, outside
}

// startAndWait starts the container, and waits until its program reports that it runs.
func (b *box) startAndWait() {
	b.Helper()
	must(b.T, unix.Mkfifo(b.path("rootfs/up"), 0o666))
	f, err := os.OpenFile(b.path("rootfs/up"), os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	out := b.startOutput()
	must(b.T, f.SetReadDeadline(time.Now().Add(limit)))
	if _, err := f.Read(make([]byte, 8)); err != nil {
		b.Fatalf("the container is not up: %v: %s", err, read(out))
	}
}

// TestDeepCgroups: a container with cgroups nested deeper than the longest path cannot be listed
// and removed.
func TestDeepCgroups(t *testing.T) {
	withstands(t, 1, func(s *stage) string {
		b, inside, outside := s.cgroupBox("a")
		b.sh(`cd ` + inside + `; i=0
			while [ $i -lt 420 ]; do mkdir dddddddddd && cd -P dddddddddd || exit; i=$((i+1)); done
			sleep 10000 & echo $! >cgroup.procs
			echo up >/up; wait; exec sleep 10000`)
		b.startAndWait()
		var got []string
		for _, args := range [][]string{{"ps", b.id}, {"kill", "--all", b.id, "TERM"}, {"delete", "--force", b.id}} {
			if r := b.command(args...); r.status != 0 || r.hung {
				got = append(got, args[0]+" fails")
			}
		}
		reap()
		if _, err := os.Stat(outside); err == nil {
			got = append(got, "cgroups are left")
			for _, dir := range cgroupDirs(b.cgroup) {
				must(s.T, cgrouptree.Remove(dir))
			}
		}
		return strings.Join(got, ", ")
	})
}

// cgroupDirs returns the directories of a cgroup in all hierarchies.
func cgroupDirs(path string) []string {
	one, _ := filepath.Glob("/sys/fs/cgroup" + path)
	more, _ := filepath.Glob("/sys/fs/cgroup/*" + path)
	return append(one, more...)
}

// TestFrozenCgroup: on cgroup v1 a frozen process cannot be killed. A container freezes its first
// process in a cgroup of its own, which the runtime does not thaw.
func TestFrozenCgroup(t *testing.T) {
	if suite.unified {
		t.Skip("only for cgroup v1")
	}
	withstands(t, 1, func(s *stage) string {
		b, inside, outside := s.cgroupBox("a")
		b.sh(`mkdir ` + inside + `/below
			(cd ` + inside + `/below; echo 1 >cgroup.procs; echo FROZEN >freezer.state; echo up >/up
			while :; do echo FROZEN >freezer.state; done) &
			exec sleep 10000`)
		b.startAndWait()
		r := b.command("delete", "--force", b.id)
		if r.status == 0 && !r.hung {
			return ""
		}
		for _, dir := range []string{outside, outside + "/below"} {
			for _, word := range strings.Fields(read(dir + "/cgroup.procs")) {
				if pid, err := strconv.Atoi(word); err == nil {
					_ = unix.Kill(pid, unix.SIGKILL)
				}
			}
		}
		must(s.T, os.WriteFile(outside+"/below/freezer.state", []byte("THAWED"), 0))
		return r.String()
	})
}

// TestHookDescriptors: hooks inherit descriptors that an engine has left open. Hooks may be
// programs of others, and run as root.
func TestHookDescriptors(t *testing.T) {
	withstands(t, 1, func(s *stage) string {
		b := s.box("a").sh("true")
		secret, err := os.Create(s.dir + "/secret")
		if err != nil {
			s.Fatal(err)
		}
		defer secret.Close()
		hook := func(kind string) []specs.Hook {
			return []specs.Hook{{Path: "/bin/sh", Args: []string{
				"sh", "-c", fmt.Sprintf("ls -l /proc/self/fd | grep -q secret && echo %s >>%s/got", kind, s.dir) + "; true",
			}}}
		}
		b.spec.Hooks = &specs.Hooks{
			Prestart: hook("prestart"), CreateRuntime: hook("createRuntime"), CreateContainer: hook("createContainer"),
			Poststart: hook("poststart"), Poststop: hook("poststop"),
		}
		b.write()
		cmd := exec.Command(b.runtime, "--root", b.state, "run", b.id)
		cmd.Dir, cmd.ExtraFiles = b.dir, []*os.File{secret}
		if out, err := cmd.CombinedOutput(); err != nil {
			s.Fatalf("run: %v: %s", err, out)
		}
		return strings.Join(strings.Fields(read(s.dir+"/got")), " ")
	})
}
