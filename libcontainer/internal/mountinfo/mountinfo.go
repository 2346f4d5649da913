// SPDX-License-Identifier: Apache-2.0

// Package mountinfo reads tables of mounts, the files /proc/PID/mountinfo
// (proc_pid_mountinfo(5)).
//
// It asks nobody, and lines that are none of the known form are left out: what it gives
// has come from the kernel whole.
package mountinfo

import (
	"iter"
	"strings"
)

// Mount is a mount of a table, in the order of its fields.
type Mount struct {
	// ID and Parent are numbers of mounts.
	ID, Parent string
	// Root is what of the file system is mounted, a path in it.
	Root string
	// Point is the path that it is mounted on, from the reader's root.
	Point string
	// Type is the file system's.
	Type string
	// Options are the file system's, as opposed to the mount's.
	Options string
}

// All lists the mounts of a table.
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
	// Sought from the left: an escaped field holds no blanks, so the first " - " ends the
	// optional fields, whatever comes after.
	front, back, ok := strings.Cut(line, " - ")
	if !ok {
		return m, false
	}
	for _, field := range [...]*string{&m.ID, &m.Parent, nil, &m.Root, &m.Point} {
		var word string
		if word, front, ok = strings.Cut(front, " "); !ok {
			return m, false
		}
		if field != nil {
			*field = word
		}
	}
	m.Type, back, _ = strings.Cut(back, " ")
	_, m.Options, _ = strings.Cut(back, " ")
	m.Root, m.Point = unescape(m.Root), unescape(m.Point)
	// A namespace has a root like "net:[4026531840]".
	return m, strings.HasPrefix(m.Point, "/")
}

// unescape undoes the kernel's escapes: a backslash and three octal digits for a blank, a
// tab, a line feed and the backslash itself.
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
