// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"path"
	"strings"
)

// Membership is one line of /proc/PID/cgroup: where a process is in one
// hierarchy.
type Membership struct {
	// Controllers are the hierarchy's, with "name=…" for a named one, joined
	// by commas as the kernel does; "" for the v2 hierarchy.
	Controllers string
	// Path is absolute, from the root of the reader's cgroup namespace.
	Path string
}

// ParseMemberships reads /proc/PID/cgroup (cgroups(7)). Lines that are none of
// the known form are left out.
func ParseMemberships(text string) []Membership {
	list := make([]Membership, 0, 16)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		_, rest, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		controllers, p, ok := strings.Cut(rest, ":")
		if !ok || !strings.HasPrefix(p, "/") {
			continue
		}
		list = append(list, Membership{Controllers: controllers, Path: p})
	}
	return list
}

// Mount is one mounted hierarchy of cgroup v1 or v2.
type Mount struct {
	// Point is where it is mounted.
	Point string
	// Root is the cgroup that is seen there; "/" but for bind mounts.
	Root string
	// V2 says that it is a cgroup2 hierarchy.
	V2 bool
	// Options are the options of the hierarchy: for v1 its controllers and
	// name among them.
	Options string
}

// ParseMounts finds the cgroup mounts in /proc/PID/mountinfo (proc(5)). Lines
// that are none of the known form are left out.
func ParseMounts(text string) []Mount {
	var mounts []Mount
	for line := range strings.Lines(text) {
		// Sought from the left: an escaped field holds no blanks, so the first
		// " - " ends the optional fields, whatever comes after.
		front, back, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		if !ok || !strings.HasPrefix(back, "cgroup") {
			continue
		}
		fsType, back, _ := strings.Cut(back, " ")
		if fsType != "cgroup" && fsType != "cgroup2" {
			continue
		}
		_, options, _ := strings.Cut(back, " ")
		root, point, ok := mountPlace(front)
		if !ok {
			continue
		}
		mounts = append(mounts, Mount{
			Point:   point,
			Root:    root,
			V2:      fsType == "cgroup2",
			Options: options,
		})
	}
	return mounts
}

// mountPlace picks the 4th and the 5th field.
func mountPlace(front string) (root, point string, ok bool) {
	for range 3 {
		if _, front, ok = strings.Cut(front, " "); !ok {
			return "", "", false
		}
	}
	root, front, ok = strings.Cut(front, " ")
	if !ok {
		return "", "", false
	}
	point, _, _ = strings.Cut(front, " ")
	root, point = unescape(root), unescape(point)
	return root, point, strings.HasPrefix(root, "/") && path.IsAbs(point)
}

// unescape undoes the kernel's escapes: a backslash and three octal digits for
// a blank, a tab, a line feed and the backslash itself.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && octal(s[i+1]) && octal(s[i+2]) && octal(s[i+3]) {
			b = append(b, (s[i+1]-'0')<<6|(s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 3
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

func octal(c byte) bool { return '0' <= c && c <= '7' }
