// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io/fs"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// device adds a device node to the config.
func (c *container) device(path, kind string, major, minor int64, mode fs.FileMode, id uint32) *container {
	c.spec.Linux.Devices = append(c.spec.Linux.Devices, specs.LinuxDevice{
		Path: path, Type: kind, Major: major, Minor: minor, FileMode: &mode, UID: &id, GID: &id,
	})
	return c
}

// TestUserNamespaceListedDevices: with a user namespace, a device is a node with the requested
// mode and owner too, even if the host has no such node at that path.
func TestUserNamespaceListedDevices(t *testing.T) {
	if suite.users.ordinary() {
		t.Skip("requires the right to create device nodes")
	}
	for _, joined := range []bool{false, true} {
		c := newContainer(t).userns()
		if joined {
			c.namespace(specs.UserNamespace, pinned(t))
			c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings = nil, nil
		}
		c.device("/dev/kmem-of-mine", "c", 1, 5, 0o640, 7).
			device("/dev/sub/null", "c", 1, 3, 0o602, 0).
			device("/listed/here", "b", 7, 99, 0o660, 5).
			device("/dev/null", "c", 1, 3, 0o622, 3).
			device("/dev/nobodys", "c", 1, 7, 0o444, idCount+5).
			device("/dev/pipe", "p", 0, 0, 0o620, 4)
		c.allowDevice("b", 7, 99)
		c.sh("stat -c '%n %a %u:%g %t:%T' /dev/kmem-of-mine /dev/sub/null /listed/here /dev/null /dev/nobodys /dev/pipe; head -c 3 /dev/kmem-of-mine | wc -c; echo x >/dev/sub/null && echo written")
		out := "/dev/kmem-of-mine 640 7:7 1:5\n/dev/sub/null 602 0:0 1:3\n/listed/here 660 5:5 7:63\n/dev/null 622 3:3 1:3\n" +
			"/dev/nobodys 444 65534:65534 1:7\n/dev/pipe 620 4:4 0:0\n3\nwritten"
		want(t, "devices", c.output(), out)
		c.command("delete", "--force", c.id)
		want(t, "devices of a second run with that root file system", c.output(), out)
	}
}

// allowDevice lets the container use a device.
func (c *container) allowDevice(kind string, major, minor int64) {
	if c.spec.Linux.Resources == nil {
		c.spec.Linux.Resources = &specs.LinuxResources{}
	}
	c.spec.Linux.Resources.Devices = append(c.spec.Linux.Resources.Devices,
		specs.LinuxDeviceCgroup{Allow: true, Type: kind, Major: &major, Minor: &minor, Access: "rwm"})
}

// TestDefaultDevicesListed: a config that lists the default devices again, like those of
// privileged containers, has the same result as without them.
func TestDefaultDevicesListed(t *testing.T) {
	for _, userns := range []bool{false, true} {
		c := newContainer(t)
		if userns {
			c.userns()
		}
		for name, number := range map[string][2]int64{
			"null": {1, 3}, "zero": {1, 5}, "full": {1, 7}, "random": {1, 8}, "urandom": {1, 9}, "tty": {5, 0}, "ptmx": {5, 2}, "console": {5, 1},
		} {
			c.device("/dev/"+name, "c", number[0], number[1], 0o666, 0)
		}
		c.sh("readlink /dev/ptmx; stat -c %t:%T /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty; test -c /dev/ptmx && echo ptmx")
		want(t, "devices", c.output(), "pts/ptmx\n1:3\n1:5\n1:7\n1:8\n1:9\n5:0\nptmx")
	}
}
