// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"

	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// A builder process is in the container's user namespace, but it has files of the host,
// and the host's pid namespace. Where processes of a container are in both they could
// trace it, if they have CAP_SYS_PTRACE there. The kernel forbids that to all who have no
// rights over the file that a process was executed from, if the process itself could not
// read that (ptrace(2), "mm->user_ns" in the kernel): so such a builder is executed from
// a copy of this binary that only can be executed, and belongs to nobody in the container.

// builderProgram opens what a builder process is to execute. exposed says that it has to
// be hidden from processes with the ids of cfg.
func builderProgram(cfg *configs.Config, exposed bool) (*os.File, error) {
	self, err := os.Open("/proc/self/exe")
	if err != nil || !exposed {
		return self, err
	}
	defer self.Close()
	return unreadableCopy(self, cfg)
}

func unreadableCopy(program *os.File, cfg *configs.Config) (_ *os.File, err error) {
	fd, err := unix.MemfdCreate("berth", unix.MFD_CLOEXEC|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // needs Linux 6.3; before, all are executable
		fd, err = unix.MemfdCreate("berth", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "copy of berth")
	defer f.Close()
	if _, err := io.Copy(f, program); err != nil {
		return nil, err
	}
	if err := f.Chmod(0o111); err != nil {
		return nil, err
	}
	if hasHostID(cfg.UIDMappings, uint32(os.Geteuid())) {
		if err := f.Chown(int(strangerTo(cfg.UIDMappings)), -1); err != nil {
			return nil, errExposed
		}
	}
	// One that is open for writing cannot be executed.
	return os.Open("/proc/self/fd/" + strconv.Itoa(fd))
}

// errExposed is for who may not give the copy away to a stranger.
var errExposed = errors.New("processes of the container could trace the one that mounts for it, which has the files of the host: " +
	"they share its pid namespace and the user who calls berth (give the container a pid namespace, or call berth as root)")

func hasHostID(rows []configs.IDMap, id uint32) bool {
	return slices.ContainsFunc(rows, func(r configs.IDMap) bool { return id >= r.HostID && id-r.HostID < r.Size })
}

// strangerTo is an id of the host that a map has not.
func strangerTo(rows []configs.IDMap) uint32 {
	id := uint32(math.MaxInt32) // as far as every file system goes
	for hasHostID(rows, id) {
		id--
	}
	return id
}

// isExposed says whether others may be in the user namespace and see the builder. Before
// a container has begun to run nobody is in one that is new.
func isExposed(cfg *configs.Config) bool {
	if cfg.Namespaces.IsNew(configs.NewUser) {
		return false
	}
	if ns, ok := cfg.Namespaces.Get(configs.NewPID); ok {
		return ns.Path != "" && sameFile(ns.Path, ownPIDNamespace)
	}
	return true
}

// sharesPIDNamespace says whether process pid is in this one's pid namespace. It can be
// in no other from which this one is to be seen: nobody can join one further out.
func sharesPIDNamespace(pid int) bool {
	return sameFile("/proc/"+strconv.Itoa(pid)+"/ns/pid", ownPIDNamespace)
}

const ownPIDNamespace = "/proc/self/ns/pid"

// sameFile is also true for what cannot be looked at: who may be exposed is better hidden.
func sameFile(a, b string) bool {
	var sa, sb unix.Stat_t
	if unix.Stat(a, &sa) != nil || unix.Stat(b, &sb) != nil {
		return true
	}
	return sa.Ino == sb.Ino && sa.Dev == sb.Dev
}
