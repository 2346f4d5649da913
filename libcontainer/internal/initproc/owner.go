// SPDX-License-Identifier: Apache-2.0

package initproc

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"golang.org/x/sys/unix"
)

// overflowID is the user and the group that own, inside a user namespace, what belongs to somebody
// who is not mapped there.
const overflowID = 65534

// Mapping tells about the owners of files for a container with a user namespace, which do not
// exist in there.
type Mapping struct {
	// Root is a path of the host to the container's root directory.
	Root string
	// UIDs is the map, as the host sees it.
	UIDs []configs.IDMap
}

// ParseMap parses a file like /proc/PID/uid_map. It leaves out what it does not understand.
func ParseMap(text string) (all []configs.IDMap) {
	for line := range strings.Lines(text) {
		var numbers [3]uint32
		words := strings.Fields(line)
		if len(words) != len(numbers) {
			continue
		}
		for i, word := range words {
			n, err := strconv.ParseUint(word, 10, 32)
			if err != nil {
				return all
			}
			numbers[i] = uint32(n)
		}
		all = append(all, configs.IDMap{ContainerID: numbers[0], HostID: numbers[1], Size: numbers[2]})
	}
	return all
}

// explain says to whom a file belongs whose owner is not mapped; "" for any other file.
func (m *Mapping) explain(f *nsenter.Fact) string {
	if m == nil || f.UID != overflowID {
		return ""
	}
	owner, ok := m.ownerOf(f)
	if !ok {
		return "; its owner may not be mapped in the user namespace"
	}
	if _, ok := mapped(m.UIDs, owner); ok {
		return ""
	}
	return fmt.Sprintf("; on the host this is user %d, whom linux.uidMappings does not map: they have %s", owner, ranges(m.UIDs))
}

// ownerOf looks at the file from outside. The path leads to the file that init saw only if there is
// no mount in between that only the container has.
func (m *Mapping) ownerOf(f *nsenter.Fact) (uint32, bool) {
	root, err := unix.Open(m.Root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(root)
	fd, err := unix.Openat2(root, f.Path, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Ino != f.Ino || uint64(st.Dev) != f.Dev { //nolint:unconvert // not the same type everywhere
		return 0, false
	}
	return st.Uid, true
}

// mapped returns the id in the container of an id of the host.
func mapped(m []configs.IDMap, id uint32) (uint32, bool) {
	for _, r := range m {
		if id >= r.HostID && id-r.HostID < r.Size {
			return r.ContainerID + (id - r.HostID), true
		}
	}
	return 0, false
}

func ranges(m []configs.IDMap) string {
	all := make([]string, 0, len(m))
	for _, r := range m {
		all = append(all, fmt.Sprintf("%d-%d", r.HostID, uint64(r.HostID)+uint64(r.Size)-1))
	}
	if len(all) == 0 {
		return "nobody"
	}
	return strings.Join(all, ", ")
}
