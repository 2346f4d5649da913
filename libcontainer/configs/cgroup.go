// SPDX-License-Identifier: Apache-2.0

package configs

import "github.com/opencontainers/runtime-spec/specs-go"

// Cgroup says where a container is placed and what it may use.
type Cgroup struct {
	// Path is linux.cgroupsPath as the config has it: absolute (from the root
	// of each hierarchy), relative (below the runtime's default), or "".
	Path string
	// Systemd selects the systemd driver (`--systemd-cgroup`); Path is then
	// "slice:prefix:name".
	Systemd bool
	// Unit is the systemd unit that a container that exists has; "" for none.
	Unit string
	// UnitUser is the user of the host whose service manager has the unit, when Rootless;
	// 0 is the caller.
	UnitUser int
	// Claims say which cgroups a container that exists has at its paths, and which of
	// them it has found there (cgroupfs.Claim); nil for one that an earlier version has
	// made.
	Claims map[string]string
	// Unfinished says that the create of a container that exists was killed, or goes on.
	Unfinished bool
	// Resources is linux.resources, never nil, with Devices emptied: they are
	// in DeviceRules.
	Resources *specs.LinuxResources
	// DeviceRules apply in order, later ones win; the start is deny all. The
	// runtime's defaults stand last.
	DeviceRules []DeviceRule
	// Rootless says that cgroup errors of missing permission are tolerated
	// when no limit is asked for.
	Rootless bool
	// Subgroup is a cgroup below the container's, for its processes to be in, and
	// Delegated one below that, which is theirs to manage: init moves there when its
	// cgroup namespace has been made, so that this has Subgroup as its root. Each is
	// one name, or "" for none. The limits stay on the container's cgroup. They are
	// for cgroup v2.
	Subgroup, Delegated string
	// ForceLegacy says that the container wants the hierarchy of cgroup v1 that systemd uses,
	// whatever the host has (ForceLegacyAnnotation).
	ForceLegacy bool
	// UnitProperties are properties of the systemd unit by their names, in GVariant
	// text: what annotations say after UnitPropertyAnnotation.
	UnitProperties map[string]string
}

// ForceLegacyAnnotation is the key of the annotation that sets ForceLegacy.
const ForceLegacyAnnotation = "run.oci.systemd.force_cgroup_v1"

// UnitPropertyAnnotation begins the keys of annotations that become UnitProperties.
const UnitPropertyAnnotation = "org.systemd.property."

// DeviceWildcard stands for any major or minor number in a DeviceRule.
const DeviceWildcard = -1

// DeviceRule is one row of the device controller.
type DeviceRule struct {
	Allow bool
	// Type is 'a' (all), 'b' or 'c'.
	Type byte
	// Major and Minor are numbers or DeviceWildcard.
	Major, Minor int64
	// Read, Write and Mknod are what the rule is about.
	Read, Write, Mknod bool
}
