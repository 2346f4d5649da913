// SPDX-License-Identifier: Apache-2.0

// Package inside opens and reads what the root file system of a container has: its pseudo
// terminals, its users, and the paths of its Landlock rules. A builder uses it, and so does an exec.
//
// The container may be hostile and running. So paths are resolved below the descriptor of its root,
// and what was opened is checked before it is used.
package inside

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
	"golang.org/x/sys/unix"
)

// kernelFilesystems are those whose files belong to the kernel and are not stored data. Opening
// one may have any effect. Reading one may block forever, or consume what is meant for another
// reader (/proc/kmsg). The sizes that they show mean nothing.
var kernelFilesystems = [...]int64{
	unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC,
	unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC, unix.BPF_FS_MAGIC, unix.PSTOREFS_MAGIC,
	unix.EFIVARFS_MAGIC, unix.SELINUX_MAGIC, unix.SMACK_MAGIC, unix.NSFS_MAGIC, unix.PIPEFS_MAGIC,
	unix.SOCKFS_MAGIC, unix.DEVPTS_SUPER_MAGIC, unix.BINFMTFS_MAGIC, unix.RDTGROUP_SUPER_MAGIC,
	unix.USBDEVICE_SUPER_MAGIC, unix.XENFS_SUPER_MAGIC, unix.AAFS_MAGIC, unix.BINDERFS_SUPER_MAGIC,
	unix.ANON_INODE_FS_MAGIC, unix.PID_FS_MAGIC, unix.DMA_BUF_MAGIC, configfsMagic,
}

// configfsMagic is CONFIGFS_MAGIC in the kernel's fs/configfs/mount.c.
const configfsMagic = 0x62656570

// checkData explains why the file of fd must not be read: only regular files in file systems
// that store data may.
func checkData(fd int, st *unix.Stat_t) error {
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return errors.New("not a regular file")
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	for _, magic := range kernelFilesystems {
		if int64(fs.Type) == magic {
			return fmt.Errorf("a file of the kernel's (file system type %#x)", magic)
		}
	}
	return nil
}

// readData reads the file name in a container's root. The image, a volume or a process of the
// container decides what it is. It must not be larger than most.
//
// The file that is opened is exactly the one that was checked: by its name, another one could
// be there by then. Only the size that it showed is read, because a process may append to the
// file forever.
func readData(root *inroot.Root, proc *procfs.Handle, name string, most int64) ([]byte, error) {
	fd, err := root.Open(name, unix.O_PATH, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	data, err := readOpened(proc, fd, most)
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

// readOpened is readData for the file that fd (O_PATH) refers to.
func readOpened(proc *procfs.Handle, fd int, most int64) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	if err := checkData(fd, &st); err != nil {
		return nil, err
	}
	if st.Size > most {
		return nil, fmt.Errorf("larger than %d bytes: %w", most, unix.EFBIG)
	}
	in, err := proc.Reopen(fd, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	data := make([]byte, st.Size)
	got := 0
	for got < len(data) {
		n, err := unix.Read(in, data[got:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, unix.Close(in))
		}
		if n == 0 {
			break // it has become shorter
		}
		got += n
	}
	return data[:got], unix.Close(in)
}
