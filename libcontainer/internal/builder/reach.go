// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/inroot"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"github.com/berth-run/berth/libcontainer/rootfs/host"
	"github.com/berth-run/berth/libcontainer/rootfs/reach"
	"golang.org/x/sys/unix"
)

// This file has what the runtime does with its own rights for a builder process. The builder is
// root in a user namespace and has no rights over files whose owners are not mapped.

// foreignMounts refuses that in a mount namespace that existed before: other processes
// decide where a path leads there.
func foreignMounts() error {
	return fmt.Errorf("%w for the root of the user namespace, and the mount namespace is not the container's own", unix.EACCES)
}

// inMountNamespace calls do on a thread in the container's mount namespace. The root directory
// of the thread is the host's root in that namespace.
func (b *processBuilder) inMountNamespace(do func() error) error {
	joins := b.site.Within.Joins(configs.NewMount)
	if len(joins) != 1 {
		return errors.New("the container has no mount namespace")
	}
	var err error
	done := make(chan struct{})
	osthread.Go(func() {
		defer close(done)
		if err = enterMounts(joins[0].FD); err == nil {
			err = do()
		}
	})
	<-done
	return err
}

// enterMounts moves the calling thread into a mount namespace.
func enterMounts(namespace *os.File) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare(CLONE_FS): %w", err)
	}
	return os.NewSyscallError("setns", unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNS))
}

// serveRoot does what rootfs.Options.OpenRoot and PrivateParent say.
func (b *processBuilder) serveRoot(r rootRequest) (dir *os.File, err error) {
	if !b.site.Config.Namespaces.IsNew(configs.NewMount) {
		return nil, foreignMounts()
	}
	at := b.site.Config.Rootfs.Path
	err = b.inMountNamespace(func() error {
		if r == privateParent {
			return host.PrivateParent(at)
		}
		root, err := inroot.Open(at)
		if err == nil {
			dir = os.NewFile(uintptr(root.FD()), at)
		}
		return err
	})
	return dir, err
}

// serveReach does what rootfs.Options.Reach says.
func (b *processBuilder) serveReach(root *os.File, r *reach.Request) (file *os.File, err error) {
	if !b.site.Config.Namespaces.IsNew(configs.NewMount) {
		return nil, foreignMounts()
	}
	done := make(chan struct{})
	osthread.Go(func() {
		defer close(done)
		// For the umask, which the threads of a process share otherwise.
		if err = os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_FS)); err != nil {
			return
		}
		unix.Umask(0)
		var fd int
		if fd, err = r.Do(int(root.Fd())); err == nil && fd >= 0 {
			file = os.NewFile(uintptr(fd), r.Path)
		}
	})
	<-done
	return file, err
}
