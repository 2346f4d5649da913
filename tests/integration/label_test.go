// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func haveAppArmor() bool {
	data, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	return err == nil && strings.HasPrefix(string(data), "Y")
}

func haveSELinux() bool {
	var st unix.Statfs_t
	if unix.Statfs("/sys/fs/selinux", &st) != nil || st.Type != unix.SELINUX_MAGIC {
		return false
	}
	// Without a policy, SELinux accepts any text as a label.
	label, err := os.ReadFile("/proc/self/attr/current")
	return err == nil && strings.Contains(string(label), ":")
}

// appArmorProfile loads a profile that allows everything except writing to /tmp. It returns its
// name, which contains word.
func appArmorProfile(t *testing.T, word string) string {
	t.Helper()
	only(t, haveAppArmor(), "a kernel with AppArmor")
	if _, err := exec.LookPath("apparmor_parser"); err != nil {
		require(t, false, "apparmor_parser")
	}
	name := "berth-test-" + suite.token + "-" + word
	parser := func(option string) {
		cmd := exec.Command("apparmor_parser", "-K", option)
		cmd.Stdin = strings.NewReader(fmt.Sprintf("profile %s flags=(attach_disconnected) {\n"+
			"capability, network, mount, umount, signal, unix, ptrace,\nfile,\ndeny /tmp/** w,\n}\n", name))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("apparmor_parser: %v: %s", err, out)
		}
	}
	parser("-r")
	t.Cleanup(func() { parser("-R") })
	return name
}

// TestAppArmor: the profile confines the process and the hooks in the container.
func TestAppArmor(t *testing.T) {
	for _, nnp := range []bool{false, true} {
		t.Run(fmt.Sprintf("no_new_privs %v", nnp), func(t *testing.T) {
			profile := appArmorProfile(t, "run")
			c := newContainer(t).sh("cat /proc/self/attr/current; cat /hook; echo x >/tmp/x || echo refused")
			c.spec.Process.ApparmorProfile = profile
			c.spec.Process.NoNewPrivileges = nnp
			c.spec.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{
				Path: "/bin/sh", Args: []string{"sh", "-c", "cat /proc/self/attr/current >/hook"}, Env: []string{"PATH=/bin"},
			}}}
			mode := profile + " (enforce)"
			want(t, "profile", c.output(), mode+"\n"+mode+"\nrefused")
		})
	}
}

func TestAppArmorUnknownProfile(t *testing.T) {
	only(t, haveAppArmor(), "a kernel with AppArmor")
	c := newContainer(t)
	c.spec.Process.ApparmorProfile = "no-such-profile"
	c.run().fails("process.apparmorProfile: set AppArmor profile no-such-profile: no such file or directory", "")
}

// TestNoAppArmor: a profile is an error if AppArmor cannot enforce it.
func TestNoAppArmor(t *testing.T) {
	only(t, !haveAppArmor(), "a kernel without AppArmor")
	c := newContainer(t)
	c.spec.Process.ApparmorProfile = "some-profile"
	c.run().fails("process.apparmorProfile: apparmor failed to apply profile: AppArmor is not enabled", "")
}

// These are labels that every policy for containers knows: container-selinux, or container.cil.
const (
	processLabel = "system_u:system_r:container_t:s0:c0,c1"
	fileLabel    = "system_u:object_r:container_file_t:s0:c0,c1"
)

// needLabel skips a test if the kernel has no SELinux policy that knows the label.
func needLabel(t *testing.T, label string) {
	t.Helper()
	knows := func(label string) bool { return os.WriteFile("/sys/fs/selinux/context", []byte(label), 0) == nil }
	only(t, haveSELinux() && knows(label), "an SELinux policy for containers")
}

// TestSELinux: the process and the hooks in the container have the label.
func TestSELinux(t *testing.T) {
	for _, nnp := range []bool{false, true} {
		t.Run(fmt.Sprintf("no_new_privs %v", nnp), func(t *testing.T) {
			needLabel(t, processLabel)
			c := newContainer(t).sh("cat /proc/self/attr/current; echo; cat /hook")
			c.spec.Process.SelinuxLabel = processLabel
			c.spec.Process.NoNewPrivileges = nnp
			c.spec.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{
				Path: "/bin/sh", Args: []string{"sh", "-c", "cat /proc/self/attr/current >/hook"}, Env: []string{"PATH=/bin"},
			}}}
			want(t, "label", strings.ReplaceAll(c.output(), "\x00", ""), processLabel+"\n"+processLabel)
		})
	}
}

func TestSELinuxUnknownLabel(t *testing.T) {
	needLabel(t, processLabel)
	c := newContainer(t)
	c.spec.Process.SelinuxLabel = "no such label"
	c.run().fails("process.selinuxLabel: set SELinux label no such label: invalid argument", "")
}

func TestNoSELinux(t *testing.T) {
	only(t, !haveSELinux(), "a kernel without SELinux")
	c := newContainer(t)
	c.spec.Process.SelinuxLabel = "system_u:system_r:container_t:s0"
	c.run().fails("process.selinuxLabel: selinux label is specified in config, but selinux is disabled or not supported: SELinux is not enabled", "")
}

// TestMountLabelWithoutSELinux: engines set linux.mountLabel on every host.
func TestMountLabelWithoutSELinux(t *testing.T) {
	only(t, !haveSELinux(), "a kernel without SELinux")
	c := newContainer(t).args("echo", "ran")
	c.spec.Linux.MountLabel = "system_u:object_r:container_file_t:s0"
	want(t, "output", c.output(), "ran")
}

// TestMountLabel: the label is an option of new file systems, except for those with their own
// labels.
func TestMountLabel(t *testing.T) {
	needLabel(t, fileLabel)
	c := newContainer(t).args("cat", "/proc/self/mounts")
	c.spec.Linux.MountLabel = fileLabel
	found := 0
	for line := range strings.Lines(c.output()) {
		f := strings.Fields(line)
		wanted, known := map[string]bool{"/dev": true, "/dev/shm": true, "/proc": false, "/sys": false, "/dev/mqueue": false}[f[1]]
		if !known {
			continue
		}
		found++
		if labelled := strings.Contains(line, `context="`+fileLabel+`"`); labelled != wanted {
			t.Errorf("mount %q", line)
		}
	}
	if found != 5 {
		t.Errorf("%d of the mounts found", found)
	}
}
