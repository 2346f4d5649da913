// SPDX-License-Identifier: Apache-2.0

// Package account reads the files of users and groups: passwd(5), group(5), subuid(5) and
// subgid(5). It works on their text and opens no files.
//
// The files may come from an image, and so from anybody. As in the C library, malformed lines
// are ignored. Every id that is returned is valid for the kernel.
package account

import (
	"math"
	"strconv"
	"strings"
)

// User is a line of passwd(5).
type User struct {
	Name     string
	UID, GID uint32
}

// FindUser returns the first user with the given name.
func FindUser(passwd, name string) (User, bool) {
	return findUser(passwd, func(u *User) bool { return u.Name == name })
}

// FindUID returns the first user with the given uid.
func FindUID(passwd string, uid uint32) (User, bool) {
	return findUser(passwd, func(u *User) bool { return u.UID == uid })
}

func findUser(passwd string, is func(*User) bool) (User, bool) {
	for line := range strings.Lines(passwd) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) != 7 || f[0] == "" {
			continue
		}
		uid, ok1 := parseID(f[2])
		gid, ok2 := parseID(f[3])
		if u := (User{f[0], uid, gid}); ok1 && ok2 && is(&u) {
			return u, true
		}
	}
	return User{}, false
}

// FindGroup returns the id of the first group with the given name.
func FindGroup(group, name string) (gid uint32, found bool) {
	eachGroup(group, func(g string, id uint32, _ string) bool {
		gid, found = id, g == name
		return !found
	})
	return gid, found
}

// GroupsOf returns the ids of the groups that have the user as a member, each once and in the
// order of the file.
func GroupsOf(group, user string) []uint32 {
	var gids []uint32
	seen := make(map[uint32]bool)
	eachGroup(group, func(_ string, gid uint32, members string) bool {
		for m := range strings.SplitSeq(members, ",") {
			if m == user && !seen[gid] {
				seen[gid] = true
				gids = append(gids, gid)
			}
		}
		return true
	})
	return gids
}

// eachGroup calls do for each group until do returns false.
func eachGroup(group string, do func(name string, gid uint32, members string) bool) {
	for line := range strings.Lines(group) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) != 4 || f[0] == "" {
			continue
		}
		if gid, ok := parseID(f[2]); ok && !do(f[0], gid, f[3]) {
			return
		}
	}
}

// Range is a range of ids.
type Range struct{ First, Size uint32 }

// SubIDs returns the ranges in subuid(5) or subgid(5) of a user, who is listed there by name or
// by uid. The name may be "" if the user has none.
func SubIDs(text, name string, uid uint32) []Range {
	var ranges []Range
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) != 3 || f[0] == "" {
			continue
		}
		if owner, ok := parseID(f[0]); f[0] != name && (!ok || owner != uid) {
			continue
		}
		first, ok1 := parseID(f[1])
		size, ok2 := parseID(f[2])
		if !ok1 || !ok2 || size == 0 || uint64(first)+uint64(size) > math.MaxUint32 {
			continue
		}
		ranges = append(ranges, Range{first, size})
	}
	return ranges
}

// parseID accepts only digits. 4294967295 is not a valid id for the kernel.
func parseID(text string) (uint32, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	id, err := strconv.ParseUint(text, 10, 32)
	return uint32(id), err == nil && id != math.MaxUint32
}
