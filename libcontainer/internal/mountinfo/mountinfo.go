// SPDX-License-Identifier: Apache-2.0

// Package mountinfo parses tables of mounts, the files /proc/PID/mountinfo
// (proc_pid_mountinfo(5)).
//
// It makes no system calls. It skips lines that do not have the known form: every mount that it
// returns comes from a complete line of the kernel.
package mountinfo

import (
	"iter"
	"strings"
)

// Mount is a mount in a table, with the fields in the order of the line.
type Mount struct {
	// ID and Parent are mount ids.
	ID, Parent string
	// Device is the "major:minor" of the file system.
	Device string
	// Root is the path, in the file system, of what is mounted.
	Root string
	// Point is the path that it is mounted on, from the reader's root.
	Point string
	// Flags are the options of the mount: "ro,nosuid".
	Flags string
	// Peers are the tags of its propagation ("shared:1 master:2"), "" for a private mount.
	Peers string
	// Type is the type of the file system.
	Type string
	// Source is what was named as the source.
	Source string
	// Options are those of the file system, not of the mount.
	Options string
}

// All returns the mounts in a table.
func All(table string) iter.Seq[Mount] {
	return func(yield func(Mount) bool) {
		for line := range strings.Lines(table) {
			if m, ok := parse(strings.TrimSuffix(line, "\n")); ok && !yield(m) {
				return
			}
		}
	}
}

// parse reads a line:
//
//	ID PARENT DEVICE ROOT POINT OPTIONS [OPTIONAL...] - TYPE SOURCE OPTIONS
func parse(line string) (m Mount, ok bool) {
	// Search from the left: escaped fields contain no blanks, so the first " - " ends the
	// optional fields, whatever follows.
	front, back, ok := strings.Cut(line, " - ")
	if !ok {
		return m, false
	}
	for _, field := range [...]*string{&m.ID, &m.Parent, &m.Device, &m.Root, &m.Point, &m.Flags} {
		if front == "" {
			return m, false
		}
		*field, front, _ = strings.Cut(front, " ")
	}
	m.Peers = front
	m.Type, back, _ = strings.Cut(back, " ")
	m.Source, m.Options, _ = strings.Cut(back, " ")
	m.Root, m.Point, m.Source = unescape(m.Root), unescape(m.Point), unescape(m.Source)
	// A namespace has a root like "net:[4026531840]".
	return m, strings.HasPrefix(m.Point, "/")
}

// unescape undoes the kernel's escapes: a backslash and three octal digits for a blank, a tab,
// a line feed and the backslash itself.
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
