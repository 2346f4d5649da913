// SPDX-License-Identifier: Apache-2.0

package target

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/procfs"
)

// emulated are the files in /proc that may be mounted on: lxcfs has versions of them that know
// the container's limits, and none of them can change the kernel.
var emulated = [...]string{
	"/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps",
	"/proc/uptime", "/proc/loadavg", "/proc/slabinfo", "/proc/sys/kernel/ns_last_pid",
	"/proc/sys/crypto/fips_enabled",
}

// MayCover reports whether the file of this path in /proc may be mounted on.
func MayCover(path string) bool { return slices.Contains(emulated[:], path) }

// checkProc keeps /proc genuine: programs and runtimes write labels and settings there, and a
// fake file below it would make them ineffective (CVE-2019-16884, CVE-2025-52881). It checks by
// name, for a procfs that is mounted later, and by file, for names that lead into one through a
// link.
func checkProc(m *configs.Mount, t *Target) error {
	if m.Type == "proc" {
		return nil
	}
	dest := m.Destination
	switch {
	case dest == "/proc":
		// OpenBind allows a bind of a real procfs before this check.
		return fmt.Errorf("%s %s (only a procfs may be mounted on /proc)", m.Destination, configs.PhraseNotOfTypeProc)
	case strings.HasPrefix(dest, "/proc/"):
		if MayCover(dest) {
			return nil
		}
		return fmt.Errorf("%s %s", dest, configs.PhraseInsideProc)
	}
	is, err := procfs.Is(t.FD)
	if err == nil && is {
		err = errors.New("the destination leads into a procfs")
	}
	return err
}
