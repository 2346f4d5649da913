// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// dockerRun runs containers with what `docker run` sets for their processes.
func dockerRun(t *testing.T, d *dockerEngine) {
	smoke(t, "run hello", d.op(func(t *T) {
		t.equal("output", d.run(t, nil, "echo", "hello"), "hello")
		if info := d.do(t, "info", "--format", "{{json .Runtimes}}"); !strings.Contains(info, fmt.Sprintf("%q", runtimePath())) {
			t.Errorf("the runtime is not there: %s", info)
		}
	}))
	operation(t, "run limits of memory", d.op(func(t *T) {
		controllers(t)
		got := d.run(t, []string{"--memory", "64m", "--memory-swap", "64m", "--memory-reservation", "32m"}, "sh", "-c",
			"cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes || cat memory.max memory.low")
		t.equal("limits", got, "67108864\n33554432")
	}))
	smoke(t, "run limits of cpu and pids", d.op(func(t *T) {
		controllers(t)
		got := d.run(t, []string{"--cpus", "0.5", "--cpu-shares", "512", "--pids-limit", "77", "--cpuset-cpus", "0"}, "sh", "-c",
			"cd /sys/fs/cgroup; cat cpu/cpu.cfs_quota_us cpu/cpu.shares pids/pids.max cpuset/cpuset.cpus || cat cpu.max pids.max cpuset.cpus")
		want := "50000\n512\n77\n0"
		if suite.mode == "v2" {
			want = "50000 100000\n77\n0"
		}
		t.equal("limits", got, want)
	}))
	operation(t, "run limits of block devices", d.op(func(t *T) {
		controllers(t)
		got := d.run(t, []string{"--device-read-bps", "/dev/loop0:1mb", "--device-write-iops", "/dev/loop0:99"}, "sh", "-c",
			"cd /sys/fs/cgroup; cat blkio/blkio.throttle.read_bps_device blkio/blkio.throttle.write_iops_device || cat io.max")
		want := "7:0 1048576\n7:0 99"
		if suite.mode == "v2" {
			want = "7:0 rbps=1048576 wbps=max riops=max wiops=99"
		}
		t.equal("limits", got, want)
	}))
	operation(t, "run ulimits", d.op(func(t *T) {
		t.equal("limits", d.run(t, []string{"--ulimit", "nofile=123:456", "--ulimit", "core=0"}, "sh", "-c",
			"ulimit -Sn; ulimit -Hn; ulimit -c"), "123\n456\n0")
	}))
	operation(t, "run oom-score-adj", d.op(func(t *T) {
		t.equal("score", d.run(t, []string{"--oom-score-adj", "100"}, "cat", "/proc/self/oom_score_adj"), "100")
	}))
	operation(t, "run as users", d.op(func(t *T) {
		for options, want := range map[string]string{
			"--user=1000:1000":                  "uid=1000(user) gid=1000(user) groups=1000(user)",
			"--user=user":                       "uid=1000(user) gid=1000(user) groups=1000(user),1001(extra)",
			"--user=12345":                      "uid=12345 gid=0(root) groups=0(root)",
			"--user=user:extra":                 "uid=1000(user) gid=1001(extra) groups=1001(extra)",
			"--user=12345 --group-add=extra":    "uid=12345 gid=0(root) groups=0(root),1001(extra)",
			"--user=1000:1000 --group-add=4242": "uid=1000(user) gid=1000(user) groups=1000(user),4242",
		} {
			t.equal(options, d.run(t, strings.Fields(options), "id"), want)
		}
	}))
	operation(t, "run with environment and directory", d.op(func(t *T) {
		options := []string{"--env", "A=b c", "--workdir", "/new/dir", "--hostname", "host", "--domainname", "domain.test", "--add-host", "other:192.0.2.9"}
		t.equal("output", d.run(t, options, "sh", "-c", `echo "$A"; pwd; hostname; grep -o 192.0.2.9.*other /etc/hosts`), "b c\n/new/dir\nhost\n192.0.2.9\tother")
	}))
	operation(t, "run sysctl", d.op(func(t *T) {
		t.equal("values", d.run(t, []string{"--sysctl", "net.ipv4.ip_default_ttl=33", "--sysctl", "kernel.msgmax=9999"},
			"cat", "/proc/sys/net/ipv4/ip_default_ttl", "/proc/sys/kernel/msgmax"), "33\n9999")
	}))
	operation(t, "run --init", d.op(func(t *T) {
		// docker-init reaps the orphan.
		got := d.run(t, []string{"--init"}, "sh", "-c", `cat /proc/1/comm; sh -c 'true & exec true'; ps | grep -c '\[true\]' || true`)
		t.equal("output", got, "docker-init\n0")
	}))
	operation(t, "run --annotation", d.op(func(t *T) {
		d.since(t, 24, "annotations")
		t.equal("output", d.run(t, []string{"--annotation", "test.berth/a=b"}, "echo", "annotated"), "annotated")
	}))
	for code, args := range map[string][]string{
		// A runtime's error that is not about the command.
		"125": d.line([]string{"--sysctl", "net.ipv4.ip_default_ttl=none"}, "true"),
		"126": d.line(nil, "/etc"),
		"127": d.line(nil, "/missing"),
		"3":   d.line(nil, "sh", "-c", "exit 3"),
		"137": d.line([]string{"--init"}, "sh", "-c", "kill -KILL $$"),
	} {
		smoke(t, "exit "+code, d.op(func(t *T) {
			r := d.try(t, args...)
			t.Logf("%s", r.err)
			t.equal("exit status", fmt.Sprint(r.code), code)
		}))
	}
	operation(t, "exit 127 from $PATH", d.op(func(t *T) {
		r := d.try(t, d.line(nil, "missing")...)
		t.equal("exit status", fmt.Sprint(r.code), "127")
		t.contains("what docker says", r.err, "missing", "executable file not found in $PATH")
	}))
	operation(t, "exit 126 of a file without x", d.op(func(t *T) {
		r := d.try(t, d.line(nil, "/etc/passwd")...)
		t.equal("exit status", fmt.Sprint(r.code), "126")
		t.contains("what docker says", r.err, "permission denied")
	}))
}

// dockerIsolation runs containers with more rights and fewer.
func dockerIsolation(t *testing.T, d *dockerEngine) {
	const capabilities = "grep CapEff /proc/self/status | cut -f2"
	operation(t, "run capabilities", d.op(func(t *T) {
		t.equal("default", d.run(t, nil, "sh", "-c", capabilities), "00000000a80425fb")
		t.equal("none", d.run(t, []string{"--cap-drop", "ALL"}, "sh", "-c", capabilities), "0000000000000000")
		t.equal("one", d.run(t, []string{"--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE"}, "sh", "-c", capabilities), "0000000000000400")
		t.equal("of a user", d.run(t, []string{"--user", "user", "--cap-add", "SYS_TIME"}, "sh", "-c",
			"grep -E 'CapEff|CapBnd' /proc/self/status | cut -f2"), "0000000000000000\n00000000aa0425fb")
	}))
	operation(t, "run seccomp default", d.op(func(t *T) {
		t.equal("mode", d.run(t, nil, "sh", "-c", "grep Seccomp: /proc/self/status | cut -f2"), "2")
		if r := d.try(t, d.line(nil, "unshare", "--user", "true")...); r.code == 0 {
			t.Errorf("the default profile does not refuse unshare")
		}
		d.run(t, unconfined, "unshare", "--user", "true")
	}))
	operation(t, "run seccomp profile", d.op(func(t *T) {
		profile := `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}`
		if err := os.WriteFile("/tmp/profile.json", []byte(profile), 0o644); err != nil {
			t.Fatalf("%v", err)
		}
		r := d.try(t, d.line([]string{"--security-opt", "seccomp=/tmp/profile.json"}, "mkdir", "/x")...)
		t.contains("error", r.err, "not supported")
	}))
	operation(t, "run AppArmor", d.op(func(t *T) {
		c := confiner{profile: "docker-default (enforce)", try: d.try, start: d.detached, runtime: []string{"--runtime", d.runtime}}
		c.appArmor(t)
	}))
	operation(t, "run no-new-privileges", d.op(func(t *T) {
		t.equal("flag", d.run(t, []string{"--security-opt", "no-new-privileges"}, "sh", "-c", "grep NoNewPrivs /proc/self/status | cut -f2"), "1")
	}))
	smoke(t, "run --read-only", d.op(func(t *T) {
		r := d.try(t, d.line([]string{"--read-only"}, "touch", "/x")...)
		t.contains("error", r.err, "Read-only file system")
		d.run(t, []string{"--read-only", "--tmpfs", "/tmp"}, "touch", "/tmp/x")
	}))
	operation(t, "run --privileged", d.op(func(t *T) {
		d.everyCapability(t)
		got := d.run(t, []string{"--privileged", "--env", "device=" + spareDevice()}, "sh", "-c", capabilities+`; grep Seccomp: /proc/self/status | cut -f2
			mkdir /m && mount -t tmpfs none /m && echo mounted; echo d >/proc/sys/kernel/domainname && echo writable; test -c "$device" && echo device`)
		t.contains("output", got, "\n0\nmounted\nwritable\ndevice")
		all := command{args: []string{"sh", "-c", capabilities}}.run(t)
		t.equal("capabilities", strings.SplitN(got, "\n", 2)[0], all)
	}))
	operation(t, "run masked paths", d.op(func(t *T) {
		r := d.try(t, d.line(nil, "sh", "-c", "cat /proc/mounts; echo 1 >/proc/sys/kernel/domainname")...)
		t.contains("output", r.out+r.err, "proc /proc/sys proc ro,", "Read-only file system")
		d.run(t, []string{"--security-opt", "systempaths=unconfined"}, "sh", "-c", "! grep ' /proc/' /proc/mounts")
	}))
	operation(t, "run in others' namespaces", d.op(func(t *T) {
		id := d.detached(t, []string{"--ipc", "shareable"}, "sleep", "1000")
		namespace := func(kind, of string) string {
			return d.do(t, "exec", of, "readlink", "/proc/self/ns/"+kind)
		}
		for kind, option := range map[string]string{"pid": "--pid", "net": "--network", "ipc": "--ipc"} {
			t.equal(kind, d.run(t, []string{option, "container:" + id}, "readlink", "/proc/self/ns/"+kind), namespace(kind, id))
		}
		for kind, option := range map[string]string{"pid": "--pid", "net": "--network", "ipc": "--ipc", "uts": "--uts"} {
			host, err := os.Readlink("/proc/self/ns/" + kind)
			if err != nil {
				t.Fatalf("%v", err)
			}
			t.equal(kind, d.run(t, []string{option, "host"}, "readlink", "/proc/self/ns/"+kind), host)
		}
	}))
	operation(t, "run --cgroupns", d.op(func(t *T) {
		host, err := os.Readlink("/proc/self/ns/cgroup")
		if err != nil {
			t.Fatalf("%v", err)
		}
		t.equal("host's", d.run(t, []string{"--cgroupns", "host"}, "readlink", "/proc/self/ns/cgroup"), host)
		t.equal("own", d.run(t, []string{"--cgroupns", "private"}, "sh", "-c", "grep -v ':/$' /proc/self/cgroup || true"), "")
	}))
	operation(t, "run --cgroup-parent", d.op(func(t *T) {
		parent, cgroup := "/parent", "/parent/"
		if suite.systemd {
			parent, cgroup = "parent.slice", "/parent.slice/docker-"
		}
		id := d.detached(t, []string{"--cgroup-parent", parent}, "sleep", "1000")
		data, err := os.ReadFile("/proc/" + d.inspect(t, id, ".State.Pid") + "/cgroup")
		if err != nil {
			t.Fatalf("%v", err)
		}
		t.contains("cgroup", string(data), cgroup+id)
		d.do(t, "rm", "--force", id)
		if suite.systemd {
			command{args: []string{"systemctl", "stop", parent}}.run(t)
		}
		command{args: []string{"find", "/sys/fs/cgroup", "-name", "parent", "-exec", "rmdir", "{}", "+"}}.try(t)
	}))
}
