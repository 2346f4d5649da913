// SPDX-License-Identifier: Apache-2.0

package restore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/criu"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"golang.org/x/sys/unix"
)

// openImages gives the processes of a user namespace access to the images. At first they read
// them as the host's root, but without its capabilities, and later as the namespace's root.
// During the restore the host's root owns the directory, and the namespace's root is its group.
func (r *Restoration) openImages() (revert func() error, err error) {
	nothing := func() error { return nil }
	gid, ok := configs.HostID(r.Cfg.GIDMappings, 0)
	if !ok || userns.Unprivileged() {
		return nothing, nil
	}
	var st unix.Stat_t
	if err := unix.Stat(r.o.ImagePath, &st); err != nil {
		return nil, fmt.Errorf("image-path: %w", &os.PathError{Op: "stat", Path: r.o.ImagePath, Err: err})
	}
	const all, both = 0o001, 0o110
	if st.Mode&all != 0 {
		return nothing, nil
	}
	// unix.Chmod, as [os.Chmod] has other numbers for the set-id and sticky bits.
	change := func(uid, gid, mode uint32) error {
		if err := os.Chown(r.o.ImagePath, int(uid), int(gid)); err != nil {
			return fmt.Errorf("image-path: %w", err)
		}
		if err := unix.Chmod(r.o.ImagePath, mode&^unix.S_IFMT); err != nil {
			return fmt.Errorf("image-path: %w", &os.PathError{Op: "chmod", Path: r.o.ImagePath, Err: err})
		}
		return nil
	}
	revert = func() error { return change(st.Uid, st.Gid, st.Mode) }
	if err := change(0, gid, st.Mode|both); err != nil {
		return nil, errors.Join(err, revert())
	}
	return revert, nil
}

// checkRestrictions runs when everything is restored and no instruction of the program has run
// yet. A criu that does not know something in the images ignores it silently, as 3.17 does with
// the first of these, and the checkpoint may have been made with another config.
func (r *Restoration) checkRestrictions() error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.Init.PID))
	if err == nil {
		err = checkStatus(string(status), r.Cfg.Process.NoNewPrivileges, r.Filter != nil)
	}
	if err == nil {
		err = r.checkMounts()
	}
	if err == nil {
		return nil
	}
	return errors.Join(err, r.killRestored())
}

// killRestored kills everything that criu has restored, and criu. On an error criu would not
// stop at this point: it would let the processes that are left run. And if it found the first
// process of a pid namespace dead, it would wait for it. That one waits for the others, which
// are zombies until criu reaps them. The processes are stopped, so their pids cannot have been
// reused.
func (r *Restoration) killRestored() error {
	tree, _, err := criu.ProcessTree(r.Saved.PID, r.Cgroup)
	if err != nil {
		tree = []int{r.Init.PID}
	}
	for _, pid := range tree {
		if kerr := unix.Kill(pid, unix.SIGKILL); kerr != nil && !errors.Is(kerr, unix.ESRCH) {
			err = errors.Join(err, fmt.Errorf("kill %d: %w", pid, kerr))
		}
	}
	return errors.Join(err, r.removeYard(), r.criu.Kill())
}

// removeYard removes the directory on the host in which criu has mounted cgroups, visible only
// to itself, if criu has died without removing it.
func (r *Restoration) removeYard() error {
	mounts, err := criu.ReadMounts(strconv.Itoa(r.criu.Pid))
	for _, m := range mounts {
		if strings.HasPrefix(filepath.Base(m.Mountpoint), ".criu.cgyard.") {
			r.Undo.Push("remove what criu leaves", func() error { return os.Remove(m.Mountpoint) })
		}
	}
	return err
}

// checkStatus checks the restrictions in /proc/PID/status (proc_pid_status(5)).
func checkStatus(status string, noNewPrivileges, filtered bool) error {
	has := func(key, value string) bool {
		for line := range strings.Lines(status) {
			if rest, ok := strings.CutPrefix(line, key+":"); ok {
				return strings.TrimSpace(rest) == value
			}
		}
		return false
	}
	if noNewPrivileges && !has("NoNewPrivs", "1") {
		return errors.New("process.noNewPrivileges: the restored process does not have it (does criu support it, and did the checkpoint have it?)")
	}
	if filtered && !has("Seccomp", "2") {
		return errors.New("linux.seccomp: the restored process has no filter (did the checkpoint have one?)")
	}
	return nil
}
