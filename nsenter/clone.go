// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"github.com/berth-run/berth/nsenter/timerslack"
	"golang.org/x/sys/unix"
)

// clone creates the process of i. sock is init's end of the socket.
//
// It uses syscall.ForkExec and not os/exec, because the clone must be made by the calling
// thread, which may have just joined namespaces. (It never joins a pid namespace: until its
// exec the child shares the memory of this process.) ForkExec also gives the child the
// RLIMIT_NOFILE that this process was started with, not the one raised by Go.
func (o *Options) clone(i *Init, sock int) error {
	files, null, err := o.files(sock)
	if null != nil {
		defer null.Close()
	}
	if err != nil {
		return err
	}
	program, err := image(freeNumber(files))
	if err != nil {
		return err
	}
	defer unix.Close(program)
	pidfd := -1
	attr := &syscall.ProcAttr{
		// So that init does not keep a directory of the host in use, and follows when the root
		// of the mount namespace is changed.
		Dir:   "/",
		Env:   []string{},
		Files: files,
		Sys:   &syscall.SysProcAttr{Cloneflags: o.NewNamespaces &^ o.unshared(), PidFD: &pidfd},
	}
	if o.NewNamespaces&unix.CLONE_NEWUSER != 0 {
		o.mapIDs(attr.Sys)
	}
	if o.CgroupDir != nil {
		attr.Sys.UseCgroupFD = true
		attr.Sys.CgroupFD = int(o.CgroupDir.Fd())
	}
	for _, j := range o.ThreadJoins {
		if err := joinFromThread(j); err != nil {
			return err
		}
	}
	// Not with the goroutine locked to its thread, for which Go would start another thread. It only
	// changes threads here if a system call has taken long and no other thread is free.
	timerslack.Restore()
	argv := []string{"berth-init", strconv.Itoa(len(files) - 1)}
	pid, err := syscall.ForkExec("/proc/self/fd/"+strconv.Itoa(program), argv, attr)
	runtime.KeepAlive(o)
	if err != nil {
		return o.describeClone(err)
	}
	i.PID, i.PIDFD = pid, os.NewFile(uintptr(pidfd), "pidfd of init")
	return nil
}

// joinFromThread moves the calling thread. Its errors are like those of init's own joins.
func joinFromThread(j Join) error {
	err := unix.Setns(int(j.FD.Fd()), int(j.Type))
	runtime.KeepAlive(j.FD)
	var errno unix.Errno
	if errors.As(err, &errno) {
		return &StepError{Step: StepJoin, Detail: j.FD.Name(), Errno: errno}
	}
	return err
}

// describeClone adds the cgroup to the error if the process could not be started in it: because
// it was removed, or the caller has no permission for it or for its common ancestor.
func (o *Options) describeClone(err error) error {
	if errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("start init: %w ("+NamespaceLimit+")", err)
	}
	if o.CgroupDir == nil {
		return fmt.Errorf("start init: %w", err)
	}
	for _, errno := range []unix.Errno{unix.EACCES, unix.EBUSY, unix.ENODEV, unix.EOPNOTSUPP} {
		if errors.Is(err, errno) {
			return fmt.Errorf("start init in cgroup %s: %w", o.CgroupDir.Name(), err)
		}
	}
	return fmt.Errorf("start init: %w", err)
}

// mapIDs lets the id maps be written between the clone and the exec of init, unless MapIDs is
// set. With the exec, a process that is not root in its user namespace loses its capabilities,
// except ambient ones. As long as no ids are mapped, no process is root there.
func (o *Options) mapIDs(attr *syscall.SysProcAttr) {
	if o.MapIDs == nil {
		attr.UidMappings, attr.GidMappings = o.UIDMappings, o.GIDMappings
		attr.GidMappingsEnableSetgroups = !o.DenySetgroups
		attr.Credential = &syscall.Credential{Uid: o.OwnerUID, Gid: o.OwnerGID, NoSetGroups: o.DenySetgroups || o.KeepGroups}
	}
	if o.MapIDs != nil || o.OwnerUID != 0 {
		attr.AmbientCaps = everyCapability()
	}
}

func everyCapability() []uintptr {
	all := make([]uintptr, unix.CAP_LAST_CAP+1)
	for n := range all {
		all[n] = uintptr(n)
	}
	return all
}

// files returns the descriptors of the child, indexed by their number there; the socket is the
// last. The caller closes null, if not nil, after the clone.
func (o *Options) files(sock int) (files []uintptr, null *os.File, err error) {
	files = make([]uintptr, 0, len(o.Stdio)+len(o.ExtraFiles)+1)
	for _, f := range o.Stdio {
		if f == nil && null == nil {
			if null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
				return nil, nil, err
			}
		}
		if f == nil {
			f = null
		}
		files = append(files, f.Fd())
	}
	for _, f := range o.ExtraFiles {
		if f == nil {
			files = append(files, ^uintptr(0)) // ForkExec closes this number
		} else {
			files = append(files, f.Fd())
		}
	}
	return append(files, uintptr(sock)), null, nil
}

// freeNumber returns the lowest descriptor that syscall.ForkExec does not use in the child when
// it moves files into place. It uses the numbers below the number of files and, above the
// highest given one, one for each file and one for its own pipe.
func freeNumber(files []uintptr) int {
	highest := len(files)
	for _, f := range files {
		highest = max(highest, int(f))
	}
	return highest + len(files) + 4
}
