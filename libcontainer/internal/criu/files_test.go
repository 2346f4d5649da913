// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/internal/handover"
	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

func TestDescribeFiles(t *testing.T) {
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	outside, err := ReadMounts("self")
	if err != nil {
		t.Fatal(err)
	}
	names, keys, err := DescribeFiles(os.Getpid(), []int{os.Getpid()}, outside)
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	mount, err := mountOfFD(fmt.Sprintf("/proc/self/fdinfo/%d", file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprintf("file[%x:%x]", mount, st.Ino)
	if len(names) < handover.StandardStreams || !slices.Contains(names[handover.StandardStreams:], key+" "+file.Name()) || !slices.Contains(keys, key) {
		t.Errorf("names %q, keys %q; want %s %s", names, keys, key, file.Name())
	}
	for i, k := range keys {
		if slices.Contains(keys[i+1:], k) || strings.HasPrefix(k, "pipe:") {
			t.Errorf("keys %q", keys)
		}
	}
	// A file on a mount that is not the runtime's belongs to the container.
	if names, keys, err := DescribeFiles(os.Getpid(), []int{os.Getpid()}, nil); err != nil || len(names) != handover.StandardStreams || len(keys) != 0 {
		t.Errorf("%q, %q, %v", names, keys, err)
	}
}

func TestDescriptorsFile(t *testing.T) {
	dir := t.TempDir()
	want := []string{"pipe:[1]", "file[a:b] /a \"b\"", "", "mnt[/c]"}
	if err := WriteDescriptors(dir, want); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadDescriptors(dir); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	for _, text := range []string{"", "{}", `["a","b"]`, `[1,2,3]`} {
		if err := os.WriteFile(filepath.Join(dir, descriptorsFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadDescriptors(dir); err == nil || !strings.Contains(err.Error(), descriptorsFile) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestMountPoint(t *testing.T) {
	for name, want := range map[string]string{MountName("/a"): "/a", MountName("/a]b"): "/a]b", "own[/a]tmpfs": "", "/mnt[a]": "", "": ""} {
		if got, is := MountPoint(name); is != (want != "") || is && got != want {
			t.Errorf("%q: %q, %v", name, got, is)
		}
	}
}

func TestInheritFiles(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	all := [handover.StandardStreams]*os.File{null, null, null}
	for name, test := range map[string]struct {
		names []string
		stdio [handover.StandardStreams]*os.File
		want  []string
	}{
		"pipes":         {[]string{"pipe:[1]", "pipe:[2]", "pipe:[3]"}, all, []string{"pipe:[3]", "pipe:[2]", "pipe:[1]"}},
		"one pipe":      {[]string{"pipe:[1]", "pipe:[2]", "pipe:[2]"}, all, []string{"pipe:[2]", "pipe:[1]"}},
		"one for all":   {[]string{"socket:[1]", "socket:[1]", "socket:[1]"}, all, []string{"socket:[1]"}},
		"none to give":  {[]string{"tty[1:2]", "", ""}, [handover.StandardStreams]*os.File{}, []string{"tty[1:2]"}},
		"its own":       {[]string{"/dev/pts/0", "/dev/null", ""}, all, nil},
		"files":         {[]string{"file[1:2] " + os.DevNull, "file[1:3] " + log, "file[1:3] " + log}, all, []string{"file[1:3]", "file[1:2]"}},
		"more":          {[]string{"", "", "", "file[1:2] " + log, "mnt[/x]", "pipe:[9]"}, all, []string{"file[1:2]"}},
		"runc's images": {[]string{"/dev/null", "pipe:[2]", "pipe:[3]"}, all, []string{"pipe:[3]", "pipe:[2]"}},
	} {
		task := Task{Opts: &rpc.CriuOpts{}}
		opened, err := InheritFiles(&task, test.names, test.stdio)
		for _, f := range opened {
			_ = f.Close()
		}
		var got []string
		for i, fd := range task.Opts.InheritFd {
			got = append(got, fd.GetKey())
			if fd.GetFd() != int32(3+i) {
				t.Errorf("%s: number %d of %s", name, fd.GetFd(), fd.GetKey())
			}
		}
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, test.want)
		}
	}
	missing := []string{"file[1:2] " + log + ".gone", "", ""}
	if _, err := InheritFiles(&Task{Opts: &rpc.CriuOpts{}}, missing, all); err == nil || !strings.Contains(err.Error(), log+".gone") {
		t.Errorf("a file that is gone: %v", err)
	}
}

func TestIsTTY(t *testing.T) {
	for _, test := range []struct {
		mode uint32
		rdev uint64
		want bool
	}{
		{unix.S_IFCHR, unix.Mkdev(4, 1), true},
		{unix.S_IFCHR, unix.Mkdev(5, 1), true},
		{unix.S_IFCHR, unix.Mkdev(136, 7), true},
		{unix.S_IFCHR, unix.Mkdev(143, 255), true},
		{unix.S_IFCHR, unix.Mkdev(144, 0), false},
		{unix.S_IFCHR, unix.Mkdev(1, 3), false},
		{unix.S_IFREG, unix.Mkdev(4, 1), false},
	} {
		if got := isTTY(&unix.Stat_t{Mode: test.mode, Rdev: test.rdev}); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
