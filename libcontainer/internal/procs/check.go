// SPDX-License-Identifier: Apache-2.0

package procs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/internal/sysfile"
	"golang.org/x/sys/unix"
)

// Check returns an error unless /proc shows the processes of this pid namespace. In the procfs of
// another one, as after unshare(1) without --mount-proc, a pid stands for another process,
// which would be taken for the container's and killed.
func Check() error { return checkAt("/proc") }

// initialPIDNamespace is the inode of the host's pid namespace (PROC_PID_INIT_INO).
const initialPIDNamespace = 0xEFFFFFFC

func checkAt(dir string) error {
	var buf [32]byte
	n, err := unix.Readlink(dir+"/self", buf[:])
	if err != nil {
		var fs unix.Statfs_t
		if unix.Statfs(dir, &fs) == nil && fs.Type == unix.PROC_SUPER_MAGIC {
			return fmt.Errorf("%s: %w", dir, errForeignProc)
		}
		return fmt.Errorf("%s is no procfs, which berth cannot do without (mount -t proc proc %s)", dir, dir)
	}
	if string(buf[:n]) != strconv.Itoa(os.Getpid()) {
		return fmt.Errorf("%s: %w", dir, errForeignProc)
	}
	// In the procfs of an ancestor namespace the number could be the same by chance. The
	// host's namespace has no ancestor.
	var st unix.Stat_t
	if unix.Stat(dir+"/self/ns/pid", &st) == nil && st.Ino == initialPIDNamespace {
		return nil
	}
	status, err := sysfile.Read(dir + "/self/status")
	if err != nil {
		return err
	}
	if len(namespacePIDs(sysfile.StringOf(status))) != 1 {
		return fmt.Errorf("%s: %w", dir, errForeignProc)
	}
	return nil
}

var errForeignProc = errors.New("shows the processes of another pid namespace, whose numbers mean others here " +
	"(mount this one's: mount -t proc proc /proc, or unshare --mount-proc)")

// namespacePIDs returns the pids of a process in the nested pid namespaces that it is in, beginning
// with the namespace of the procfs.
func namespacePIDs(status string) []string {
	for line := range strings.Lines(status) {
		if list, ok := strings.CutPrefix(line, "NSpid:"); ok {
			return strings.Fields(list)
		}
	}
	return nil
}
