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

// Symbolic links in a root file system that lead out of it, or are repeatedly exchanged for a
// directory. No berth has ever followed one, so older versions of other runtimes show that the
// attacks work.

// withstandsOf is withstands with a runtime of the host as the weak one. Its version must begin with
// one that is known to have the vulnerability.
func withstandsOf(t *testing.T, name, version string, tries int, attack func(s *stage) string) {
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

// createdIn returns what an attack has created in a directory of the host.
func createdIn(t *testing.T, dir string) string {
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

// TestDevLink: /dev of the image is a symbolic link out of the root file system, where devices
// and symbolic links would be created (CVE-2026-41579, CVE-2026-47766).
func TestDevLink(t *testing.T) {
	withstandsOf(t, "runc", "1.1", 1, func(s *stage) string {
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
		return createdIn(t, outside)
	})
}

// TestNullLink: /dev/null on a volume on /dev is a symbolic link to a file that the config masks
// or makes read-only. A mask would then show that file (CVE-2025-31133).
func TestNullLink(t *testing.T) {
	withstandsOf(t, "runc", "1.1", 1, func(s *stage) string {
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

// TestDestinations: another container repeatedly exchanges a directory of a shared volume for a
// symbolic link out of it. In that directory are mount points of all kinds, a device, a working
// directory, and masked and read-only paths (CVE-2021-30465, CVE-2024-45310).
func TestDestinations(t *testing.T) {
	withstandsOf(t, "runc", "1.1", 3, func(s *stage) string {
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
			if won := createdIn(t, outside); won != "" {
				return won
			}
		}
		return ""
	})
}

// TestFakeProc: /proc of the image is a symbolic link to a directory of files that look like the
// kernel's. What the runtime writes there would have no effect (CVE-2019-16884, CVE-2019-19921).
// A config.json without a mount on /proc is the weak one.
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

// TestRootlessSys: a container with the config of `spec --rootless`, with CAP_SYS_ADMIN in its
// user namespace, unmounts what hides the host's cgroups, and creates a cgroup.
func TestRootlessSys(t *testing.T) {
	withstands(t, 1, func(s *stage) string {
		b := s.box("a")
		cmd := exec.Command(s.runtime, "spec", "--rootless")
		cmd.Dir = b.dir
		must(t, cmd.Run(), json.Unmarshal([]byte(read(b.path("config.json"))), b.spec))
		b.spec.Process.Terminal = false
		b.capabilities("CAP_SYS_ADMIN")
		name := "made-" + suite.token
		// This is where the containers of this run are. One hierarchy of cgroup v1 is enough.
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
