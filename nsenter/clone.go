// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// clone makes the process of i. sock is init's end of the socket.
//
// syscall.ForkExec and not os/exec: the thread must be the caller's, for it may just join
// namespaces. (It never joins a pid namespace: until its exec the child has the memory of
// this process.) It also gives the child the RLIMIT_NOFILE
// that this process was started with, and not the one Go has raised it to.
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
		// So that init does not hold on to a directory of the host, and goes
		// along when the root of the mount namespace is changed.
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
	argv := []string{"berth-init", strconv.Itoa(len(files) - 1)}
	pid, err := syscall.ForkExec("/proc/self/fd/"+strconv.Itoa(program), argv, attr)
	runtime.KeepAlive(o)
	if err != nil {
		return o.describeClone(err)
	}
	i.PID, i.PIDFD = pid, os.NewFile(uintptr(pidfd), "pidfd of init")
	return nil
}

// joinFromThread moves the calling thread; its error is what init's own joins give.
func joinFromThread(j Join) error {
	err := unix.Setns(int(j.FD.Fd()), int(j.Type))
	runtime.KeepAlive(j.FD)
	var errno unix.Errno
	if errors.As(err, &errno) {
		return &StepError{Step: StepJoin, Detail: j.FD.Name(), Errno: errno}
	}
	return err
}

// describeClone names the cgroup when that is what takes no process: it is closed, gone,
// or the caller has no right over it or over the way to it.
func (o *Options) describeClone(err error) error {
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

// mapIDs has the id maps, unless there is MapIDs, written between the clone and
// the exec of init. An exec takes the capabilities of its user namespace from
// whoever is not root there, and nobody is as long as the ids are not mapped;
// ambient ones stay.
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

// files are the descriptors of the child by their number in it; the socket is
// the last. null, if not nil, is to be closed by the caller after the clone.
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
			files = append(files, ^uintptr(0)) // ForkExec closes the number
		} else {
			files = append(files, f.Fd())
		}
	}
	return append(files, uintptr(sock)), null, nil
}

// freeNumber is the lowest number that syscall.ForkExec does not touch in the
// child when it puts files in place: it uses those up to the number of files,
// and, above the highest one given, one for each and one for a pipe of its own.
func freeNumber(files []uintptr) int {
	highest := len(files)
	for _, f := range files {
		highest = max(highest, int(f))
	}
	return highest + len(files) + 4
}
