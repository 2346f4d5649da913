// SPDX-License-Identifier: Apache-2.0

package attach

import (
	"fmt"
	"strings"
	"testing"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/mountapi/mounttest"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
	"github.com/berth-run/berth/libcontainer/rootfs/filesystem"
	"golang.org/x/sys/unix"
)

// TestAttach: a mount has what its options ask for, and no flags that they do not name, whatever
// the kernel can do.
func TestAttach(t *testing.T) {
	for _, early := range []bool{true, false} {
		t.Run(fmt.Sprintf("early=%v", early), func(t *testing.T) {
			mounttest.Run(t, func(dir string) error { return attachBelow(dir, early) })
		})
	}
}

// attachBelow attaches a tmpfs on dir.
func attachBelow(dir string, early bool) error {
	proc, err := procfs.Host()
	if err != nil {
		return err
	}
	defer proc.Close()
	a := New(proc, false)
	if early && !a.Early {
		return nil // an old kernel
	}
	a.Early = early
	tree, err := filesystem.New(&configs.Mount{Type: "tmpfs", Source: "tmpfs", Flags: unix.MS_NODEV}, configs.MountLabel{})
	if err != nil {
		return err
	}
	defer tree.Close()
	target, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	m := &configs.Mount{Flags: unix.MS_NOSUID, Propagation: []uintptr{unix.MS_UNBINDABLE}}
	err = a.Attach(int(tree.Fd()), target, func(fd int) error {
		if err := a.ReplaceFlags(m, fd); err != nil {
			return err
		}
		return a.Adjust(m, fd, mountapi.Attr{Set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOEXEC})
	})
	if err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return err
	}
	const want = unix.ST_NOSUID | unix.ST_NOEXEC | unix.ST_RDONLY
	if got := fs.Flags & (want | unix.ST_NODEV); got != want {
		return fmt.Errorf("flags %#x, want %#x", got, want)
	}
	table, err := proc.ReadThread("mountinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(table)) {
		if strings.Contains(line, " "+dir+" ") && strings.Contains(line, " unbindable ") {
			return nil
		}
	}
	return fmt.Errorf("no unbindable mount on %s in\n%s", dir, table)
}
