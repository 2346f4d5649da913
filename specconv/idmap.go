// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/berth-run/berth/specconv/internal/mountoption"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// inlineIDMap returns the value of the last id-map option that has one. This is crun's way to
// set the id maps of a mount: "idmap=uids=0-1000-10#10-5-1;gids=@0-0-10".
func inlineIDMap(options []string) (value string, found bool) {
	for _, o := range options {
		name, v, ok := strings.Cut(o, "=")
		switch {
		case ok && mountoption.IsIDMapOption(name):
			value, found = v, true
		case mountoption.IsIDMapOption(o):
			found = false
		}
	}
	return value, found
}

// parseInlineIDMap parses the value of the option. Maps with an "@" are relative to uids and
// gids, the maps of the container's user namespace.
func parseInlineIDMap(value string, uids, gids []configs.IDMap) (u, g []configs.IDMap, err error) {
	for part := range strings.SplitSeq(value, ";") {
		name, list, _ := strings.Cut(part, "=")
		switch {
		case name == "uids" && u == nil:
			u, err = parseTriplets(list, uids)
		case name == "gids" && g == nil:
			g, err = parseTriplets(list, gids)
		default:
			err = fault.New("options", "id map %q: %q is neither uids= nor gids=, once each", value, part)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if u == nil || g == nil {
		return nil, nil, fault.New("options", "id map %q must have both uids= and gids=", value)
	}
	return u, g, nil
}

// parseTriplets parses "FIRST-SECOND-SIZE#…": the first id in the file system, the first id on
// the host, and the number of ids. An "@" before a triplet means that its second id is one of
// the container. An "@" before the first triplet applies to all of them.
func parseTriplets(list string, container []configs.IDMap) ([]configs.IDMap, error) {
	all := strings.HasPrefix(list, "@")
	var rows []specs.LinuxIDMapping
	for t := range strings.SplitSeq(list, "#") {
		numbers, relative := strings.CutPrefix(t, "@")
		row, ok := parseTriplet(numbers)
		if !ok {
			return nil, fault.New("options", "id map: %q is not FIRST-SECOND-SIZE", t)
		}
		if all || relative {
			host, ok := hostRange(container, row.HostID, row.Size)
			if !ok {
				return nil, fault.New("options", "id map: %q is relative to ids that no one row of the container's user namespace maps", t)
			}
			row.HostID = host
		}
		rows = append(rows, row)
	}
	return idMap("options: id map", rows)
}

func parseTriplet(s string) (row specs.LinuxIDMapping, ok bool) {
	var n [3]uint32
	i := 0
	for f := range strings.SplitSeq(s, "-") {
		if i == len(n) {
			return row, false
		}
		v, err := strconv.ParseUint(f, 10, 32)
		if err != nil {
			return row, false
		}
		n[i] = uint32(v)
		i++
	}
	return specs.LinuxIDMapping{ContainerID: n[0], HostID: n[1], Size: n[2]}, i == len(n)
}

// hostRange returns the first host id of the size ids that begin at first in the container. One
// row must map all of them: otherwise they may not be contiguous on the host.
func hostRange(m []configs.IDMap, first, size uint32) (uint32, bool) {
	for _, r := range m {
		if first >= r.ContainerID && uint64(first)+uint64(size) <= uint64(r.ContainerID)+uint64(r.Size) {
			return r.HostID + (first - r.ContainerID), true
		}
	}
	return 0, false
}
