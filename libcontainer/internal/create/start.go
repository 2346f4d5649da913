// SPDX-License-Identifier: Apache-2.0

package create

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/access"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/builder"
	"github.com/berth-run/berth/libcontainer/internal/initproc"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/libcontainer/trace"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// initOptions returns how to start init, without its cgroups. release closes the files that only the
// start needs.
func initOptions(cr *Creation) (o *nsenter.Options, release func(), err error) {
	joined, err := OpenNamespaces(cr.Cfg.Namespaces)
	if err != nil {
		return nil, nil, err
	}
	o = &nsenter.Options{
		Stdio:         cr.Opts.Stdio,
		ExtraFiles:    cr.extra,
		NewNamespaces: uintptr(cr.Cfg.Namespaces.NewFlags()),
		NetAtOnce:     cr.Cfg.Network != nil,
		ResetAffinity: true,
		TimeOffsets:   timeOffsets(cr.Cfg),
		Notifies:      cr.agent != nil,
		UIDMappings:   userns.SysMap(cr.Cfg.UIDMappings),
		GIDMappings:   userns.SysMap(cr.Cfg.GIDMappings),
		Deferred:      true,
		Track:         cr.Trace.Lane(trace.Init),
	}
	if !cr.joinsPID() {
		o.ProcContexts = builder.CountProcMounts(cr.Cfg.Mounts)
	}
	for _, j := range joined {
		placeJoin(o, j, cr.Cfg.Namespaces.Contains(configs.NewUser))
	}
	if !userns.Unprivileged() && len(o.Joins) > 0 && o.Joins[0].Type == unix.CLONE_NEWUSER {
		o.Joins = append(o.Joins[1:], o.Joins[0])
	}
	if j := cr.makeMountNamespace(); j != nil {
		o.NewNamespaces &^= unix.CLONE_NEWNS
		o.Joins, joined = append(o.Joins, *j), append(joined, *j)
	}
	release = func() {
		for _, j := range joined {
			_ = j.FD.Close()
		}
	}
	o.OwnerUID, o.OwnerGID = userns.Owner(cr.Cfg)
	o.NamespaceFDs = userns.Unprivileged()
	if err := cr.planIDMaps(o); err != nil {
		release()
		return nil, nil, err
	}
	userns, err := makeUserNamespaceFirst(o)
	if err != nil {
		release()
		return nil, nil, err
	}
	if userns != nil {
		joined = append(joined, *userns)
	}
	return o, release, nil
}

// makeMountNamespace makes a mount namespace beforehand that has nothing in it but the root file
// system; nil if the container cannot have one. Hooks that run before pivot_root(2) may enter the
// mount namespace, and find the host's files there (libnvidia-container does).
func (cr *Creation) makeMountNamespace() *nsenter.Join {
	if hasCreateHooks(cr.Cfg) {
		return nil
	}
	span := cr.Begin("make a mount namespace of the root file system")
	mounts := builder.NewMountNamespace(cr.Cfg)
	if mounts == nil {
		return nil
	}
	_ = span.End(nil)
	cr.ownTree = true
	return &nsenter.Join{Type: unix.CLONE_NEWNS, FD: mounts}
}

// makeUserNamespaceFirst makes the new user namespace beforehand if init has to join other
// namespaces before it: a process born in the user namespace could not join them. It returns
// nil if that is not necessary.
func makeUserNamespaceFirst(o *nsenter.Options) (*nsenter.Join, error) {
	if userns.Unprivileged() || o.NewNamespaces&unix.CLONE_NEWUSER == 0 || len(o.Joins) == 0 {
		return nil, nil
	}
	f, err := userns.New(&nsenter.Options{
		UIDMappings: o.UIDMappings, GIDMappings: o.GIDMappings, DenySetgroups: o.DenySetgroups,
		OwnerUID: o.OwnerUID, OwnerGID: o.OwnerGID,
	})
	if err != nil {
		return nil, err
	}
	j := nsenter.Join{Type: unix.CLONE_NEWUSER, FD: f}
	o.NewNamespaces &^= unix.CLONE_NEWUSER
	o.Joins = append(o.Joins, j)
	return &j, nil
}

// threadJoins are the kinds of namespace that a thread of the runtime can join.
const threadJoins = configs.NewNet | configs.NewIPC | configs.NewUTS | configs.NewCgroup

// placeJoin decides who joins a namespace. An ordinary user may join it only from the user
// namespace that owns it, so init does that. Root joins it before init enters its user
// namespace, which need not own it: an engine may have made the network namespace.
func placeJoin(o *nsenter.Options, j nsenter.Join, mapped bool) {
	switch {
	case !userns.Unprivileged() && mapped && threadJoins&configs.NamespaceType(j.Type) != 0:
		o.ThreadJoins = append(o.ThreadJoins, j)
	default:
		o.Joins = append(o.Joins, j)
	}
}

// joinsPID reports whether the container joins an existing pid namespace. Then the process that runs
// the program is a child of the first process.
func (cr *Creation) joinsPID() bool {
	ns, ok := cr.Cfg.Namespaces.Get(configs.NewPID)
	return ok && ns.Path != ""
}

// startNamespaced starts init from this thread or, if it has to join namespaces first, from a
// thread of its own.
func startNamespaced(o *nsenter.Options) (*nsenter.Init, error) {
	if len(o.ThreadJoins) == 0 {
		return nsenter.Start(o)
	}
	if dir := o.CgroupDir; dir != nil && slices.ContainsFunc(o.ThreadJoins, isCgroupNamespace) {
		o.CgroupDir = nil
		init, err := initproc.StartOnNewThread(o)
		if err == nil {
			err = moveTo(dir, init.PID)
		}
		return init, err
	}
	return initproc.StartOnNewThread(o)
}

func isCgroupNamespace(j nsenter.Join) bool { return j.Type == unix.CLONE_NEWCGROUP }

// moveTo moves a process into a cgroup in which it could not be born: if the hierarchy is mounted
// with nsdelegate, as systemd does, a thread that has joined a cgroup namespace cannot clone a
// process outside of that (ENOENT). This thread is in the host's cgroup namespace.
func moveTo(cgroup *os.File, pid int) error {
	const file = "cgroup.procs"
	fd, err := unix.Openat(int(cgroup.Fd()), file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.Write(fd, strconv.AppendInt(nil, int64(pid), 10))
		_ = unix.Close(fd)
	}
	runtime.KeepAlive(cgroup)
	if err != nil {
		return fmt.Errorf("place in cgroup %s: write %s: %w", cgroup.Name(), file, err)
	}
	return nil
}

// OpenNamespaces opens the namespaces to join and checks that each is of its kind: to join the
// wrong one would be worse than an error.
func OpenNamespaces(list configs.Namespaces) (joins []nsenter.Join, err error) {
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
		// The open of a fifo or of a terminal may wait.
		f, err := os.OpenFile(ns.Path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if err != nil {
			err = fmt.Errorf("%s: %w", ns.Field, access.ExplainMissing(ns.Path, err))
			return joins, codes.With(codes.NamespaceFailed, configs.AddPhrase(err, fmt.Sprintf(configs.PhraseNamespacePath, ns.Path)))
		}
		joins = append(joins, nsenter.Join{Type: uint32(t), FD: f})
		kind, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE)
		if err != nil || uint32(kind) != uint32(t) {
			return joins, codes.With(codes.NamespaceFailed, fmt.Errorf("%s: %q is not a %s namespace", ns.Field, ns.Path, t))
		}
	}
	return joins, nil
}

// timeOffsets returns the text for /proc/PID/timens_offsets (time_namespaces(7)).
func timeOffsets(cfg *configs.Config) string {
	var b strings.Builder
	for _, clock := range []string{"monotonic", "boottime"} {
		if o, ok := cfg.TimeOffsets[clock]; ok {
			fmt.Fprintf(&b, "%s %d %d\n", clock, o.Secs, o.Nanosecs)
		}
	}
	return b.String()
}
