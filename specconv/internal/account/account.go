// SPDX-License-Identifier: Apache-2.0

// Package account reads the files of users and groups: passwd(5), group(5), subuid(5)
// and subgid(5). It gets their text and opens nothing.
//
// They may be an image's, and so anybody's. Its one invariant: a line that is not well
// formed is nobody, as to the C library, and an id is one that the kernel takes.
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

// FindUser finds the first user by name.
func FindUser(passwd, name string) (User, bool) {
	return findUser(passwd, func(u *User) bool { return u.Name == name })
}

// FindUID finds the first user that has the uid.
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

// FindGroup finds the id of the first group of the name.
func FindGroup(group, name string) (gid uint32, found bool) {
	eachGroup(group, func(g string, id uint32, _ string) bool {
		gid, found = id, g == name
		return !found
	})
	return gid, found
}

// GroupsOf are the ids of the groups that have the user as a member, each once and in
// the order of the file.
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

// eachGroup calls do for each group until that returns false.
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

// SubIDs are the ranges of subuid(5) or subgid(5) that belong to a user, who stands there
// by name or by uid. The name may be "", for a user that has none.
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

// parseID takes digits only. 4294967295 is no id to the kernel.
func parseID(text string) (uint32, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	id, err := strconv.ParseUint(text, 10, 32)
	return uint32(id), err == nil && id != math.MaxUint32
}
