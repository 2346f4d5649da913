// SPDX-License-Identifier: Apache-2.0

package mountapi

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestAttrOf(t *testing.T) {
	for _, test := range []struct {
		name         string
		set, cleared uintptr
		want         Attr
	}{
		{"nothing", 0, 0, Attr{}},
		{"superblock flags only", unix.MS_SYNCHRONOUS | unix.MS_LAZYTIME | unix.MS_BIND | unix.MS_REC, unix.MS_DIRSYNC, Attr{}},
		{
			"all",
			unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NODIRATIME | unix.MS_NOSYMFOLLOW, 0,
			Attr{Set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC |
				unix.MOUNT_ATTR_NODIRATIME | unix.MOUNT_ATTR_NOSYMFOLLOW},
		},
		{"cleared", 0, unix.MS_RDONLY | unix.MS_NODEV, Attr{Clear: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NODEV}},
		{"set wins", unix.MS_RDONLY, unix.MS_RDONLY, Attr{Set: unix.MOUNT_ATTR_RDONLY}},
		{"noatime", unix.MS_NOATIME, 0, Attr{Set: unix.MOUNT_ATTR_NOATIME, Clear: unix.MOUNT_ATTR__ATIME}},
		{"relatime", unix.MS_RELATIME, 0, Attr{Clear: unix.MOUNT_ATTR__ATIME}},
		{"strictatime", unix.MS_STRICTATIME | unix.MS_NOATIME, 0, Attr{Set: unix.MOUNT_ATTR_STRICTATIME, Clear: unix.MOUNT_ATTR__ATIME}},
		{"atime", 0, unix.MS_NOATIME, Attr{}},
	} {
		if got := AttrOf(test.set, test.cleared); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestReplaceAttr(t *testing.T) {
	const others = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOSYMFOLLOW
	for _, test := range []struct {
		name string
		set  uintptr
		want Attr
	}{
		{"nothing", 0, Attr{Clear: others | unix.MOUNT_ATTR_NOSUID}},
		{"one", unix.MS_NOSUID, Attr{Set: unix.MOUNT_ATTR_NOSUID, Clear: others}},
		{"noatime", unix.MS_NOSUID | unix.MS_NOATIME, Attr{
			Set:   unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOATIME,
			Clear: others | unix.MOUNT_ATTR__ATIME | unix.MOUNT_ATTR_NODIRATIME,
		}},
		{"nodiratime", unix.MS_NOSUID | unix.MS_NODIRATIME, Attr{
			Set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODIRATIME, Clear: others | unix.MOUNT_ATTR__ATIME,
		}},
	} {
		if got := ReplaceAttr(test.set); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestApplied(t *testing.T) {
	for _, test := range []struct {
		name     string
		present  int64 // from statfs(2)
		set, clr uintptr
		want     uintptr
	}{
		{"kept", unix.ST_NOSUID | unix.ST_NODEV | unix.ST_NOATIME, 0, 0, unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOATIME},
		{"strictatime is the lack of others", 0, 0, 0, unix.MS_STRICTATIME},
		{"added", unix.ST_NODEV | unix.ST_RELATIME, unix.MS_RDONLY, 0, unix.MS_NODEV | unix.MS_RDONLY | unix.MS_RELATIME},
		{"cleared", unix.ST_NODEV | unix.ST_RDONLY | unix.ST_RELATIME, 0, unix.MS_NODEV, unix.MS_RDONLY | unix.MS_RELATIME},
		{"to noatime", unix.ST_RELATIME, unix.MS_NOATIME, 0, unix.MS_NOATIME},
		{"to relatime", unix.ST_NOATIME, unix.MS_RELATIME, 0, unix.MS_RELATIME},
		{"to strictatime", unix.ST_NOATIME, unix.MS_STRICTATIME, 0, unix.MS_STRICTATIME},
		{"nosymfollow", stNoSymFollow | unix.ST_RELATIME, 0, 0, unix.MS_NOSYMFOLLOW | unix.MS_RELATIME},
	} {
		if got := applied(msOfStatfs(test.present), AttrOf(test.set, test.clr)); got != test.want {
			t.Errorf("%s: %#x, want %#x", test.name, got, test.want)
		}
	}
}

func TestFullAtime(t *testing.T) {
	for _, test := range []struct{ in, want Attr }{
		{Attr{Set: unix.MOUNT_ATTR_RDONLY}, Attr{Set: unix.MOUNT_ATTR_RDONLY}},
		{Attr{Set: unix.MOUNT_ATTR_NOATIME}, Attr{Set: unix.MOUNT_ATTR_NOATIME, Clear: unix.MOUNT_ATTR__ATIME}},
		{Attr{Clear: unix.MOUNT_ATTR_NOATIME}, Attr{Clear: unix.MOUNT_ATTR__ATIME}},
		{Attr{}, Attr{}},
	} {
		if got := FullAtime(test.in); got != test.want {
			t.Errorf("%+v: %+v, want %+v", test.in, got, test.want)
		}
	}
}
