// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bufio"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// idHelpers looks for newuidmap, newgidmap and the caller's ranges of ids.
func (x *examination) idHelpers() {
	for _, kind := range [...]struct{ helper, file, option string }{
		{"newuidmap", "/etc/subuid", "--add-subuids"},
		{"newgidmap", "/etc/subgid", "--add-subgids"},
	} {
		c := &Condition{Area: "user", Name: kind.helper, Status: OK, Effect: "an ordinary user can map one id only: images with several owners do not work"}
		p, err := lookUp(kind.helper)
		switch {
		case err != nil && x.euid == 0:
			c.Status, c.Effect = Limited, "root does not need it, but ordinary users do"
			c.Mend, c.Command = "install it", "apt-get install uidmap"
		case err != nil:
			c.Status, c.Mend, c.Command = Missing, "install it", "apt-get install uidmap"
		case !privileged(p):
			c.Status, c.Found = Missing, p+" has neither the set-user-ID bit nor file capabilities"
			c.Mend, c.Command = "give it back", "chmod u+s "+p
			if x.euid == 0 {
				c.Status = Limited
			}
		default:
			c.Found = p
		}
		x.add(c)
		x.subordinate(kind.file, kind.option)
	}
}

// lookUp finds a program, also where ordinary users have no PATH.
func lookUp(name string) (string, error) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/sbin", "/usr/sbin", "/sbin") {
		p := filepath.Join(dir, name)
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && unix.Access(p, unix.X_OK) == nil {
			return p, nil
		}
	}
	return "", os.ErrNotExist
}

// privileged reports whether a program has more rights than its caller.
func privileged(p string) bool {
	info, err := os.Stat(p)
	if err != nil {
		return false
	}
	if info.Mode()&os.ModeSetuid != 0 {
		return true
	}
	var buf [64]byte
	n, err := unix.Getxattr(p, "security.capability", buf[:])
	return err == nil && n > 0
}

// subordinate looks for the caller's range in /etc/subuid or /etc/subgid.
func (x *examination) subordinate(file, option string) {
	name, id := caller()
	c := &Condition{Area: "user", Name: "range in " + file, Status: OK, Effect: "an ordinary user can map one id only"}
	count, err := rangesIn(file, name, id)
	switch {
	case x.euid == 0:
		c.Status, c.Found = Unused, "root needs none"
		if count > 0 {
			c.Status, c.Found = OK, fmt.Sprintf("%d ids", count)
		}
	case count == 0:
		c.Status = Missing
		if c.Found = "none for " + name; err != nil {
			c.Found = err.Error()
		}
		c.Mend, c.Command = "as root, give the user one", fmt.Sprintf("usermod %s 100000-165535 %s", option, name)
	case count < 65536:
		c.Status, c.Found = Limited, fmt.Sprintf("%d ids, fewer than the 65536 that images expect", count)
		c.Mend, c.Command = "as root, give the user more", fmt.Sprintf("usermod %s 100000-165535 %s", option, name)
	default:
		c.Found = fmt.Sprintf("%d ids", count)
	}
	x.add(c)
}

func caller() (name, id string) {
	id = strconv.Itoa(os.Getuid())
	if u, err := user.LookupId(id); err == nil {
		return u.Username, id
	}
	return id, id
}

// rangesIn returns how many ids a file with lines NAME:FIRST:COUNT gives a user.
func rangesIn(file, name, id string) (count uint64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Split(strings.TrimSpace(s.Text()), ":")
		if len(fields) == 3 && slices.Contains([]string{name, id}, fields[0]) {
			if n, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
				count += n
			}
		}
	}
	return count, nil
}

// state looks at the directory for the state of containers.
func (x *examination) state() {
	c := &Condition{Area: "state", Name: "state directory", Status: OK, Found: x.o.Root, Essential: true, Effect: "berth cannot keep the state of containers"}
	dir := x.existingRoot()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		c.Status, c.Found = Missing, fmt.Sprintf("%s: %v", dir, err)
		x.add(c)
		return
	}
	if unix.Access(dir, unix.W_OK|unix.X_OK) != nil {
		c.Status, c.Found = Missing, dir+" is not writable for this user"
		c.Mend, c.Command = "log in with a session, or give a directory of your own", "berth --root $HOME/.berth …"
	}
	x.add(c)
	c = &Condition{Area: "state", Name: "state on a tmpfs", Status: OK, Found: x.o.Root, Effect: "after a reboot, containers that are gone are still listed"}
	if fs.Type != unix.TMPFS_MAGIC && fs.Type != unix.RAMFS_MAGIC {
		c.Status, c.Found = Limited, x.o.Root+" is on a file system that survives a reboot"
		c.Mend, c.Command = "use a directory on a tmpfs, as /run usually is", "berth --root /run/berth …"
		if strings.HasPrefix(x.o.Root, "/run/") {
			c.Mend, c.Command = "mount a tmpfs on /run at boot", "echo 'tmpfs /run tmpfs mode=0755,nosuid,nodev 0 0' >>/etc/fstab"
		}
	}
	x.add(c)
}

// existingRoot returns the state directory or, if it does not exist yet, the nearest above.
func (x *examination) existingRoot() string {
	dir := x.o.Root
	for dir != "/" && unix.Access(dir, unix.F_OK) != nil {
		dir = filepath.Dir(dir)
	}
	return dir
}
