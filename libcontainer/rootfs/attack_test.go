// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// TestHostileImage builds from images that try to reach out of their root. Some must fail and
// some may succeed inside. None may touch a file of the host.
func TestHostileImage(t *testing.T) {
	for _, attack := range []struct {
		name string
		// image prepares the hostile root file system. host is a directory outside.
		image func(t *testing.T, root, host string)
		// plan adds to the config.
		plan func(c *configs.Config, host string)
		// fails is what the error must say; "" if the build must succeed.
		fails string
		// made lists what must then exist inside the root.
		made []string
	}{
		{
			name:  "proc is a link",
			image: func(t *testing.T, root, host string) { symlink(t, host, root+"/proc") },
			fails: `mounts[0]: mount proc on /proc: openat2 /proc: too many levels of symbolic links (filesystem "proc" must be mounted on ordinary directory)`,
		},
		{
			name:  "proc is a link inside",
			image: func(t *testing.T, root, _ string) { symlink(t, "/work", root+"/proc") },
			fails: `mounts[0]: mount proc on /proc: openat2 /proc: too many levels of symbolic links (filesystem "proc" must be mounted on ordinary directory)`,
		},
		{
			name:  "proc is a file",
			image: func(t *testing.T, root, _ string) { os.Remove(root + "/proc"); writeFile(t, root+"/proc", "") },
			fails: "mounts[0]: mount proc on /proc: not a directory",
		},
		{
			name: "sysfs below a link",
			image: func(t *testing.T, root, host string) {
				symlink(t, host, root+"/link")
			},
			plan: func(c *configs.Config, _ string) {
				add(c, configs.Mount{Destination: "/link/sys", Type: "sysfs", Source: "sysfs"})
			},
			fails: "mounts[6]: mount sysfs on /link/sys: openat2",
		},
		{
			name:  "dev is a link to the host",
			image: func(t *testing.T, root, host string) { symlink(t, host, root+"/dev") },
			plan:  withoutDev,
			made:  []string{"null", "fd", "ptmx"},
		},
		{
			name: "dev climbs out",
			image: func(t *testing.T, root, _ string) {
				symlink(t, "../../../../../../host", root+"/dev")
			},
			plan: withoutDev,
			made: []string{"/host/null", "/host/fd"},
		},
		{
			name: "null is a link to the host",
			image: func(t *testing.T, root, host string) {
				symlink(t, host+"/secret", root+"/dev/null")
			},
			plan:  withoutDev,
			fails: "device /dev/null: a different file exists there",
		},
		{
			name:  "fd link to the host stays",
			image: func(t *testing.T, root, host string) { symlink(t, host+"/secret", root+"/dev/fd") },
			plan:  withoutDev,
		},
		{
			name:  "tmpfs over a link to the host",
			image: func(t *testing.T, root, host string) { symlink(t, host, root+"/data") },
			plan: func(c *configs.Config, _ string) {
				add(c, configs.Mount{Destination: "/data/new/deep", Type: "tmpfs", Source: "tmpfs"})
			},
			made: []string{"new/deep"},
		},
		{
			name:  "file mount over a dangling link",
			image: func(t *testing.T, root, host string) { symlink(t, host+"/hosts", root+"/etc/hosts") },
			plan: func(c *configs.Config, host string) {
				add(c, configs.Mount{Destination: "/etc/hosts", Type: "bind", Source: host + "/secret", Flags: unix.MS_BIND})
			},
			made: []string{"hosts"},
		},
		{
			name:  "file mount over a link to a file of the host",
			image: func(t *testing.T, root, host string) { symlink(t, host+"/secret", root+"/etc/hosts") },
			plan: func(c *configs.Config, _ string) {
				add(c, configs.Mount{Destination: "/etc/hosts", Type: "bind", Source: "/dev/null", Flags: unix.MS_BIND})
			},
			made: []string{"secret"},
		},
		{
			name:  "cwd over a link",
			image: func(t *testing.T, root, host string) { symlink(t, host, root+"/home") },
			plan:  func(c *configs.Config, _ string) { c.Process.Cwd = "/home/evil" },
			made:  []string{"evil"},
		},
		{
			name: "link loop",
			image: func(t *testing.T, root, _ string) {
				symlink(t, "/b", root+"/a")
				symlink(t, "/a", root+"/b")
			},
			plan: func(c *configs.Config, _ string) {
				add(c, configs.Mount{Destination: "/a/x", Type: "tmpfs"})
			},
			fails: "too many levels of symbolic links",
		},
		{
			name:  "mount over the root by a link",
			image: func(t *testing.T, root, _ string) { symlink(t, "..", root+"/up") },
			plan:  func(c *configs.Config, _ string) { add(c, configs.Mount{Destination: "/up", Type: "tmpfs"}) },
			fails: "the destination is the root of the container",
		},
		{
			name:  "mount over proc",
			plan:  func(c *configs.Config, _ string) { add(c, configs.Mount{Destination: "/proc", Type: "tmpfs"}) },
			fails: "only a procfs may be mounted on /proc",
		},
		{
			name: "bind over proc",
			plan: func(c *configs.Config, host string) {
				add(c, configs.Mount{Destination: "/proc", Type: "bind", Source: host, Flags: unix.MS_BIND})
			},
			fails: "only a procfs may be mounted on /proc",
		},
		{
			name: "bind of a procfs directory over proc",
			plan: func(c *configs.Config, _ string) {
				add(c, configs.Mount{Destination: "/proc", Type: "bind", Source: "/proc/sys", Flags: unix.MS_BIND})
			},
			fails: "only a procfs may be mounted on /proc",
		},
		{
			name: "mount inside proc",
			plan: func(c *configs.Config, _ string) {
				add(c, configs.Mount{Destination: "/proc/sys/kernel", Type: "tmpfs"})
			},
			fails: "is inside /proc",
		},
		{
			name:  "mount inside proc by a link",
			image: func(t *testing.T, root, _ string) { symlink(t, "/proc/sys", root+"/p") },
			plan: func(c *configs.Config, _ string) {
				add(c, configs.Mount{Destination: "/p/kernel", Type: "tmpfs"})
			},
			fails: "the destination leads into a procfs",
		},
		{
			name: "mount inside proc before there is one",
			plan: func(c *configs.Config, host string) {
				m := configs.Mount{Destination: "/proc/self/attr", Type: "bind", Source: host, Flags: unix.MS_BIND}
				c.Mounts = append([]configs.Mount{m}, c.Mounts...)
				number(c)
			},
			fails: "mounts[0]: mount bind on /proc/self/attr: /proc/self/attr cannot be mounted because it is inside /proc",
		},
		{
			name: "passwd is a link to the host",
			image: func(t *testing.T, root, host string) {
				writeFile(t, host+"/passwd", "x:x:4242:0::/stolen:\n")
				symlink(t, host+"/passwd", root+"/etc/passwd")
			},
		},
	} {
		t.Run(attack.name, func(t *testing.T) {
			inChild(t, func(t *testing.T, dir string) {
				root, host := image(t, dir), filepath.Join(dir, "host")
				if attack.image != nil {
					attack.image(t, root, host)
				}
				c := plan(root)
				if attack.plan != nil {
					attack.plan(c, host)
				}
				// "host" inside the root, for links that go up.
				inside := filepath.Join(root, host)
				if err := os.MkdirAll(inside, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.MkdirAll(root+"/host", 0o755); err != nil {
					t.Fatal(err)
				}
				hostDir, err := os.Open(host)
				if err != nil {
					t.Fatal(err)
				}
				defer hostDir.Close()
				before := snapshot(t, hostDir)
				checkAttack(t, start(t, c), attack.fails, host, attack.made)
				if after := snapshot(t, hostDir); before != after {
					t.Errorf("the host's files changed from\n%s\nto\n%s", before, after)
				}
			})
		})
	}
}

// withoutDev leaves /dev to the image.
func withoutDev(c *configs.Config, _ string) {
	var kept []configs.Mount
	for _, m := range c.Mounts {
		if !strings.HasPrefix(m.Destination, "/dev") {
			kept = append(kept, m)
		}
	}
	c.Mounts = kept
	number(c)
}

// hostTable returns what is mounted below dir outside of the rootfs.
func hostTable(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile("/proc/thread-self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, dir) && !strings.Contains(line, dir+"/rootfs") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// checkAttack builds. Relative names in made are below inside, a directory of the container.
func checkAttack(t *testing.T, b *Builder, fails, inside string, made []string) {
	t.Helper()
	dir := filepath.Dir(b.c.Rootfs.Path)
	before := hostTable(t, dir)
	err := b.Mount()
	if after := hostTable(t, dir); after != before {
		t.Errorf("mounts outside of the root: %s", after)
	}
	if err == nil {
		_, err = b.Enter()
	}
	if fails != "" {
		if err == nil || !strings.Contains(err.Error(), fails) {
			t.Errorf("error %v, want %q", err, fails)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range made {
		if !filepath.IsAbs(name) {
			name = filepath.Join(inside, name)
		}
		if _, err := os.Lstat(name); err != nil {
			t.Errorf("not made inside the root: %v", err)
		}
	}
	if home, err := b.Home(4242); err != nil || home != "/" {
		t.Errorf("home %q, %v", home, err)
	}
}

// TestNullIsSwapped: /dev/null is replaced after it was made, as a container that shares /dev
// could do.
func TestNullIsSwapped(t *testing.T) {
	for _, swap := range []struct {
		name string
		with func(t *testing.T, null string)
	}{
		{"link", func(t *testing.T, null string) { symlink(t, "/proc/sys/kernel/core_pattern", null) }},
		{"file", func(t *testing.T, null string) { os.Remove(null); writeFile(t, null, "") }},
		{"zero", func(t *testing.T, null string) {
			os.Remove(null)
			if err := unix.Mknod(null, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
				t.Fatal(err)
			}
		}},
		{"block device", func(t *testing.T, null string) {
			os.Remove(null)
			if err := unix.Mknod(null, unix.S_IFBLK|0o666, int(unix.Mkdev(1, 3))); err != nil {
				t.Fatal(err)
			}
		}},
		{"gone", func(_ *testing.T, null string) { os.Remove(null) }},
	} {
		t.Run(swap.name, func(t *testing.T) {
			inChild(t, func(t *testing.T, dir string) {
				c := plan(image(t, dir))
				c.MaskedPaths = []string{"/proc/uptime"}
				b := start(t, c)
				if err := b.Mount(); err != nil {
					t.Fatal(err)
				}
				swap.with(t, c.Rootfs.Path+"/dev/null")
				_, err := b.Enter()
				if err == nil || !strings.HasPrefix(err.Error(), "linux.maskedPaths[0]: /proc/uptime: ") {
					t.Fatalf("error %v", err)
				}
				for _, m := range mountTable(t, b) {
					if m.point == "/proc/uptime" {
						t.Errorf("mounted all the same: %+v", m)
					}
				}
			})
		})
	}
}
