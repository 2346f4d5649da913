// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// testRun has the options of podman run that are the runtime's work.
func (p *podmanEngine) testRun(t *testing.T) {
	smoke(t, "run limits", func(t *T) { p.limits(t) })
	operation(t, "run ulimits and sysctls", func(t *T) {
		options := []string{"--ulimit", "nofile=77:88", "--sysctl", "net.ipv4.ip_default_ttl=33", "--oom-score-adj", "500"}
		out := p.run(t, options, "sh", "-c", "ulimit -n; ulimit -Hn; cat /proc/sys/net/ipv4/ip_default_ttl /proc/self/oom_score_adj")
		t.equal("in the container", out, "77\n88\n33\n500")
	})
	operation(t, "run user and capabilities", func(t *T) {
		options := []string{"--user", "1000:1000", "--group-add", "1001", "--cap-drop", "all", "--cap-add", "net_raw", "--security-opt", "no-new-privileges"}
		out := p.run(t, options, "sh", "-c", "id; grep -E 'CapBnd|NoNewPrivs' /proc/self/status")
		t.contains("in the container", out, "uid=1000(user) gid=1000(user)", "1001(extra)", "CapBnd:\t0000000000002000", "NoNewPrivs:\t1")
	})
	operation(t, "run seccomp", func(t *T) { p.seccomp(t) })
	operation(t, "run AppArmor", func(t *T) {
		c := confiner{profile: "containers-default-", try: p.try, start: p.start}
		c.appArmor(t)
	})
	operation(t, "run read-only", func(t *T) {
		out := p.run(t, []string{"--read-only", "--tmpfs", "/scratch:size=1m"}, "sh", "-c", "touch /a; touch /scratch/b /tmp/c && df -k /scratch | tail -1")
		t.contains("in the container", out, "1024")
		r := p.try(t, "run", "--rm", "--read-only", "box", "touch", "/a")
		t.contains("what it says", r.err, "Read-only file system")
	})
	operation(t, "run init", func(t *T) {
		t.contains("the processes", p.run(t, []string{"--init"}, "ps"), "podman-init")
	})
	operation(t, "run privileged", func(t *T) {
		out := p.run(t, []string{"--privileged"}, "sh", "-c", "grep CapEff /proc/self/status; test -w /proc/sys/kernel && mount -t tmpfs none /tmp && ls /dev/fuse")
		t.contains("in the container", out, p.allCapabilities(t), "/dev/fuse")
	})
	operation(t, "run devices", func(t *T) {
		out := p.run(t, []string{"--device", "/dev/fuse:/dev/other:r"}, "sh", "-c", "ls -l /dev/other; ls /dev")
		t.contains("in the container", out, " 10, 229", "urandom")
		p.needController(t, "devices")
		r := p.try(t, "run", "--rm", "--cap-add", "mknod", "box", "sh", "-c", "mknod /tmp/d c 10 229 && : </tmp/d")
		t.contains("a device that is not allowed", r.err, "Operation not permitted")
		r = p.try(t, "run", "--rm", "--cap-add", "mknod", "--device-cgroup-rule", "c 10:229 rmw", "box", "sh", "-c", "mknod /dev/d c 10 229 && : </dev/d && echo opened")
		t.equal("a device that is", r.out, "opened")
	})
	operation(t, "run hooks", func(t *T) { p.hooks(t) })
	smoke(t, "run exit statuses", func(t *T) { p.exitStatuses(t) })
	operation(t, "run OOM", func(t *T) { p.oom(t) })
	operation(t, "runtime flags", func(t *T) { p.runtimeFlag(t) })
	operation(t, "run environment", func(t *T) {
		options := []string{"--env", "A=1", "--workdir", "/var", "--hostname", "mole", "--add-host", "pier:192.0.2.9", "--dns", "192.0.2.53"}
		out := p.run(t, options, "sh", "-c", "echo $A; pwd; hostname; cat /etc/hosts /etc/resolv.conf")
		t.contains("in the container", out, "1\n/var\nmole\n", "pier", "192.0.2.53")
	})
	operation(t, "run personality and masks", func(t *T) {
		out := p.run(t, []string{"--security-opt", "mask=/var/hidden", "--personality", "LINUX32"}, "sh", "-c", "uname -m; cat /proc/kcore | wc -c")
		t.contains("in the container", out, "i686", "0")
	})
}

// runtimeFlag gives the runtime another directory for its state, and one flag that it does not have.
func (p *podmanEngine) runtimeFlag(t *T) {
	// The user's, if it is one.
	root := strings.TrimSpace(p.shell("mktemp", "--directory", "--tmpdir=/tmp", "flags.XXXXXX").run(t))
	t.Cleanup(func() { p.shell("rm", "-r", root).run(t) })
	flag := "--runtime-flag=root=" + root
	id := p.do(t, flag, "run", "--detach", "box", "sleep", "1000")
	t.Cleanup(func() { p.do(t, flag, "rm", "--force", "--ignore", "--time", "0", id) })
	t.contains("the state", p.shell("ls", root).run(t), id)
	t.equal("exec", p.do(t, flag, "exec", id, "echo", "here"), "here")
	p.do(t, flag, "rm", "--force", "--time", "0", id)
	if out := p.shell("ls", root).run(t); strings.Contains(out, id) {
		t.Errorf("the state is still there: %s", out)
	}
	if r := p.try(t, "--runtime-flag=unheardof", "run", "--rm", "box", "true"); r.code != 126 || !strings.Contains(r.err, "unheardof") {
		t.Errorf("an unknown flag: exit status %d: %s", r.code, r.err)
	}
}

// needController skips an operation if a controller of cgroups is not there.
func (p *podmanEngine) needController(t *T, name string) {
	t.Helper()
	switch {
	case p.rootless && p.machine == nil:
		t.Skipf("an ordinary user has no cgroups without a service manager")
	case p.rootless && p.mode() == "v1":
		t.Skipf("an ordinary user has no cgroups of v1")
	case p.mode() == "v1" || name == "devices" || name == "freezer": // v2 has these two without a controller
	case !p.controller(name):
		t.Skipf("cgroup v2 has no controller %s here", name)
	}
}

// mode is v1 or v2: how podman sees cgroups.
func (p *podmanEngine) mode() string {
	if p.machine != nil {
		return p.machine.mode
	}
	return suite.mode
}

// controller says whether cgroup v2 has a controller for podman's containers.
func (p *podmanEngine) controller(name string) bool {
	top := "/sys/fs/cgroup"
	if p.machine != nil {
		top = "/proc/" + p.machine.pid + "/root" + top
	}
	if p.rootless {
		top += fmt.Sprintf("/user.slice/user-%[1]d.slice/user@%[1]d.service", podmanUID)
	}
	data, _ := os.ReadFile(top + "/cgroup.controllers")
	return slices.Contains(strings.Fields(string(data)), name)
}

// allCapabilities returns the capabilities that the user's containers can have, as in
// /proc/self/status: root's are those of this machine, and an ordinary user's are all in his own
// user namespace.
func (p *podmanEngine) allCapabilities(t *T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatalf("%v", err)
	}
	if p.rootless {
		return "1ffffffffff"
	}
	_, rest, _ := strings.Cut(string(data), "\nCapBnd:\t")
	set, _, _ := strings.Cut(rest, "\n")
	return set
}

func (p *podmanEngine) limits(t *T) {
	p.needController(t, "memory")
	options := []string{"--memory", "64m", "--memory-reservation", "32m", "--cpus", "0.5", "--cpu-shares", "512", "--pids-limit", "50", "--cpuset-cpus", "0"}
	files := "memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.shares pids/pids.max cpuset/cpuset.cpus"
	want := "67108864\n33554432\n50000\n512\n50\n0"
	if p.mode() == "v2" {
		files = "memory.max memory.low cpu.max pids.max cpuset.cpus"
		want = "67108864\n33554432\n50000 100000\n50\n0"
	}
	t.equal("limits", p.run(t, options, "sh", "-c", "cd /sys/fs/cgroup; cat "+files), want)
}

func (p *podmanEngine) oom(t *T) {
	p.needController(t, "memory")
	id := p.start(t, []string{"--memory", "16m", "--memory-swap", "16m"}, "sh", "-c", "a=x; while :; do a=$a$a; done")
	t.equal("exit status", p.do(t, "wait", id), "137")
	p.state(t, id, "{{.State.OOMKilled}}", "true")
}

func (p *podmanEngine) seccomp(t *T) {
	t.contains("status", p.run(t, nil, "grep", "Seccomp:", "/proc/self/status"), "2")
	t.contains("status", p.run(t, []string{"--security-opt", "seccomp=unconfined"}, "grep", "Seccomp:", "/proc/self/status"), "0")
	profile := filepath.Join("/run", "seccomp.json")
	text := `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":30}]}`
	if err := os.WriteFile(profile, []byte(text), 0o644); err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.Remove(profile) })
	r := p.try(t, "run", "--rm", "--security-opt", "seccomp="+profile, "box", "mkdir", "/a")
	t.contains("what mkdir says", r.err, "Read-only file system")
}

// hooks runs a hook of each kind.
func (p *podmanEngine) hooks(t *T) {
	dir, err := os.MkdirTemp("/run", "hooks.")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	stages := []string{"precreate", "prestart", "createRuntime", "createContainer", "poststart", "poststop"}
	for _, stage := range stages {
		if stage == "precreate" {
			continue // it edits the config, and podman runs it
		}
		text := fmt.Sprintf(`{"version":"1.0.0","hook":{"path":"/bin/sh","args":["sh","-c","cat >%s/%s"]},"when":{"always":true},"stages":["%s"]}`, dir, stage, stage)
		if err := os.WriteFile(filepath.Join(dir, stage+".json"), []byte(text), 0o644); err != nil {
			t.Fatalf("%v", err)
		}
	}
	(&podmanEngine{options: []string{"--hooks-dir", dir}}).run(t, nil, "true")
	for _, stage := range stages[1:] {
		data, err := os.ReadFile(filepath.Join(dir, stage))
		if err != nil {
			t.Fatalf("%s: %v", stage, err)
		}
		t.contains("the state for "+stage, string(data), `"ociVersion"`, `"status"`)
	}
}

// exitStatuses are what podman makes of the runtime's errors.
func (p *podmanEngine) exitStatuses(t *T) {
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"run", "--rm", "box", "sh", "-c", "exit 42"}, 42},
		{[]string{"run", "--rm", "box", "missing"}, 127},
		{[]string{"run", "--rm", "box", "/missing"}, 127},
		{[]string{"run", "--rm", "box", "/etc/passwd"}, 126},
		{[]string{"run", "--no-such-option", "box", "true"}, 125},
		{[]string{"run", "--rm", "--network", "nowhere", "box", "true"}, 125},
	} {
		r := p.try(t, c.args...)
		if r.code != c.want {
			t.Errorf("podman %s: exit status %d, want %d: %s", strings.Join(c.args, " "), r.code, c.want, r.err)
		}
	}
}
