// SPDX-License-Identifier: Apache-2.0

// Package userns is about user namespaces: whether this process is in one, the id maps of
// others, and how to create one.
package userns

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"github.com/berth-run/berth/nsenter"
	"github.com/berth-run/berth/nsenter/timerslack"
	"golang.org/x/sys/unix"
)

// Unprivileged reports whether the runtime has rights only over what it creates itself: user
// namespaces, and what they own.
func Unprivileged() bool { return os.Geteuid() != 0 }

// Inside reports whether this process is not in the initial user namespace, whose inode has a
// fixed number in the kernel (PROC_USER_INIT_INO).
func Inside() bool {
	var st unix.Stat_t
	const initial = 0xEFFFFFFD
	return unix.Stat("/proc/self/ns/user", &st) == nil && st.Ino != initial
}

// SetgroupsDenied reports whether setgroups(2) is denied in the user namespace of this process.
func SetgroupsDenied() bool {
	data, err := os.ReadFile("/proc/self/setgroups")
	return err == nil && bytes.HasPrefix(data, []byte("deny"))
}

// IsOwn reports whether the map has only the one id that an unprivileged user may map.
func IsOwn(m []configs.IDMap, id int) bool {
	return len(m) == 1 && m[0].Size == 1 && m[0].HostID == uint32(id)
}

// WriteMaps writes the id maps of process pid, as far as an unprivileged user can.
func WriteMaps(cfg *configs.Config, pid int) error {
	dir := "/proc/" + strconv.Itoa(pid)
	if IsOwn(cfg.GIDMappings, os.Getegid()) {
		if err := sysfile.WriteOnce(dir+"/setgroups", "deny"); err != nil {
			return fmt.Errorf("linux.gidMappings: %w", err)
		}
	}
	for _, m := range [...]struct {
		field, helper, file string
		rows                []configs.IDMap
		own                 int
	}{
		{"linux.uidMappings", "newuidmap", dir + "/uid_map", cfg.UIDMappings, os.Geteuid()},
		{"linux.gidMappings", "newgidmap", dir + "/gid_map", cfg.GIDMappings, os.Getegid()},
	} {
		var err error
		if IsOwn(m.rows, m.own) {
			err = sysfile.WriteOnce(m.file, fmt.Sprintf("%d %d 1", m.rows[0].ContainerID, m.own))
		} else {
			err = runMapHelper(m.helper, pid, m.rows)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.field, err)
		}
	}
	return nil
}

// runMapHelper writes a map with newuidmap or newgidmap, which have the right to do so and
// check /etc/subuid and /etc/subgid.
func runMapHelper(helper string, pid int, rows []configs.IDMap) error {
	path, err := exec.LookPath(helper)
	if err != nil {
		return fmt.Errorf("mapping more than one's own id needs %s (package uidmap): %w", helper, err)
	}
	args := []string{strconv.Itoa(pid)}
	for _, r := range rows {
		for _, n := range [...]uint32{r.ContainerID, r.HostID, r.Size} {
			args = append(args, strconv.FormatUint(uint64(n), 10))
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	timerslack.Restore()
	out, err := exec.Command(path, args...).CombinedOutput()
	if err == nil {
		return nil
	}
	if text := bytes.TrimSpace(out); len(text) > 0 {
		return fmt.Errorf("%s: %w: %s", helper, err, bytes.ReplaceAll(text, []byte("\n"), []byte("; ")))
	}
	return fmt.Errorf("%s: %w", helper, err)
}

// New creates a user namespace with the maps in the options. That needs a process, which has
// ended when New returns.
func New(o *nsenter.Options) (*os.File, error) {
	o.NewNamespaces = unix.CLONE_NEWUSER
	init, err := nsenter.Start(o)
	if err != nil {
		return nil, fmt.Errorf("make a user namespace with the maps: %w", err)
	}
	f, err := os.Open("/proc/" + strconv.Itoa(init.PID) + "/ns/user")
	if err := errors.Join(err, init.Abort(), init.Close()); err != nil {
		return nil, fmt.Errorf("user namespace with the maps: %w", err)
	}
	return f, nil
}
