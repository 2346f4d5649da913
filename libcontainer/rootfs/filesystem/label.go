// SPDX-License-Identifier: Apache-2.0

package filesystem

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Label sets the SELinux label of the root directory of the mount tree.
func Label(tree int, label string) error {
	dir, err := openDirectory(tree)
	if err != nil {
		return err
	}
	err = unix.Fsetxattr(int(dir.Fd()), "security.selinux", []byte(label), 0)
	return errors.Join(os.NewSyscallError("fsetxattr", err), dir.Close())
}

// takesContext reports whether the SELinux option context= can label a file system.
func takesContext(fstype string) bool {
	switch fstype {
	case "proc", "sysfs", "mqueue", "cgroup", "cgroup2":
		return false
	}
	return true
}
