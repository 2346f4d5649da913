// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountapi"
	"github.com/berth-run/berth/libcontainer/internal/resctrl"
	"github.com/berth-run/berth/libcontainer/internal/userns"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

func newExamination(o *Options) *examination {
	return &examination{o: o, euid: os.Geteuid(), rootless: os.Geteuid() != 0 || userns.Inside()}
}

// systemCall is one that berth needs, or uses if it is there.
type systemCall struct {
	name   string
	number uintptr
	since  string
	// without says what happens without it; "" for one that is needed.
	without string
}

// kernel looks for system calls. Each is made with arguments that every kernel refuses, and a kernel
// that does not have it says ENOSYS.
func (x *examination) kernel() {
	x.add(&Condition{Area: "kernel", Name: "version", Status: OK, Found: kernelName()})
	calls := [...]systemCall{
		{"openat2", unix.SYS_OPENAT2, "5.6", ""},
		{"clone3", unix.SYS_CLONE3, "5.3", ""},
		{"pidfd_open", unix.SYS_PIDFD_OPEN, "5.3", ""},
		{"fsopen", unix.SYS_FSOPEN, "5.2", ""},
		{"open_tree", unix.SYS_OPEN_TREE, "5.2", ""},
		{"move_mount", unix.SYS_MOVE_MOUNT, "5.2", ""},
		{"close_range", unix.SYS_CLOSE_RANGE, "5.9", ""},
		{"mount_setattr", unix.SYS_MOUNT_SETATTR, "5.12", "recursive mount options (rro, rnosuid, …) and id-mapped mounts are refused"},
	}
	for _, call := range calls {
		c := &Condition{Area: "kernel", Name: call.name, Status: OK, Essential: call.without == "", Effect: call.without}
		if _, _, errno := unix.Syscall6(call.number, ^uintptr(0), 0, 0, ^uintptr(0), ^uintptr(0), ^uintptr(0)); errno == unix.ENOSYS {
			c.Status = Missing
			c.Mend = "boot Linux " + call.since + " or newer; if this is a container, its seccomp filter may hide the call"
			if c.Effect == "" {
				c.Effect = "berth cannot run containers"
			}
		}
		x.add(c)
	}
	own := &Condition{Area: "kernel", Name: "own mount tree", Status: OK, Effect: "a create copies the mounts of the host, and takes longer"}
	if mountapi.HaveNewNamespace() != nil {
		own.Status, own.Mend = Limited, "boot Linux 7.0 or newer; nothing else is missing"
	}
	x.add(own)
}

func kernelName() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err.Error()
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
}

// namespaces looks which kinds the kernel has, and whether more may be made.
func (x *examination) namespaces() {
	for _, t := range configs.NamespaceTypes() {
		c := &Condition{Area: "namespaces", Name: t.String() + " namespace", Status: OK, Effect: "a config with it is refused"}
		file := "/proc/sys/user/max_" + t.ProcName() + "_namespaces"
		limit, err := readNumber(file)
		switch {
		case unix.Access("/proc/self/ns/"+t.ProcName(), unix.F_OK) != nil:
			c.Status, c.Mend = Missing, "boot a kernel that has it ("+configOption(t)+")"
		case err == nil && limit == 0:
			c.Status, c.Found = Missing, file+" is 0"
			c.Mend, c.Command = "allow them", "sysctl -w user.max_"+t.ProcName()+"_namespaces=15000"
		case err == nil:
			c.Found = fmt.Sprintf("at most %d", limit)
		}
		x.add(c)
	}
}

func configOption(t configs.NamespaceType) string {
	if t == configs.NewCgroup {
		return "CONFIG_CGROUPS"
	}
	return "CONFIG_" + strings.ToUpper(t.ProcName()) + "_NS"
}

func readNumber(file string) (int, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}

// userNamespaces makes one, as this user.
func (x *examination) userNamespaces() {
	c := &Condition{Area: "user", Name: "making user namespaces", Status: OK, Effect: "no rootless containers"}
	f, err := userns.New(ownMap())
	if err == nil {
		_ = f.Close()
	}
	if x.userNamespace = err; err != nil {
		c.Status, c.Found = Missing, err.Error()
		c.Mend, c.Command = mendUserNamespaces()
		if x.euid == 0 {
			c.Effect = "no containers with a user namespace"
		}
	}
	x.add(c)
	x.idHelpers()
}

// ownMap maps the caller's ids only, which an ordinary user may do without help.
func ownMap() *nsenter.Options {
	return &nsenter.Options{
		UIDMappings: userns.SysMap([]configs.IDMap{{HostID: uint32(os.Geteuid()), Size: 1}}),
		GIDMappings: userns.SysMap([]configs.IDMap{{HostID: uint32(os.Getegid()), Size: 1}}), DenySetgroups: true,
	}
}

// mendUserNamespaces returns which setting forbids user namespaces.
func mendUserNamespaces() (mend, command string) {
	for _, s := range [...]struct {
		key  string
		bad  int
		good string
	}{
		{"kernel.unprivileged_userns_clone", 0, "1"},
		{"user.max_user_namespaces", 0, "15000"},
		{"kernel.apparmor_restrict_unprivileged_userns", 1, "0"},
	} {
		if n, err := readNumber("/proc/sys/" + strings.ReplaceAll(s.key, ".", "/")); err == nil && n == s.bad {
			return fmt.Sprintf("%s is %d", s.key, s.bad), "sysctl -w " + s.key + "=" + s.good
		}
	}
	return "a security module, a seccomp filter or the kernel's configuration (CONFIG_USER_NS) forbids it", ""
}

// idMappedMounts maps a detached mount of the root directory.
func (x *examination) idMappedMounts() {
	c := &Condition{Area: "mounts", Name: "id-mapped mounts", Status: OK, Effect: "mounts with uidMappings or the option idmap are refused"}
	switch err := x.tryIDMap(); {
	case err == nil:
	case x.euid != 0 || errors.Is(err, unix.EPERM):
		c.Status, c.Found = Unknown, "only root may try"
	default:
		c.Status, c.Found = Missing, err.Error()
		c.Mend = "boot Linux 5.12 or newer, on a file system that supports them (ext4, xfs, btrfs, tmpfs since 6.3)"
	}
	x.add(c)
}

func (x *examination) tryIDMap() error {
	if x.euid != 0 {
		return unix.EPERM
	}
	if x.userNamespace != nil {
		return x.userNamespace
	}
	f, err := userns.New(&nsenter.Options{
		UIDMappings: userns.SysMap([]configs.IDMap{{HostID: 1, Size: 1}}), GIDMappings: userns.SysMap([]configs.IDMap{{HostID: 1, Size: 1}}),
	})
	if err != nil {
		return err
	}
	defer f.Close()
	dir := x.existingRoot()
	tree, err := mountapi.OpenTree(dir, false)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	if err := mountapi.SetIDMap(tree, false, int(f.Fd())); err != nil {
		return fmt.Errorf("the file system of %s: %w", dir, err)
	}
	return nil
}

// memoryPolicy looks for NUMA support, which set_mempolicy(2) needs.
func haveMemoryPolicy() bool {
	var mode int
	_, _, errno := unix.Syscall6(unix.SYS_GET_MEMPOLICY, uintptr(unsafe.Pointer(&mode)), 0, 0, 0, 0, 0)
	return errno != unix.ENOSYS
}

// resctrl looks at what few configs need.
func (x *examination) resctrl() {
	c := &Condition{Area: "kernel", Name: "resctrl", Status: OK, Effect: "linux.intelRdt is refused"}
	if _, err := resctrl.Open(resctrl.MountPoint); err != nil {
		c.Status, c.Found = Missing, err.Error()
		c.Mend, c.Command = "on a machine with RDT or the like, mount it", "mount -t resctrl resctrl "+resctrl.MountPoint
	}
	x.add(c)
	c = &Condition{Area: "kernel", Name: "memory policies", Status: OK, Effect: "linux.memoryPolicy is refused"}
	if !haveMemoryPolicy() {
		c.Status, c.Mend = Missing, "boot a kernel with NUMA support (CONFIG_NUMA)"
	}
	x.add(c)
}
