// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Links in a root file system, which lead out of it, or are there every other moment. No
// berth has followed one, so older runtimes of others show that the attacks work.

// outruns is withstands, where what is weak is a runtime of the host's whose version begins
// with one that is known to have the hole.
func outruns(t *testing.T, name, version string, tries int, attack func(s *stage) string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		var out []byte
		out, err = exec.Command(path, "--version").Output()
		if err == nil && !strings.HasPrefix(string(out), name+" version "+version) {
			err = fmt.Errorf("it is %q", out)
		}
	}
	if err != nil {
		t.Skipf("requires %s %s: %v", name, version, err)
	}
	compare(t, path, tries, attack)
}

// gets is what a directory of the host's has got from an attack.
func gets(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// TestDevLink: /dev of the image is a link out of it, for devices and the links beside them
// (CVE-2026-41579, CVE-2026-47766).
func TestDevLink(t *testing.T) {
	outruns(t, "runc", "1.1", 1, func(s *stage) string {
		outside := s.dir + "/outside"
		b := s.box("a").sh("true")
		must(t, os.Mkdir(outside, 0o755), os.RemoveAll(b.path("rootfs/dev")), os.Symlink(outside, b.path("rootfs/dev")))
		var mounts []specs.Mount
		for _, m := range b.spec.Mounts {
			if !strings.HasPrefix(m.Destination, "/dev") {
				mounts = append(mounts, m)
			}
		}
		b.spec.Mounts = mounts
		b.command("run", b.id)
		return gets(t, outside)
	})
}

// TestNullLink: /dev/null of a volume on /dev is a link to a file that is to be hidden or
// read-only. What hides a path then opens that one in its place (CVE-2025-31133).
func TestNullLink(t *testing.T) {
	outruns(t, "runc", "1.1", 1, func(s *stage) string {
		d := s.dirs("dev")[0]
		b := s.box("a").sh("cat /proc/timer_list")
		must(t, os.Symlink("/etc/hidden", d+"/null"), os.WriteFile(b.path("rootfs/etc/hidden"), []byte("hidden"), 0o600))
		var mounts []specs.Mount
		for _, m := range b.spec.Mounts {
			if !strings.HasPrefix(m.Destination, "/dev") {
				mounts = append(mounts, m)
			}
		}
		b.spec.Mounts = append(mounts, specs.Mount{Destination: "/dev", Type: "bind", Source: d, Options: []string{"bind"}})
		if r := b.command("run", b.id); strings.Contains(r.out, "hidden\n") || r.out == "hidden" {
			return r.out
		}
		return ""
	})
}

// TestDestinations: a neighbour exchanges a directory of a shared volume with a link out of
// it, all the time. In it are mount points of all kinds, a device, a working directory, and
// paths to hide and to protect (CVE-2021-30465, CVE-2024-45310).
func TestDestinations(t *testing.T) {
	outruns(t, "runc", "1.1", 3, func(s *stage) string {
		d := s.dirs("volume", "source")
		outside := s.dir + "/outside"
		must(t, os.Mkdir(outside, 0o777), os.Mkdir(d[0]+"/x", 0o777), os.Symlink(outside, d[0]+"/link"))
		s.swapper(d[0], "x", "link")
		for i := range 60 {
			b := s.box(fmt.Sprint("victim", i)).sh("true").mount("/vol", "bind", d[0], "bind")
			dir := fmt.Sprintf("/vol/x/%d/", i)
			b.mount(dir+"tmpfs", "tmpfs", "tmpfs").mount(dir+"bind/deep", "bind", d[1], "bind")
			b.mount(dir+"file", "bind", d[1]+"/source", "bind").mount(dir+"queue", "mqueue", "mqueue")
			b.spec.Process.Cwd = dir + "cwd"
			b.spec.Linux.MaskedPaths = append(b.spec.Linux.MaskedPaths, dir+"bind")
			b.spec.Linux.ReadonlyPaths = append(b.spec.Linux.ReadonlyPaths, dir+"tmpfs")
			b.spec.Linux.Devices = append(b.spec.Linux.Devices, specs.LinuxDevice{Path: dir + "node", Type: "c", Major: 1, Minor: 3})
			b.command("run", b.id)
			if won := gets(t, outside); won != "" {
				return won
			}
		}
		return ""
	})
}

// TestFakeProc: /proc of the image is a directory of files that look like the kernel's, by a
// link: what the runtime writes there would be lost (CVE-2019-16884, CVE-2019-19921). Weak
// is a config.json without a mount on /proc.
func TestFakeProc(t *testing.T) {
	weakened(t, 1, func(s *stage) string {
		b := s.box("a").sh("cat /proc/self/attr/exec")
		fake := b.path("rootfs/fake")
		must(t, os.RemoveAll(b.path("rootfs/proc")), os.MkdirAll(fake+"/self/attr", 0o755),
			os.WriteFile(fake+"/self/attr/exec", []byte("of the image"), 0o644), os.Symlink("fake", b.path("rootfs/proc")))
		if s.weak {
			b.spec.Mounts = b.spec.Mounts[1:]
			b.spec.Linux.MaskedPaths, b.spec.Linux.ReadonlyPaths = nil, nil
		}
		if r := b.command("run", b.id); strings.Contains(r.out, "of the image") {
			return r.out
		}
		return ""
	})
}

// TestRootlessSys: a container of the template of `spec --rootless`, with CAP_SYS_ADMIN in
// its user namespace, takes away what covers the host's cgroups, and makes one.
func TestRootlessSys(t *testing.T) {
	withstands(t, 1, func(s *stage) string {
		b := s.box("a")
		cmd := exec.Command(s.runtime, "spec", "--rootless")
		cmd.Dir = b.dir
		must(t, cmd.Run(), json.Unmarshal([]byte(read(b.path("config.json"))), b.spec))
		b.spec.Process.Terminal = false
		b.capabilities("CAP_SYS_ADMIN")
		name := "made-" + suite.token
		// Where the containers of this run are; of cgroup v1 one hierarchy will do.
		parent := "/sys/fs/cgroup/pids/" + suite.token
		if suite.unified {
			parent = "/sys/fs/cgroup/" + suite.token
		}
		must(t, os.MkdirAll(parent, 0o755))
		b.sh("umount -l /sys/fs/cgroup; mkdir " + parent + "/" + name)
		b.command("run", b.id)
		if unix.Rmdir(parent+"/"+name) != nil {
			return ""
		}
		return "a cgroup of the host's"
	})
}
