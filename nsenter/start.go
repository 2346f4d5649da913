// SPDX-License-Identifier: Apache-2.0

package nsenter

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"

	"github.com/berth-run/berth/nsenter/internal/wire"
	"golang.org/x/sys/unix"
)

// unshared returns the namespaces that init unshares itself, which are not created by the
// clone; see Options.NewNamespaces.
func (o *Options) unshared() uintptr {
	if o.joins(unix.CLONE_NEWUSER) {
		return o.NewNamespaces
	}
	cloned := uintptr(unix.CLONE_NEWUSER | unix.CLONE_NEWPID)
	if o.NetAtOnce {
		cloned |= unix.CLONE_NEWNET
	}
	return o.NewNamespaces &^ cloned
}

// joins reports whether init joins a namespace of the given type.
func (o *Options) joins(kind uint32) bool {
	for _, j := range o.Joins {
		if j.Type&kind != 0 {
			return true
		}
	}
	return false
}

// Start starts init. On error no process is left.
func Start(o *Options) (*Init, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socketpair: %w", err)
	}
	sock := os.NewFile(uintptr(pair[0]), "init socket")
	i := &Init{sock: sock, track: o.Track}
	// Each message has the pid of its sender: see follow.
	if err = unix.SetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		err = fmt.Errorf("setsockopt SO_PASSCRED: %w", err)
	}
	// The message is sent before init exists, so init never waits for it.
	if err == nil && !o.Deferred {
		err = i.sendBootstrap(o)
	}
	if err == nil {
		span := o.Track.Begin("clone and exec of init")
		err = span.End(o.clone(i, pair[1]))
	}
	// From here on only init has that end open, so its death ends the connection.
	if err = errors.Join(err, unix.Close(pair[1])); i.PIDFD == nil {
		return nil, errors.Join(err, i.helper.close(), sock.Close())
	}
	if err == nil && !o.Deferred {
		i.entering = i.track.Begin(phaseEnter)
		err = i.settle(o)
	}
	if err != nil {
		return nil, errors.Join(err, i.Abort(), i.Close())
	}
	return i, nil
}

// Bootstrap sends the first message to an init that was started with Deferred. The options must
// be the same, now with all the files. PID and PIDFD may change. On error init is left as it
// is: it must still be aborted and closed.
func (i *Init) Bootstrap(o *Options) error {
	if err := i.sendBootstrap(o); err != nil {
		return err
	}
	i.entering = i.track.Begin(phaseEnter)
	return i.settle(o)
}

// phaseEnter is the phase of a trace in which init follows the first message.
const phaseEnter = "enter the cgroups and namespaces"

func (i *Init) sendBootstrap(o *Options) error {
	boot, files, err := o.bootstrap()
	if err != nil {
		return err
	}
	if o.Notifies {
		if i.helper, err = newHelper(); err != nil {
			return err
		}
		files = append(files, int(i.helper.theirs.Fd()))
	}
	err = sendMessage(i.sock, wire.Bytes(boot), files)
	runtime.KeepAlive(o)
	if err != nil {
		return fmt.Errorf("send to init: %w", err)
	}
	i.joinsPID = o.joins(unix.CLONE_NEWPID)
	i.names = o.fileNames()
	i.inside = insideRequest{procContexts: o.ProcContexts, namespaces: boot.NamespaceFiles}
	return nil
}

// settle does the caller's part after the first message: it writes the id maps, and follows
// init when it forks.
func (i *Init) settle(o *Options) error {
	flags := o.flags()
	if i.helper != nil {
		if err := i.helper.adopt(i); err != nil {
			return err
		}
	}
	if flags&wire.AwaitMaps != 0 {
		if err := i.mapIDs(o.MapIDs); err != nil {
			return err
		}
	}
	if flags&wire.Fork != 0 {
		return i.follow()
	}
	return nil
}

// mapIDs calls MapIDs while init waits.
func (i *Init) mapIDs(write func(pid int) error) error {
	if _, err := i.await(wire.Ready); err != nil {
		return err
	}
	if err := write(i.PID); err != nil {
		return err
	}
	return i.letGo()
}

// follow waits until init goes on as its child, and reaps the first process.
//
// A process of a container that can trace the child may forge its message, but the pid comes
// from the kernel. It can only be that of a process in the container, and of these only the
// child is a child of this process.
func (i *Init) follow() error {
	if i.forked == 0 {
		if _, err := i.await(wire.Forked); err != nil {
			return err
		}
		i.forked = i.sender
	}
	child := i.forked
	fd, err := unix.PidfdOpen(child, 0)
	if err != nil {
		return fmt.Errorf("%w (pidfd_open: %w)", ErrInitGone, err)
	}
	pidfd := os.NewFile(uintptr(fd), "pidfd of init")
	err = unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	if err != nil || child == i.PID {
		return errors.Join(fmt.Errorf("%w: process %d is not the child of init", errBadReport, child), pidfd.Close())
	}
	first := Init{PID: i.PID, PIDFD: i.PIDFD}
	i.mu.Lock()
	i.PID, i.PIDFD, i.joinsPID = child, pidfd, false
	interrupted := i.interrupted
	i.mu.Unlock()
	if interrupted {
		err = i.Interrupt()
	}
	// It is exiting, or has exited already.
	return errors.Join(err, first.Abort(), first.PIDFD.Close())
}

// bootstrap returns the first message and the descriptors that go with it.
func (o *Options) bootstrap() (*wire.Bootstrap, []int, error) {
	switch {
	case o.NewNamespaces&^allNamespaces != 0:
		return nil, nil, fmt.Errorf("new namespaces %#x: %w", o.NewNamespaces, unix.EINVAL)
	case len(o.CgroupTasks)+len(o.ChildTasks) > wire.MaxTasks:
		return nil, nil, fmt.Errorf("%d cgroup hierarchies: %w", len(o.CgroupTasks)+len(o.ChildTasks), unix.E2BIG)
	case len(o.Joins) > wire.MaxJoins:
		return nil, nil, fmt.Errorf("%d namespaces to join: %w", len(o.Joins), unix.E2BIG)
	case o.ProcContexts < 0 || o.ProcContexts > wire.MaxProcContexts:
		return nil, nil, fmt.Errorf("%d mounts of type proc: %w", o.ProcContexts, unix.E2BIG)
	case len(o.TimeOffsets) > wire.MaxOffsets:
		return nil, nil, fmt.Errorf("time offsets of %d bytes: %w", len(o.TimeOffsets), unix.E2BIG)
	}
	b := &wire.Bootstrap{
		Magic:        wire.Magic,
		Version:      wire.Version,
		UID:          o.OwnerUID,
		GID:          o.OwnerGID,
		Unshare:      uint32(o.unshared()),
		Tasks:        uint32(len(o.CgroupTasks)),
		Joins:        uint32(len(o.Joins)),
		ChildTasks:   uint32(len(o.ChildTasks)),
		ProcContexts: uint32(o.ProcContexts),
	}
	b.Flags = o.flags()
	if o.NewNamespaces&unix.CLONE_NEWTIME != 0 {
		b.OffsetsSize = uint32(copy(b.Offsets[:], o.TimeOffsets))
	}
	if o.NamespaceFDs {
		b.NamespaceFiles = o.namespaces()
	}
	files := make([]int, 0, len(o.CgroupTasks)+len(o.Joins)+len(o.ChildTasks)+1)
	for _, f := range o.CgroupTasks {
		files = append(files, int(f.Fd()))
	}
	for n, j := range o.Joins {
		b.JoinTypes[n] = j.Type
		files = append(files, int(j.FD.Fd()))
	}
	for _, f := range o.ChildTasks {
		files = append(files, int(f.Fd()))
	}
	return b, files, nil
}

// flags returns the flags of the bootstrap message.
func (o *Options) flags() uint32 {
	var flags uint32
	if o.ResetAffinity {
		flags |= wire.ResetAffinity
	}
	joinsUser := o.joins(unix.CLONE_NEWUSER)
	switch {
	case o.NewNamespaces&unix.CLONE_NEWUSER != 0 && o.MapIDs != nil:
		flags |= wire.AwaitMaps | wire.Own
	case joinsUser:
		flags |= wire.Own
	}
	if joinsUser && o.NewNamespaces&unix.CLONE_NEWPID != 0 {
		flags |= wire.Fork
	}
	if o.Notifies {
		flags |= wire.Helper
	}
	if o.opener {
		flags |= wire.Opener
	}
	return flags
}

// namespaces returns the CLONE_NEW* flags of all new and joined namespaces.
func (o *Options) namespaces() uint32 {
	flags := uint32(o.NewNamespaces)
	for _, j := range slices.Concat(o.Joins, o.ThreadJoins) {
		flags |= j.Type
	}
	return flags & allNamespaces
}

const allNamespaces = unix.CLONE_NEWTIME | unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS |
	unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET
