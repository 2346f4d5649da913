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

// HandOver passes the pty, the pidfd and the pid to the caller, as far as it asked for them. The
// pid file comes last: its presence means that the rest is done.
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

// sendListener sends the listener of init's seccomp filter to the agent.
func (cr *Creation) sendListener(listener *os.File) error {
	return handover.SendListener(cr.agent, listener, cr.Init.PID, cr.Cfg.Seccomp.ListenerMetadata, cr.hookState(specs.StateCreating))
}

// giveStreams makes the user of the container's process the owner of its streams. By now the id
// maps are known, including those of a user namespace that was joined.
func (cr *Creation) giveStreams() (left [handover.StandardStreams]bool, err error) {
	p := &cr.Cfg.Process
	if p.Terminal {
		return [handover.StandardStreams]bool{true}, nil // The pty is berth's own; one file, three times.
	}
	return handover.GiveStreams(cr.Opts.Stdio, userns.HostUID(cr.Cfg.UIDMappings, p.UID), &cr.Undo)
}

// KeepForExec saves what exec needs, because config.json may change: the text of its process, and
// the compiled filter, so that exec does not read a profile again. Nobody reads these files
// yet, because the state has no pid, so they need not be replaced atomically.
func (cr *Creation) KeepForExec() error {
	if doc := cr.Opts.ProcessDocument; doc != "" {
		// Without a copy: write(2) does not change the bytes.
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

// AddNotify adds a mount of the directory for the container's notify socket. The start makes the
// socket.
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
	// Regardless of the umask: the container's users must be able to reach the socket.
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
