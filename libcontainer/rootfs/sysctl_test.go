// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"fmt"
	"os"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
	"golang.org/x/sys/unix"
)

func hostProc(t *testing.T) *procfs.Handle {
	t.Helper()
	h, err := procfs.Host()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestSysctl: the value is set in the container's namespace, whatever its /proc is.
func TestSysctl(t *testing.T) {
	for _, test := range []struct {
		name string
		plan func(c *configs.Config)
	}{
		{"its procfs", func(*configs.Config) {}},
		{"read-only procfs", func(c *configs.Config) { c.Mounts[0].Flags = unix.MS_RDONLY }},
		{"procfs without sys", func(c *configs.Config) { c.Mounts[0].Data = []string{"subset=pid"} }},
		{"no procfs", func(c *configs.Config) { c.Mounts = c.Mounts[1:] }},
		{"no procfs first, then one", func(c *configs.Config) {
			c.Sysctls = append(c.Sysctls, configs.Sysctl{Key: "kernel/msgmax", Value: "9999"})
			c.Mounts[0].Flags = unix.MS_RDONLY
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inChild(t, func(t *testing.T, dir string) {
				c := plan(image(t, dir))
				test.plan(c)
				number(c)
				b := start(t, c)
				build(t, b)
				private, err := procfs.Private()
				if err != nil {
					t.Fatal(err)
				}
				defer private.Close()
				err = private.WithPath(0, func(string) error {
					data, err := os.ReadFile("sys/net/ipv4/ip_unprivileged_port_start")
					if string(data) != "7\n" {
						t.Errorf("value %q", data)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestSysctlErrors(t *testing.T) {
	for _, test := range []struct{ key, value, want string }{
		{
			"net/ipv4/no_such", "1",
			"sysctl net.ipv4.no_such: openat2 /proc/sys/net/ipv4/no_such: no such file or directory",
		},
		{
			"net/ipv4/ip_forward", "many",
			"sysctl net.ipv4.ip_forward: write /proc/sys/net/ipv4/ip_forward: invalid argument",
		},
		{
			"net/../../sysrq-trigger", "h",
			"sysctl net.//.//.sysrq-trigger: openat2 /proc/sys/net/../../sysrq-trigger: invalid argument",
		},
	} {
		t.Run(dotted(test.key), func(t *testing.T) {
			inChild(t, func(t *testing.T, dir string) {
				c := plan(image(t, dir))
				c.Sysctls = []configs.Sysctl{{Key: test.key, Value: test.value}}
				b := start(t, c)
				if err := b.Mount(); err != nil {
					t.Fatal(err)
				}
				want := fmt.Sprintf("%s (failed to write sysctl %s = %q)", test.want, dotted(test.key), test.value)
				if _, err := b.Enter(); err == nil || err.Error() != want {
					t.Errorf("error\n%v, want\n%s", err, want)
				}
			})
		})
	}
}

// TestSysctlCovered: a process has mounted something on a file of the container's procfs, so
// that the value would be written to another file (CVE-2025-52881).
func TestSysctlCovered(t *testing.T) {
	inChild(t, func(t *testing.T, dir string) {
		c := plan(image(t, dir))
		b := start(t, c)
		if err := b.Mount(); err != nil {
			t.Fatal(err)
		}
		decoy := dir + "/host/secret"
		over := c.Rootfs.Path + "/proc/sys/net/ipv4/ip_unprivileged_port_start"
		if err := unix.Mount(decoy, over, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(decoy)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := b.Enter(); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 16)
		if n, err := f.Read(buf); err != nil || string(buf[:n]) != "host" {
			t.Errorf("the decoy has %q, %v", buf[:n], err)
		}
	})
}

func TestDotted(t *testing.T) {
	for key, want := range map[string]string{
		"net/ipv4/ip_forward":             "net.ipv4.ip_forward",
		"net/ipv4/conf/eth0.1/arp_ignore": "net.ipv4.conf.eth0/1.arp_ignore",
	} {
		if got := dotted(key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}
