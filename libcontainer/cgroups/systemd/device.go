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

// devicePolicy converts rules to systemd's properties. These can only allow, while rules also
// deny. So the result may allow more, but never less: the exact rules also apply to the cgroup,
// and both must allow an access.
//
// groups returns the names of device numbers, as in /proc/devices.
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

// devicePath returns the name of a device, or of a group of devices.
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

// deviceGroups reads the kernel's list of major numbers and their names.
func deviceGroups() []byte {
	names, _ := os.ReadFile("/proc/devices")
	return names
}

// deviceGroup returns the name of a major number in sections like
//
//	Character devices:
//	136 pts
//
// If the number is not in the list, the result contains the number itself, which newer versions
// of systemd accept.
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
