// SPDX-License-Identifier: Apache-2.0

// Package devices converts a container's device rules to a form for the kernel: lines for
// devices.allow and devices.deny of cgroup v1 ([Legacy]), or an eBPF program for cgroup v2
// ([Attach]).
//
// The meaning of the rules is always exact: for each of read, write and mknod on a device, the
// last rule about it decides, and if there is no rule it is denied. What cannot be expressed is
// an error, and never approximated.
package devices

import (
	"strconv"

	"github.com/berth-run/berth/libcontainer/configs"
)

// The kernel's bits of an access (BPF_DEVCG_ACC_*).
const (
	mknod = 1 << iota
	read
	write
	all = mknod | read | write
)

// access returns the accesses that a rule is about, as a bit set.
func access(r *configs.DeviceRule) uint32 {
	var a uint32
	if r.Mknod {
		a |= mknod
	}
	if r.Read {
		a |= read
	}
	if r.Write {
		a |= write
	}
	return a
}

// everything reports whether r is about every access to every device, so that no rule before it
// matters.
func everything(r *configs.DeviceRule) bool {
	return r.Type == 'a' && r.Major == configs.DeviceWildcard && r.Minor == configs.DeviceWildcard && access(r) == all
}

// covers reports whether each device of b is also one of a.
func covers(a, b *configs.DeviceRule) bool {
	return (a.Type == 'a' || a.Type == b.Type) &&
		(a.Major == configs.DeviceWildcard || a.Major == b.Major) &&
		(a.Minor == configs.DeviceWildcard || a.Minor == b.Minor)
}

// overlap reports whether a device can match both a and b.
func overlap(a, b *configs.DeviceRule) bool {
	same := func(x, y int64) bool {
		return x == y || x == configs.DeviceWildcard || y == configs.DeviceWildcard
	}
	return (a.Type == b.Type || a.Type == 'a' || b.Type == 'a') && same(a.Major, b.Major) && same(a.Minor, b.Minor)
}

// appendRule formats r like devices.list of cgroup v1: "c 136:* rwm".
func appendRule(b []byte, r *configs.DeviceRule) []byte {
	b = append(b, r.Type, ' ')
	b = appendNumber(b, r.Major)
	b = append(b, ':')
	b = appendNumber(b, r.Minor)
	b = append(b, ' ')
	if r.Read {
		b = append(b, 'r')
	}
	if r.Write {
		b = append(b, 'w')
	}
	if r.Mknod {
		b = append(b, 'm')
	}
	return b
}

func appendNumber(b []byte, n int64) []byte {
	if n == configs.DeviceWildcard {
		return append(b, '*')
	}
	return strconv.AppendInt(b, n, 10)
}
