// SPDX-License-Identifier: Apache-2.0

package account

import (
	"math"
	"slices"
	"testing"
)

const passwd = "# a comment\n\nroot:x:0:0:root:/root:/bin/sh\nshort:x:7:7\nbad:x:-1:1:::\nbad:x: 5:1:::\nbig:x:4294967295:1:::\n:x:8:8:::\n" +
	"web:x:33:34:a:b:\nweb:x:40:41:::\nlast:x:4294967294:1:::"

const group = "root:x:0:\nweb:x:33:alice,web\nbad:x:y:web\nextra:x:50:web\nextra:x:51:bob\nagain:x:33:web\nlong:x:1:web:\n"

func TestFindUser(t *testing.T) {
	for name, want := range map[string]User{
		"root": {"root", 0, 0}, "web": {"web", 33, 34}, "last": {"last", math.MaxUint32 - 1, 1},
	} {
		if u, ok := FindUser(passwd, name); !ok || u != want {
			t.Errorf("%s: %+v, %v", name, u, ok)
		}
	}
	for _, name := range []string{"short", "bad", "big", "", "we", "x"} {
		if u, ok := FindUser(passwd, name); ok {
			t.Errorf("%s: %+v", name, u)
		}
	}
	if u, ok := FindUID(passwd, 40); !ok || u.GID != 41 {
		t.Errorf("uid 40: %+v, %v", u, ok)
	}
	if _, ok := FindUID(passwd, 5); ok {
		t.Error("uid 5 is there")
	}
}

func TestGroups(t *testing.T) {
	if gid, ok := FindGroup(group, "extra"); !ok || gid != 50 {
		t.Errorf("extra: %d, %v", gid, ok)
	}
	for _, name := range []string{"bad", "", "long", "alice"} {
		if gid, ok := FindGroup(group, name); ok {
			t.Errorf("%q: %d", name, gid)
		}
	}
	if got := GroupsOf(group, "web"); !slices.Equal(got, []uint32{33, 50}) {
		t.Errorf("groups of web: %v", got)
	}
	if got := GroupsOf(group, ""); got != nil && !slices.Equal(got, []uint32{0}) {
		t.Errorf("groups of nobody: %v", got)
	}
}

func TestSubIDs(t *testing.T) {
	const text = "me:100000:65536\n1000:300000:10\nother:1:1\nme:5:0\nme:4294967290:6\nme:4294967290:5\nme:x:1\nme:1:1:1\n1000:7:1"
	want := []Range{{100000, 65536}, {300000, 10}, {4294967290, 5}, {7, 1}}
	if got := SubIDs(text, "me", 1000); !slices.Equal(got, want) {
		t.Errorf("me: %v", got)
	}
	if got := SubIDs(text, "", 1000); !slices.Equal(got, []Range{{300000, 10}, {7, 1}}) {
		t.Errorf("without a name: %v", got)
	}
	if got := SubIDs(text, "nobody", 9); got != nil {
		t.Errorf("nobody: %v", got)
	}
}

func FuzzAccounts(f *testing.F) {
	f.Add(passwd, "web", uint32(33))
	f.Add(group, "web", uint32(33))
	f.Add("me:100000:65536\n", "me", uint32(1))
	f.Fuzz(func(t *testing.T, text, name string, id uint32) {
		if u, ok := FindUser(text, name); ok && (u.Name != name || name == "" || u.UID == math.MaxUint32 || u.GID == math.MaxUint32) {
			t.Errorf("user %q: %+v", name, u)
		}
		if u, ok := FindUID(text, id); ok && u.UID != id {
			t.Errorf("uid %d: %+v", id, u)
		}
		if gid, ok := FindGroup(text, name); ok && gid == math.MaxUint32 {
			t.Errorf("group %q: %d", name, gid)
		}
		if slices.Contains(GroupsOf(text, name), math.MaxUint32) {
			t.Errorf("groups of %q", name)
		}
		for _, r := range SubIDs(text, name, id) {
			if r.Size == 0 || uint64(r.First)+uint64(r.Size) > math.MaxUint32 {
				t.Errorf("range %+v", r)
			}
		}
	})
}
