// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/berth-run/berth/tests/engines/image"
)

// containerdEngine is a containerd, which ctr and the CRI talk to.
type containerdEngine struct {
	*daemon
	// major is the first number of its version.
	major string
}

// programs are those that a room has beside its packages (see ./run).
const programs = "/opt/programs"

// containerdRest is what a test needs besides the document's configuration.
var containerdRest = map[string]string{
	"1": `
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "` + sandboxImage + `"
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "$CNI"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/containerd/certs.d"
`,
	"2": `
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "` + sandboxImage + `"
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "/etc/containerd/certs.d"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["$CNI"]
`,
}

// startContainerd starts one with the document's configuration.
func startContainerd(t *testing.T) *containerdEngine {
	t.Helper()
	// The room's own come first.
	cni := "/usr/lib/cni"
	t.Setenv("PATH", os.Getenv("PATH")+":"+programs+":/opt/criu/bin")
	// Containerd 2.2 and newer has one for cgroup v1.
	t.Setenv("CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS", "1")
	if _, err := os.Stat(cni); err != nil {
		cni = programs + "/cni"
	}
	version := command{args: []string{"containerd", "--version"}}.run(t)
	c := &containerdEngine{major: "2"}
	heading := "containerd"
	if strings.Contains(version, " 1.") {
		c.major, heading = "1", "containerd 1"
	}
	t.Log(version)
	config, err := snippet(heading, "toml")
	if err != nil {
		t.Fatal(err)
	}
	if suite.systemd {
		// The document's line ends with the table that it belongs to.
		config = strings.TrimRight(config, "\n") + "\n    SystemdCgroup = true\n"
	}
	config += strings.ReplaceAll(containerdRest[c.major], "$CNI", cni)
	if err := errors.Join(linkRuntime(), os.MkdirAll("/etc/containerd", 0o755),
		os.WriteFile("/etc/containerd/config.toml", []byte(config), 0o644)); err != nil {
		t.Fatal(err)
	}
	c.startDaemon(t)
	// Another one may have taken its place.
	t.Cleanup(func() { c.stop(syscall.SIGTERM) })
	return c
}

// startDaemon starts containerd, and after it was killed starts it again.
func (c *containerdEngine) startDaemon(t reporter) {
	t.Helper()
	c.daemon = start(t, "containerd", nil, "containerd")
	c.ready(t, func() error {
		if out, err := exec.Command("ctr", "version").CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// ctr returns a command line of ctr.
func ctr(args ...string) command {
	return command{args: append([]string{"ctr", "--namespace", "default"}, args...)}
}

// imports makes an image.
func imports(t reporter, namespace, name string, l *image.Layer, config image.Config) {
	t.Helper()
	archive, err := image.Archive(name, l, config)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	command{args: []string{"ctr", "--namespace", namespace, "images", "import", "-"}, stdin: string(archive)}.run(t)
}

// box is the image of busybox.
const box = "test.local/box:1"

// newBox returns ctr's arguments that make a container of busybox with the runtime under test.
func newBox(options []string, id string, args ...string) []string {
	line := append([]string{"--runc-binary", runtimePath()}, options...)
	return append(append(line, box, id), args...)
}

// run runs a command in a container until it ends, and returns what it prints.
func (c *containerdEngine) run(t reporter, options []string, args ...string) string {
	t.Helper()
	r := c.try(t, options, args...)
	if r.code != 0 {
		t.Fatalf("%v %v: exit status %d: %s%s", options, args, r.code, r.out, r.err)
	}
	return strings.TrimSpace(r.out)
}

func (*containerdEngine) try(t reporter, options []string, args ...string) result {
	t.Helper()
	return ctr(append([]string{"run", "--rm"}, newBox(options, "once", args...)...)...).try(t)
}

// detached starts a container in the background, and removes it with the operation.
func (*containerdEngine) detached(t *T, id string, options []string, args ...string) {
	t.Helper()
	t.Cleanup(func() {
		ctr("tasks", "kill", "--signal", "KILL", id).try(t)
		ctr("tasks", "delete", "--force", id).try(t)
		ctr("containers", "delete", id).try(t)
	})
	ctr(append([]string{"run", "--detach"}, newBox(options, id, args...)...)...).run(t)
}

// exec runs a command in it, which prints something. With any runtime, ctr cancels reading when the
// process has ended, and sometimes has read nothing by then; so the command may run again.
func (*containerdEngine) exec(t reporter, id string, args ...string) string {
	t.Helper()
	var out string
	err := wait(func() error {
		out = strings.TrimSpace(ctr(append([]string{"tasks", "exec", "--exec-id", "x", id}, args...)...).run(t))
		if out == "" {
			return errors.New("it prints nothing")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("exec %v: %v", args, err)
	}
	return out
}

// ended waits until a task has ended.
func (*containerdEngine) ended(t *T, id string) {
	t.Helper()
	t.until("the end of "+id, func() error {
		if out := ctr("tasks", "list").run(t); !strings.Contains(out, "STOPPED") {
			return errors.New(out)
		}
		return nil
	})
}

// needsCPU skips a test where no runtime can make a container of containerd: each has cpu.shares.
func needsCPU(t *testing.T) {
	t.Helper()
	if suite.mode != "v2" {
		return
	}
	controllers, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	if err != nil || !strings.Contains(" "+string(controllers), " cpu ") {
		t.Skipf("the cgroup has no cpu controller: %q", controllers)
	}
}

func TestContainerd(t *testing.T) {
	needsCPU(t)
	inRoom(t)
	c := startContainerd(t)
	layer, err := image.Busybox()
	if err != nil {
		t.Fatal(err)
	}
	imports(t, "default", box, layer, image.Config{Env: []string{"PATH=/bin", "FROM=image"}})
	// The image's layers stay mounted nowhere, but its content is kept.
	c.runs(t)
	c.tasks(t)
	c.faults(t)
	ctr("images", "remove", "--sync", box).run(t)
}

// runs are containers that live as long as a command of ctr.
func (c *containerdEngine) runs(t *testing.T) {
	smoke(t, "run", func(t *T) {
		t.equal("output", c.run(t, nil, "echo", "hello"), "hello")
		r := c.try(t, nil, "sh", "-c", "echo out; echo err >&2; exit 7")
		t.equal("exit status", fmt.Sprint(r.code, r.out, r.err), "7out\nerr")
	})
	operation(t, "run, input", func(t *T) {
		input := strings.Repeat("0123456789abcdef", 1<<16)
		line := ctr(append([]string{"run", "--rm"}, newBox(nil, "once", "md5sum")...)...)
		line.stdin = input
		want := command{args: []string{"md5sum"}, stdin: input}.run(t)
		t.equal("sum of 1 MiB", line.run(t), want)
	})
	smoke(t, "run, terminal", func(t *T) {
		out := onTerminal(t, ctr(append([]string{"run", "--rm", "--tty"}, newBox(nil, "once", "sh", "-c", "tty; until stty size 2>/dev/null | grep \"40 100\"; do usleep 10000; done; exit 3")...)...), 3)
		t.contains("terminal", out, "/dev/pts/0", "40 100")
	})
	operation(t, "run, environment", func(t *T) {
		options := []string{"--env", "A=b", "--cwd", "/tmp", "--user", "1000:1000", "--hostname", "named"}
		t.equal("all", c.run(t, options, "sh", "-c", "echo $FROM $A $PWD $(id -u):$(id -g) $(hostname)"), "image b /tmp 1000:1000 named")
	})
	operation(t, "run, bad command", func(t *T) {
		for program, text := range map[string]string{
			"/no/such":    `exec: "/no/such": stat /no/such: no such file or directory`,
			"nosuch":      `exec: "nosuch": executable file not found in $PATH`,
			"/etc":        `exec: "/etc": is a directory`,
			"/etc/passwd": `exec: "/etc/passwd": permission denied`,
		} {
			r := c.try(t, nil, program)
			t.contains("message of "+program, r.err, text)
		}
	})
	operation(t, "run, limits", func(t *T) {
		controllers(t)
		options := []string{"--memory-limit", "33554432", "--cpu-quota", "50000", "--cpu-period", "100000", "--cpu-shares", "77"}
		out := c.run(t, options, "sh", "-c", "cat $(grep -l . /proc/self/cgroup); true")
		c.detached(t, "limited", options, "sleep", "1000")
		files := map[string]string{
			"memory/default/limited/memory.limit_in_bytes": "33554432",
			"cpu*/default/limited/cpu.cfs_quota_us":        "50000",
			"cpu*/default/limited/cpu.shares":              "77",
		}
		if suite.mode == "v2" {
			files = map[string]string{"default/limited/memory.max": "33554432", "default/limited/cpu.max": "50000 100000"}
		} else {
			t.contains("cgroup", out, "memory:/default/once")
		}
		for file, want := range files {
			t.equal(file, command{args: []string{"sh", "-c", "cat /sys/fs/cgroup/" + file + " | head -n 1"}}.run(t), want)
		}
	})
	operation(t, "run, capabilities", func(t *T) {
		const zero, chown = "CapEff:\t0000000000000000", "CapBnd:\t0000000000000001"
		show := []string{"grep", "Cap", "/proc/self/status"}
		t.contains("all", c.run(t, []string{"--privileged"}, show...), "CapEff:\t000001")
		drops := []string{}
		for _, name := range strings.Fields("DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE") {
			drops = append(drops, "--cap-drop", "CAP_"+name)
		}
		t.contains("one", c.run(t, drops, show...), chown)
		t.contains("user", c.run(t, []string{"--user", "1000"}, show...), zero)
	})
	operation(t, "run, seccomp", func(t *T) {
		t.contains("filter", c.run(t, []string{"--seccomp"}, "cat", "/proc/self/status"), "Seccomp:\t2")
		t.contains("no new privileges", c.run(t, nil, "cat", "/proc/self/status"), "NoNewPrivs:\t1")
	})
	operation(t, "run, mounts", func(t *T) {
		if err := os.MkdirAll("/srv/volume", 0o755); err != nil {
			t.Fatalf("%v", err)
		}
		options := []string{
			"--mount", "type=bind,src=/srv/volume,dst=/mnt,options=rbind:rw",
			"--mount", "type=tmpfs,src=tmpfs,dst=/home,options=size=64k", "--read-only",
		}
		c.run(t, options, "sh", "-c", "echo written >/mnt/file; ! touch /file 2>/dev/null; ! dd if=/dev/zero of=/home/file bs=128k count=1 2>/dev/null")
		written, err := os.ReadFile("/srv/volume/file")
		t.equal("file", fmt.Sprint(string(written), err), "written\n<nil>")
		c.run(t, []string{"--mount", "type=bind,src=/srv/volume,dst=/mnt,options=rbind:ro"}, "sh", "-c", "! touch /mnt/file 2>/dev/null")
	})
	operation(t, "run, host's network", func(t *T) {
		if err := os.WriteFile("/etc/resolv.conf", nil, 0o644); err != nil {
			t.Fatalf("%v", err)
		}
		t.contains("interfaces", c.run(t, []string{"--net-host"}, "cat", "/proc/net/dev"), "lo:")
	})
	operation(t, "run, device", func(t *T) {
		t.contains("device", c.run(t, []string{"--device", spareDevice()}, "ls", "-l", spareDevice()), "crw")
	})
	operation(t, "run, user namespace", func(t *T) {
		if c.major == "1" {
			t.Skipf("containerd 1 cannot map the image for it")
		}
		options := []string{"--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536", "--snapshotter", "overlayfs"}
		t.contains("map", c.run(t, options, "cat", "/proc/self/uid_map"), "100000")
		t.equal("owner", c.run(t, options, "stat", "-c", "%u", "/bin/busybox"), "0")
	})
	operation(t, "run, rootfs", func(t *T) {
		if err := os.MkdirAll("/srv/root/bin", 0o755); err != nil {
			t.Fatalf("%v", err)
		}
		command{args: []string{"cp", "/bin/busybox", "/srv/root/bin/"}}.run(t)
		out := ctr("run", "--rm", "--runc-binary", runtimePath(), "--rootfs", "/srv/root", "once", "/bin/busybox", "echo", "plain").run(t)
		t.equal("output", out, "plain")
	})
	operation(t, "run, 20 at once", func(t *T) {
		atOnce(t, 20, func(t reporter, i int) {
			id := fmt.Sprintf("many%d", i)
			out := ctr(append([]string{"run", "--rm"}, newBox(nil, id, "echo", id)...)...).run(t)
			if strings.TrimSpace(out) != id {
				t.Errorf("%s: %q", id, out)
			}
		})
	})
}

// onTerminal runs a command line on a terminal of 40 lines of 100 characters, and returns all
// that appears there.
func onTerminal(t reporter, line command, code int) string {
	t.Helper()
	quoted := make([]string, len(line.args))
	for i, arg := range line.args {
		quoted[i] = "'" + arg + "'"
	}
	line.args = []string{"script", "--quiet", "--return", "--command", "stty rows 40 cols 100; " + strings.Join(quoted, " "), "/dev/null"}
	r := line.try(t)
	if r.code != code {
		t.Errorf("%v: exit status %d, want %d: %s%s", quoted, r.code, code, r.out, r.err)
	}
	return r.out
}
