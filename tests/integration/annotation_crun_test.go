// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestTimeOffsetAnnotation: the annotation has the same effect as linux.timeOffsets, and must not
// contradict it.
func TestTimeOffsetAnnotation(t *testing.T) {
	onlyBerth(t) // crun has dropped it
	c := newContainer(t)
	needTime(t)
	c.namespace(specs.TimeNamespace, "").sh("cut -d. -f1 /proc/uptime; cat /proc/self/timens_offsets")
	c.spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 7881, Nanosecs: 2}}
	c.annotate("run.oci.timens_offset", "7 1073741824 5")
	lines := strings.Split(c.output(), "\n")
	if up, err := strconv.Atoi(lines[0]); err != nil || up < 1<<30 {
		t.Errorf("uptime %q", lines[0])
	}
	want(t, "offsets", squeeze(strings.Join(lines[1:], " ")), "monotonic 7881 2 boottime 1073741824 5")
	c.annotate("run.oci.timens_offset", "monotonic 1 0").run().
		fails(`annotations["run.oci.timens_offset"]: another offset of monotonic than before`, "")
}

// TestRefusedAnnotations: annotations that ask for something other than a container, or for a
// restriction that berth does not have, are refused, not ignored. Without a value they ask for
// nothing.
func TestRefusedAnnotations(t *testing.T) {
	onlyBerth(t)
	for key, reason := range map[string]string{
		"run.oci.handler":          "berth runs programs in containers only",
		"run.oci.seccomp.plugins":  "berth loads no library into itself",
		"run.oci.seccomp_bpf_data": "use linux.seccomp to say which calls are allowed",
	} {
		t.Run(key, func(t *testing.T) {
			c := newContainer(t).args("echo", "ran").annotate(key, "x")
			c.run().fails(`annotations["`+key+`"]: not supported: "x": `, "")
			c.run().fails(reason, "")
			want(t, "output", c.annotate(key, "").output(), "ran")
		})
	}
}

// TestForceLegacyCgroup: the container gets systemd's cgroup v1 hierarchy if the host has it. A
// host with only cgroup v2 refuses.
func TestForceLegacyCgroup(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro").args("ls", "/sys/fs/cgroup")
	c.annotate("run.oci.systemd.force_cgroup_v1", "/sys/fs/cgroup")
	if suite.unified {
		c.run().fails(`annotations["run.oci.systemd.force_cgroup_v1"]: not supported on cgroup v2`, "")
		return
	}
	if out := c.output(); !strings.Contains(out, "systemd") {
		t.Errorf("/sys/fs/cgroup has %q", out)
	}
}

// TestMountContextType: linux.mountLabel becomes the requested mount option, also in mounts that
// are added later. A word that SELinux does not know is refused.
func TestMountContextType(t *testing.T) {
	onlyBerth(t)
	c := newContainer(t).annotate("run.oci.mount_context_type", "seclabel")
	c.run().fails(`annotations["run.oci.mount_context_type"]: "seclabel" is not one of context, fscontext, defcontext, rootcontext`, "")
	c.annotate("run.oci.mount_context_type", "rootcontext")
	if !haveSELinux() {
		c.spec.Linux.MountLabel = "system_u:object_r:container_file_t:s0"
		want(t, "output", c.args("echo", "ran").output(), "ran")
		return
	}
	needLabel(t, fileLabel)
	only(t, suite.users.name == "root", "root, the only user who can set it")
	c.spec.Linux.MountLabel = fileLabel
	c.mount("/tmp", "tmpfs", "tmpfs").args("sleep", "1000").create()
	root := "/proc/" + strconv.Itoa(c.pid)
	mounts, err := os.ReadFile(root + "/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), ",context=") {
		t.Errorf("mounts %q", mounts)
	}
	label := make([]byte, 256)
	n, err := unix.Getxattr(root+"/root/tmp", "security.selinux", label)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "label", strings.TrimSuffix(string(label[:n]), "\x00"), fileLabel)
}
