// SPDX-License-Identifier: Apache-2.0

package create

import (
	"os"
	"path/filepath"
	"slices"
	"unsafe"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/handover"
	"github.com/berth-run/berth/libcontainer/internal/initproc"
	"github.com/berth-run/berth/libcontainer/internal/notify"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// HandOver gives the caller what it asked for: pty, pidfd, pid file. The pid file comes
// last, since its presence tells that the rest is done.
func (cr *Creation) HandOver() error {
	if err := handover.Console(&cr.Built.Master, cr.Built.PtyName, cr.console, cr.Opts.Console); err != nil {
		return err
	}
	for _, r := range cr.pidfdTo {
		if err := r.Send(cr.Init.PIDFD, "pidfd"); err != nil {
			return err
		}
	}
	_, err := handover.WritePIDFile(cr.Opts.PIDFile, cr.Init.PID)
	return err
}

// sendListener hands the listener of init's filter over to the agent.
func (cr *Creation) sendListener(listener *os.File) error {
	return handover.SendListener(cr.agent, listener, cr.Init.PID, cr.Cfg.Seccomp.ListenerMetadata, cr.hookState(specs.StateCreating))
}

// giveStreams gives the container's process its streams. The maps are known by now, those
// of a user namespace that was joined as well.
func (cr *Creation) giveStreams() (left [handover.StandardStreams]bool, err error) {
	p := &cr.Cfg.Process
	if p.Terminal {
		return [handover.StandardStreams]bool{true}, nil // The pty is berth's own; one file, three times.
	}
	return handover.GiveStreams(cr.Opts.Stdio, userns.HostUID(cr.Cfg.UIDMappings, p.UID), &cr.Undo)
}

// KeepForExec writes down what exec needs and config.json may no longer say by then: the
// text of its process, which costs nothing to make, and the compiled filter, so that an
// exec neither reads a profile again nor depends on a cache. It needs no care for
// readers: the state has no pid yet, so there are none.
func (cr *Creation) KeepForExec() error {
	if doc := cr.Opts.ProcessDocument; doc != "" {
		// Not copied: a write does not change it.
		data := unsafe.Slice(unsafe.StringData(doc), len(doc))
		if err := sysfile.WriteNew(filepath.Join(cr.Dir, record.ProcessFile), data, 0o600); err != nil {
			return err
		}
	}
	if cr.Filter == nil {
		return nil
	}
	cr.Saved.Filtered, cr.Saved.FilterFlags = true, cr.Filter.Flags
	if cr.Filter.NewListener() {
		cr.Saved.ListenerPath, cr.Saved.ListenerMetadata = cr.Cfg.Seccomp.ListenerPath, cr.Cfg.Seccomp.ListenerMetadata
	}
	return sysfile.WriteNew(filepath.Join(cr.Dir, record.FilterFile), cr.Filter.BPF, 0o600)
}

// AddNotify gives the container the directory for its notify socket, which is made by
// whoever starts it.
func (cr *Creation) AddNotify() error {
	if !cr.Opts.Notify {
		return nil
	}
	if !cr.Cfg.Namespaces.Contains(configs.NewMount) {
		cr.Opts.Log.Warnf("%s is ignored: the container has no mount namespace", notify.SocketEnv)
		return nil
	}
	dir := filepath.Join(cr.Dir, notify.Dir)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	// Whatever the umask: its users have to get to the socket.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	cr.Cfg.Mounts = append(slices.Clip(cr.Cfg.Mounts), configs.Mount{
		Field: notify.SocketEnv, Destination: notify.Mount, Type: "bind", Source: dir,
		Flags: unix.MS_BIND | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC,
	})
	p := &cr.Cfg.Process
	p.Env = append(initproc.WithoutEnv(p.Env, notify.SocketEnv), notify.SocketEnv+"="+notify.Mount+"/"+notify.Socket)
	return nil
}
