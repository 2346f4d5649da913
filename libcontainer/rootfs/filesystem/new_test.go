// SPDX-License-Identifier: Apache-2.0

package filesystem

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"golang.org/x/sys/unix"
)

// TestNeedsOldCall: mount(2) is only used for what the new mount calls cannot do.
func TestNeedsOldCall(t *testing.T) {
	long := strings.Repeat("x", mountapi.MaxOption+1)
	for _, test := range []struct {
		mount configs.Mount
		want  bool
	}{
		{configs.Mount{Type: "tmpfs", Source: "tmpfs", Data: []string{"size=1k", "mode=700"}}, false},
		{configs.Mount{Type: "overlay", Data: []string{"lowerdir=" + long[1:]}}, false},
		{configs.Mount{Type: "overlay", Data: []string{"lowerdir=" + long}}, true},
		{configs.Mount{Type: "nfs", Source: long}, true},
		{configs.Mount{Type: "ext4", Flags: unix.MS_I_VERSION}, true},
		{configs.Mount{Type: "proc", Flags: unix.MS_I_VERSION}, false},
	} {
		if got := NeedsOldCall(&test.mount); got != test.want {
			t.Errorf("%+v: %v", test.mount, got)
		}
	}
}

// TestNew: a file system is completely set up before it is mounted.
func TestNew(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("requires root, to make file systems")
	}
	f, err := New(&configs.Mount{
		Type: "tmpfs", Source: "tmpfs", Flags: unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NOEXEC, Data: []string{"mode=700", "uid=7", "size=64k"},
	}, configs.MountLabel{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var fs unix.Statfs_t
	var st unix.Stat_t
	if err := errors.Join(unix.Fstatfs(int(f.Fd()), &fs), unix.Fstat(int(f.Fd()), &st)); err != nil {
		t.Fatal(err)
	}
	if fs.Type != unix.TMPFS_MAGIC || fs.Blocks*uint64(fs.Bsize) != 64<<10 {
		t.Errorf("type %#x with %d blocks of %d bytes", fs.Type, fs.Blocks, fs.Bsize)
	}
	// Mount points can still be made in it.
	if got := fs.Flags & (unix.ST_RDONLY | unix.ST_NOSUID | unix.ST_NOEXEC | unix.ST_NODEV); got != unix.ST_NOSUID|unix.ST_NOEXEC {
		t.Errorf("flags %#x", got)
	}
	if st.Mode&0o7777 != 0o700 || st.Uid != 7 {
		t.Errorf("mode %o, owner %d", st.Mode, st.Uid)
	}
	if err := Chmod(int(f.Fd()), 0o1777); err != nil {
		t.Error(err)
	}
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Mode&0o7777 != 0o1777 {
		t.Errorf("mode %o, %v", st.Mode, err)
	}
}

// TestCopyUp: the content of a directory is left to the copier, and an empty one needs none.
func TestCopyUp(t *testing.T) {
	for _, test := range []struct {
		name   string
		files  []string
		data   []string
		copied string // what the copier is told about the owner, "" if it is not called
	}{
		{"empty", nil, nil, ""},
		{"empty, with an owner", nil, []string{"uid=0"}, ""},
		{"content", []string{"a"}, nil, "true"},
		{"content, with an owner", []string{"a", "b"}, []string{"gid=0"}, "false"},
	} {
		t.Run(test.name, func(t *testing.T) {
			from, to := open(t), open(t)
			for _, name := range test.files {
				if err := os.WriteFile(filepath.Join(from.Name(), name), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			copied := ""
			err := CopyUp(&configs.Mount{Data: test.data}, int(from.Fd()), int(to.Fd()), func(from, _ *os.File, owner bool) error {
				copied = strconv.FormatBool(owner)
				names, err := from.Readdirnames(-1) // from the start
				if len(names) != len(test.files) {
					t.Errorf("the copier sees %q", names)
				}
				return err
			})
			if err != nil || copied != test.copied {
				t.Errorf("%v, copied %q, want %q", err, copied, test.copied)
			}
		})
	}
}

func open(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile(t.TempDir(), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
