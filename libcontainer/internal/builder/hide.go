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

// A builder process is in the container's user namespace, but it has files of the host and is
// in the host's pid namespace. Processes of a container that are in both namespaces could trace
// it if they have CAP_SYS_PTRACE there. The kernel refuses that to everybody without rights
// over the file that the process executed, if the process itself could not read that file
// (ptrace(2), "mm->user_ns" in the kernel). Therefore such a builder executes a copy of this
// binary that has only the execute permission, and whose owner is not mapped in the container.

// builderProgram opens the program of a builder process. If exposed is set, the builder has to
// be hidden from processes with the ids in cfg.
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
	if errors.Is(err, unix.EINVAL) { // needs Linux 6.3; before, all memfds are executable
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
		id, ok := unmappedID(cfg.UIDMappings)
		if !ok || f.Chown(int(id), -1) != nil {
			return nil, errExposed
		}
	}
	// A file that is open for writing cannot be executed.
	return os.Open("/proc/self/fd/" + strconv.Itoa(fd))
}

// errExposed is for a caller that may not change the owner of the copy to an unmapped id, and for
// a map of all ids.
const errExposed = constantError("processes of the container could trace the process that makes its mounts, which has access to the host's files: " +
	"they share its pid namespace and the user who calls berth (give the container a pid namespace, or call berth as root and leave ids of the host unmapped)")

// constantError is an error that is not made anew at each start of the program.
type constantError string

func (e constantError) Error() string { return string(e) }

func hasHostID(rows []configs.IDMap, id uint32) bool { return rowOf(rows, id) >= 0 }

// rowOf returns the index of the row with a host id, -1 if there is none.
func rowOf(rows []configs.IDMap, id uint32) int {
	return slices.IndexFunc(rows, func(r configs.IDMap) bool { return id >= r.HostID && id-r.HostID < r.Size })
}

// unmappedID returns a host id that the map does not have, and whether there is one.
func unmappedID(rows []configs.IDMap) (id uint32, ok bool) {
	id = math.MaxInt32 // the largest id that every file system supports
	for i := rowOf(rows, id); i >= 0; i = rowOf(rows, id) {
		if rows[i].HostID == 0 {
			return 0, false
		}
		id = rows[i].HostID - 1
	}
	return id, true
}

// isExposed reports whether other processes may be in the user namespace and see the builder.
// Before a container runs, nobody else is in a new one.
func isExposed(cfg *configs.Config) bool {
	if cfg.Namespaces.IsNew(configs.NewUser) {
		return false
	}
	if ns, ok := cfg.Namespaces.Get(configs.NewPID); ok {
		return ns.Path != "" && sameFile(ns.Path, ownPIDNamespace)
	}
	return true
}

// sharesPIDNamespace reports whether process pid is in this process's pid namespace. No other
// one would let it see this process: nobody can join a pid namespace further out.
func sharesPIDNamespace(pid int) bool {
	return sameFile("/proc/"+strconv.Itoa(pid)+"/ns/pid", ownPIDNamespace)
}

const ownPIDNamespace = "/proc/self/ns/pid"

// sameFile also returns true for a file that it cannot stat: it is safer to hide a builder that
// may be exposed.
func sameFile(a, b string) bool {
	var sa, sb unix.Stat_t
	if unix.Stat(a, &sa) != nil || unix.Stat(b, &sb) != nil {
		return true
	}
	return sa.Ino == sb.Ino && sa.Dev == sb.Dev
}
