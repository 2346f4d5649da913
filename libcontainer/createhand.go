// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"os"
	"path/filepath"
	"slices"
	"unsafe"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/record"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// handOver gives the caller what it asked for: pty, pidfd, pid file. The pid file comes
// last, since its presence tells that the rest is done.
func (cr *creation) handOver() error {
	if err := handOverConsole(&cr.built.master, cr.built.ptyName, cr.console, cr.opts.Console); err != nil {
		return err
	}
	for _, r := range cr.pidfdTo {
		if err := r.send(cr.init.PIDFD, "pidfd"); err != nil {
			return err
		}
	}
	_, err := writePIDFile(cr.opts.PIDFile, cr.init.PID)
	return err
}

// sendListener hands the listener of init's filter over to the agent.
func (cr *creation) sendListener(listener *os.File) error {
	return sendListener(cr.agent, listener, cr.init.PID, cr.cfg.Seccomp.ListenerMetadata, cr.hookState(specs.StateCreating))
}

// giveStreams gives the container's process its streams. The maps are known by now, those
// of a user namespace that was joined as well.
func (cr *creation) giveStreams() (left [standardStreams]bool, err error) {
	p := &cr.cfg.Process
	if p.Terminal {
		return [standardStreams]bool{true}, nil // The pty is berth's own; one file, three times.
	}
	return giveStreams(cr.opts.Stdio, hostUID(cr.cfg.UIDMappings, p.UID), &cr.undo)
}

// keepForExec writes down what exec needs and config.json may no longer say by then: the
// text of its process, which costs nothing to make, and the compiled filter, so that an
// exec neither reads a profile again nor depends on a cache. It needs no care for
// readers: the state has no pid yet, so there are none.
func (cr *creation) keepForExec() error {
	if doc := cr.opts.ProcessDocument; doc != "" {
		// Not copied: a write does not change it.
		data := unsafe.Slice(unsafe.StringData(doc), len(doc))
		if err := sysfile.WriteNew(filepath.Join(cr.Dir, record.ProcessFile), data, 0o600); err != nil {
			return err
		}
	}
	if cr.filter == nil {
		return nil
	}
	cr.Saved.Filtered, cr.Saved.FilterFlags = true, cr.filter.Flags
	if cr.filter.NewListener() {
		cr.Saved.ListenerPath, cr.Saved.ListenerMetadata = cr.cfg.Seccomp.ListenerPath, cr.cfg.Seccomp.ListenerMetadata
	}
	return sysfile.WriteNew(filepath.Join(cr.Dir, record.FilterFile), cr.filter.BPF, 0o600)
}

// addNotify gives the container the directory for its notify socket, which is made by
// whoever starts it.
func (cr *creation) addNotify() error {
	if !cr.opts.Notify {
		return nil
	}
	if !cr.cfg.Namespaces.Contains(configs.NewMount) {
		cr.opts.Log.Warnf("%s is ignored: the container has no mount namespace", NotifySocketEnv)
		return nil
	}
	dir := filepath.Join(cr.Dir, notifyDir)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	// Whatever the umask: its users have to get to the socket.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	cr.cfg.Mounts = append(slices.Clip(cr.cfg.Mounts), configs.Mount{
		Field: NotifySocketEnv, Destination: notifyMount, Type: "bind", Source: dir,
		Flags: unix.MS_BIND | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC,
	})
	p := &cr.cfg.Process
	p.Env = append(withoutEnv(p.Env, NotifySocketEnv), NotifySocketEnv+"="+notifyMount+"/"+notifySocket)
	return nil
}
