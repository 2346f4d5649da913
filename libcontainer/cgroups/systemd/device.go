// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bytes"
	"os"
	"strconv"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
)

// deviceAllow is one entry of DeviceAllow: "a(ss)".
type deviceAllow struct{ Path, Access string }

// devicePolicy says in systemd's words what rules allow. Those can allow only, where
// rules also deny, so that this may allow more, but never less: the exact rules are on
// the cgroup as well, and both must agree.
//
// groups are the names of device numbers, as /proc/devices has them.
func devicePolicy(rules []configs.DeviceRule, groups func() []byte) (policy string, allowed []deviceAllow) {
	open := false
	var names []byte
	for i := range rules {
		r := &rules[i]
		if r.Type == 'a' && r.Major == configs.DeviceWildcard && r.Minor == configs.DeviceWildcard && r.Read && r.Write && r.Mknod {
			open, allowed = r.Allow, nil
			continue
		}
		if open || !r.Allow {
			continue
		}
		for _, kind := range [...]string{"char", "block"} {
			if r.Type != 'a' && r.Type != kind[0] {
				continue
			}
			if r.Major != configs.DeviceWildcard && r.Minor == configs.DeviceWildcard && names == nil {
				names = groups()
			}
			allowed = append(allowed, deviceAllow{devicePath(kind, r, names), access(r)})
		}
	}
	if open {
		return "auto", nil
	}
	return "strict", allowed
}

// devicePath names a device, or a group of them.
func devicePath(kind string, r *configs.DeviceRule, names []byte) string {
	switch {
	case r.Major == configs.DeviceWildcard:
		return kind + "-*"
	case r.Minor == configs.DeviceWildcard:
		return kind + "-" + deviceGroup(names, kind, r.Major)
	}
	return "/dev/" + kind + "/" + cgroupfs.DeviceNumber(r.Major, r.Minor)
}

func access(r *configs.DeviceRule) string {
	var b []byte
	for _, a := range [...]struct {
		on bool
		c  byte
	}{{r.Read, 'r'}, {r.Write, 'w'}, {r.Mknod, 'm'}} {
		if a.on {
			b = append(b, a.c)
		}
	}
	return string(b)
}

// deviceGroups is the kernel's list of device numbers and who has them.
func deviceGroups() []byte {
	names, _ := os.ReadFile("/proc/devices")
	return names
}

// deviceGroup finds the name of a major number in sections like
//
//	Character devices:
//	136 pts
//
// One that nobody has is named by the number, which newer versions of systemd take.
func deviceGroup(names []byte, kind string, major int64) string {
	number := strconv.FormatInt(major, 10)
	title := "Character devices:"
	if kind == "block" {
		title = "Block devices:"
	}
	within := false
	for line := range bytes.Lines(names) {
		f := bytes.Fields(line)
		switch {
		case bytes.HasSuffix(bytes.TrimSpace(line), []byte(":")):
			within = string(bytes.TrimSpace(line)) == title
		case within && len(f) == 2 && string(f[0]) == number:
			return string(f[1])
		}
	}
	return number
}
