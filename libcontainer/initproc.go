// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// initOptions say how init is started; its cgroups are still to be filled in. release
// closes what only the start needs.
func initOptions(cr *creation) (o *nsenter.Options, release func(), err error) {
	joined, err := openNamespaces(cr.cfg.Namespaces)
	if err != nil {
		return nil, nil, err
	}
	o = &nsenter.Options{
		Stdio:         cr.opts.Stdio,
		ExtraFiles:    cr.extra,
		NewNamespaces: uintptr(cr.cfg.Namespaces.NewFlags()),
		ResetAffinity: true,
		TimeOffsets:   timeOffsets(cr.cfg),
		ProcContexts:  countProcMounts(cr.cfg.Mounts),
		UIDMappings:   idMap(cr.cfg.UIDMappings),
		GIDMappings:   idMap(cr.cfg.GIDMappings),
		Deferred:      true,
	}
	for _, j := range joined {
		placeJoin(o, j, cr.cfg.Namespaces.Contains(configs.NewUser))
	}
	release = func() {
		for _, j := range joined {
			_ = j.FD.Close()
		}
	}
	o.OwnerUID, o.OwnerGID = owner(cr.cfg)
	o.NamespaceFDs = unprivileged()
	if err := cr.planIDMaps(o); err != nil {
		release()
		return nil, nil, err
	}
	return o, release, nil
}

// threadJoins are the kinds that a thread of the runtime can join, and leave by ending.
const threadJoins = configs.NewNet | configs.NewIPC | configs.NewUTS | configs.NewCgroup

// placeJoin decides who joins a namespace. Who is not root may join one only from the
// user namespace that owns it, and init does that. Root joins it before it has init
// enter a user namespace: that one need not own it, as when an engine has made the
// network namespace.
func placeJoin(o *nsenter.Options, j nsenter.Join, userns bool) {
	switch {
	case unprivileged():
		o.Joins = append(o.Joins, j)
	case j.Type == unix.CLONE_NEWPID:
		o.PIDNamespace = j.FD
	case userns && threadJoins&configs.NamespaceType(j.Type) != 0:
		o.ThreadJoins = append(o.ThreadJoins, j)
	default:
		o.Joins = append(o.Joins, j)
	}
}

// startNamespaced starts init from this thread, or from one of its own.
func startNamespaced(o *nsenter.Options) (*nsenter.Init, error) {
	if o.PIDNamespace == nil && len(o.ThreadJoins) == 0 {
		return nsenter.Start(o)
	}
	return startOnLostThread(o)
}

func idMap(rows []configs.IDMap) []syscall.SysProcIDMap {
	out := make([]syscall.SysProcIDMap, len(rows))
	for i, r := range rows {
		out[i] = syscall.SysProcIDMap{ContainerID: int(r.ContainerID), HostID: int(r.HostID), Size: int(r.Size)}
	}
	return out
}

// startOnLostThread starts init from a thread that dies afterwards: joining a pid
// namespace spoils the thread for everything else (its next children would be born
// in there).
func startOnLostThread(o *nsenter.Options) (*nsenter.Init, error) {
	type result struct {
		init *nsenter.Init
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked
		init, err := nsenter.Start(o)
		done <- result{init, err}
	}()
	r := <-done
	return r.init, r.err
}

// openNamespaces opens the namespace files to join and checks that each is one of its
// kind: joining what a wrong path leads to would be worse than an error.
func openNamespaces(list configs.Namespaces) (joins []nsenter.Join, err error) {
	defer func() {
		if err != nil {
			for _, j := range joins {
				_ = j.FD.Close()
			}
			joins = nil
		}
	}()
	for _, t := range configs.NamespaceTypes() {
		ns, ok := list.Get(t)
		if !ok || ns.Path == "" {
			continue
		}
		f, err := os.OpenFile(ns.Path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return joins, fmt.Errorf("%s: %w", ns.Field, err)
		}
		joins = append(joins, nsenter.Join{Type: uint32(t), FD: f})
		kind, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE)
		if err != nil || uint32(kind) != uint32(t) {
			return joins, fmt.Errorf("%s: %q is not a %s namespace", ns.Field, ns.Path, t)
		}
	}
	return joins, nil
}

// timeOffsets is the text for /proc/PID/timens_offsets (time_namespaces(7)).
func timeOffsets(cfg *configs.Config) string {
	var b strings.Builder
	for _, clock := range []string{"monotonic", "boottime"} {
		if o, ok := cfg.TimeOffsets[clock]; ok {
			fmt.Fprintf(&b, "%s %d %d\n", clock, o.Secs, o.Nanosecs)
		}
	}
	return b.String()
}

func countProcMounts(mounts []configs.Mount) int {
	n := 0
	for i := range mounts {
		if mounts[i].Type == "proc" {
			n++
		}
	}
	return n
}

// preservedFiles takes the caller's fds 3 to 3+n-1 over. One that is closed on exec is
// not the caller's but one that this process has opened since.
func preservedFiles(n int) ([]*os.File, error) {
	if n < 0 {
		return nil, fmt.Errorf("preserve-fds: %d is negative", n)
	}
	const first = 3
	files := make([]*os.File, 0, min(n, 1024))
	for fd := first; fd < first+n; fd++ {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			return nil, fmt.Errorf("preserve-fds: fd %d is not open", fd)
		}
		// It reaches init through the list of its files; nobody else may have it.
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags|unix.FD_CLOEXEC); err != nil {
			return nil, fmt.Errorf("preserve-fds: fd %d: %w", fd, err)
		}
		files = append(files, os.NewFile(uintptr(fd), "preserved"))
	}
	return files, nil
}

// raiseRlimits raises those hard limits of a process that are lower than the plan's.
// Init, which sets them all later on, has no right to do that in a user namespace; to
// set them from here then would be too late, since init is another user by then.
func raiseRlimits(pid int, limits []configs.Rlimit) error {
	for _, l := range limits {
		var now unix.Rlimit
		err := unix.Prlimit(pid, l.Resource, nil, &now)
		if err == nil && l.Hard > now.Max {
			err = unix.Prlimit(pid, l.Resource, &unix.Rlimit{Cur: now.Cur, Max: l.Hard}, nil)
		}
		if err != nil {
			return fmt.Errorf("process.rlimits: %s: prlimit soft %d, hard %d: %w", l.Name, l.Soft, l.Hard, err)
		}
	}
	return nil
}

// reap waits for a child that is dying and gives its status.
func reap(pid int) (unix.WaitStatus, error) {
	var ws unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &ws, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			return ws, err
		}
	}
}
