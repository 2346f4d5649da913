// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/osthread"
	"github.com/berth-run/berth/libcontainer/rootfs"
	"golang.org/x/sys/unix"
)

// inThread does the work on a thread of this process. The thread ends with its namespaces.
func (ch *Change) inThread() error {
	done := make(chan error)
	osthread.Go(func() { done <- ch.onThread() })
	return <-done
}

func (ch *Change) onThread() error {
	// A container without a mount namespace of its own has its mounts here.
	host, err := os.Open("/proc/thread-self/ns/mnt")
	if err != nil {
		return err
	}
	defer host.Close()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare(CLONE_NEWNS): %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("make the mounts of the copy slaves: %w", os.NewSyscallError("mount", err))
	}
	return ch.live(ch.target, host)
}

// runLive carries out a Change in a builder process, which is already in a mount namespace of
// its own. files holds the pidfd of the container's init.
func runLive(conn *msgConn, job *os.File, trees []int, contexts, files []*os.File) error {
	ch := &Change{procContexts: contexts}
	ch.copyUp = askForCopy(conn)
	if err := readJob(job, ch); err != nil {
		return err
	}
	ch.traceInProcess()
	defer ch.sendPhases(conn)
	defer ch.close()
	var err error
	if ch.trees, err = receiveTrees(conn, trees, ch.treeCount()); err != nil {
		return err
	}
	if len(files) != 1 {
		return errors.New("builder: no pidfd")
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare(CLONE_FS): %w", err)
	}
	return ch.live(files[0], nil)
}

// live does the work on the calling thread. host is the mount namespace of a container that
// does not have its own.
func (ch *Change) live(target, host *os.File) error {
	cfg := ch.Config
	o := &rootfs.LiveOptions{
		Options: rootfs.Options{
			Config: cfg, ProcContexts: ch.procContexts, Trees: ch.trees, Cgroups: ch.Cgroups,
			CopyUp: ch.copyUp, Track: ch.track,
		},
		Root: "/",
		Enter: func() error {
			kinds := cfg.Namespaces.Types() & Kinds
			return os.NewSyscallError("setns", unix.Setns(int(target.Fd()), int(kinds)))
		},
	}
	if !cfg.Namespaces.Contains(configs.NewMount) {
		if host == nil {
			return errors.New("the container shares the mounts of the host, which its user namespace may not change")
		}
		o.Root = cfg.Rootfs.Path
		enter := o.Enter
		o.Enter = func() error {
			if cfg.Namespaces.Types()&Kinds != 0 {
				if err := enter(); err != nil {
					return err
				}
			}
			return os.NewSyscallError("setns", unix.Setns(int(host.Fd()), unix.CLONE_NEWNS))
		}
	}
	span := ch.track.Begin("enter the container")
	l, err := rootfs.NewLive(o)
	if span.End(err) != nil {
		return err
	}
	if ch.Remove {
		err = l.Remove()
	} else {
		err = l.Add()
	}
	return errors.Join(err, l.Close())
}
