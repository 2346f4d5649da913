// SPDX-License-Identifier: Apache-2.0

package template

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestResolveUser(t *testing.T) {
	read := func(name string) (string, error) {
		return map[string]string{
			"/etc/passwd": "root:x:0:0:::\nweb:x:33:34:::\n5:x:6:7:::\n",
			"/etc/group":  "root:x:0:\ndb:x:50:web\nmore:x:51:web,5\n",
		}[name], nil
	}
	for text, want := range map[string]specs.User{
		"0":        {},
		"33":       {UID: 33, GID: 34},
		"34":       {UID: 34},
		"5":        {UID: 5},
		"5:51":     {UID: 5, GID: 51},
		"5:db":     {UID: 5, GID: 50},
		"web":      {UID: 33, GID: 34, AdditionalGids: []uint32{50, 51}},
		"web:0":    {UID: 33},
		"web:more": {UID: 33, GID: 51},
		"root":     {},
	} {
		if u, err := resolveUser(text, read); err != nil || !reflect.DeepEqual(*u, want) {
			t.Errorf("%s: %+v, %v, want %+v", text, u, err, want)
		}
	}
	// A root file system may have neither file; numbers do not need them.
	missing := func(string) (string, error) { return "", unix.ENOENT }
	for text, fails := range map[string]bool{"7": false, "7:8": false, "web": true, "7:web": true} {
		if _, err := resolveUser(text, missing); (err != nil) != fails {
			t.Errorf("%s without files: %v", text, err)
		}
	}
	for _, text := range []string{"7", "web", "7:web"} {
		broken := errors.New("broken")
		if _, err := resolveUser(text, func(string) (string, error) { return "", broken }); !errors.Is(err, broken) {
			t.Errorf("%s with files that cannot be read: %v", text, err)
		}
	}
}

func FuzzResolveUser(f *testing.F) {
	f.Add("web:db", "web:x:33:34:::\n", "db:x:50:web\n")
	f.Fuzz(func(t *testing.T, text, passwd, group string) {
		u, err := resolveUser(text, func(name string) (string, error) {
			if name == "/etc/group" {
				return group, nil
			}
			return passwd, nil
		})
		if err != nil {
			return
		}
		for _, id := range append(u.AdditionalGids, u.UID, u.GID) {
			if id == 1<<32-1 {
				t.Errorf("%q: %+v", text, u)
			}
		}
	})
}

// TestReadInRoot: symbolic links of an image do not lead out of it, and a FIFO does not block.
func TestReadInRoot(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "etc/real"), "inside")
	write(t, filepath.Join(filepath.Dir(root), "outside"), "outside")
	for name, to := range map[string]string{"etc/absolute": "/etc/real", "etc/out": "../../outside", "etc/proc": "/proc/self/mounts"} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(root, "etc/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := readInRoot(root, "/etc/absolute"); text != "inside" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	for _, name := range []string{"/etc/out", "/etc/proc", "/etc/nosuch", "/etc/fifo", "/etc"} {
		if text, err := readInRoot(root, name); err == nil || !strings.Contains(err.Error(), root+name) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

func TestSubIDs(t *testing.T) {
	dir := t.TempDir()
	files := accountFiles{filepath.Join(dir, "passwd"), filepath.Join(dir, "subuid"), filepath.Join(dir, "subgid")}
	write(t, files.passwd, "me:x:1000:1000:::\n")
	write(t, files.subuid, "me:100000:10\n1000:300000:5\n")
	write(t, files.subgid, "me:200000:10\n")
	write(t, filepath.Join(dir, "rootfs/etc/passwd"), "web:x:10:9:::\n")
	write(t, filepath.Join(dir, "rootfs/etc/group"), "a:x:3:web\nb:x:11:web\n")
	var warned []string
	o := &Template{
		Bundle: dir, Dir: dir, Rootless: true, SubIDs: true, UID: 1000, GID: 1001, User: "web",
		Warn: func(format string, _ ...any) { warned = append(warned, format) },
	}
	s, err := o.spec(files)
	if err != nil {
		t.Fatal(err)
	}
	uids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 1}, {ContainerID: 1, HostID: 100000, Size: 10}, {ContainerID: 11, HostID: 300000, Size: 5}}
	gids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1001, Size: 1}, {ContainerID: 1, HostID: 200000, Size: 10}}
	if !reflect.DeepEqual(s.Linux.UIDMappings, uids) || !reflect.DeepEqual(s.Linux.GIDMappings, gids) {
		t.Errorf("maps %+v %+v", s.Linux.UIDMappings, s.Linux.GIDMappings)
	}
	// Group 11 is not mapped.
	if u := s.Process.User; u.UID != 10 || u.GID != 9 || !reflect.DeepEqual(u.AdditionalGids, []uint32{3}) || len(warned) != 1 {
		t.Errorf("user %+v, warnings %q", u, warned)
	}
	o.User = "16"
	if _, err := o.spec(files); err == nil || err.Error() != `--user: "16": uid 16 is not mapped: the subordinate ids are too few` {
		t.Errorf("an id that is too high: %v", err)
	}
	write(t, files.subgid, "you:200000:10\n")
	if _, err := o.spec(files); err == nil || err.Error() != "--subids: "+files.subgid+` has none for uid 1000, "me"` {
		t.Errorf("no range: %v", err)
	}
	if err := os.Remove(files.subgid); err != nil {
		t.Fatal(err)
	}
	if _, err := o.spec(files); !errors.Is(err, unix.ENOENT) {
		t.Errorf("no file: %v", err)
	}
}
