// SPDX-License-Identifier: Apache-2.0

package configs

import "github.com/opencontainers/runtime-spec/specs-go"

// Cgroup is where a container is placed and what it may use.
type Cgroup struct {
	// Path is linux.cgroupsPath as in the config: absolute (from the root of each hierarchy),
	// relative (below the runtime's default), or "".
	Path string
	// Systemd selects the systemd driver (`--systemd-cgroup`). Path is then
	// "slice:prefix:name".
	Systemd bool
	// Disabled means that the container has no cgroup, and so no limits: its processes stay in
	// the cgroups of the runtime's caller (`--cgroup-manager disabled`).
	Disabled bool
	// Unit is the systemd unit of an existing container; "" for none.
	Unit string
	// UnitUser is the host user whose service manager has the unit, if Rootless; 0 is the
	// caller.
	UnitUser int
	// Claims say which cgroups an existing container has at its paths, and which of them it has
	// found there (cgroupfs.Claim). It is nil for a container that an earlier version has
	// created.
	Claims map[string]string
	// Unfinished is set if the create of an existing container was killed, or is still running.
	Unfinished bool
	// Resources is linux.resources, never nil. Its Devices are empty: they are in DeviceRules.
	Resources *specs.LinuxResources
	// DeviceRules apply in order, and later ones override earlier ones. Without a rule
	// everything is denied. The runtime's defaults come last.
	DeviceRules []DeviceRule
	// Rootless tolerates permission errors of cgroups if no limit is asked for.
	Rootless bool
	// Subgroup is a cgroup below the container's, for its processes. Delegated is one below
	// that, which the processes may manage: init moves there when its cgroup namespace has been
	// created, so that the root of that namespace is Subgroup. Each is one name, or "" for
	// none. The limits stay on the container's cgroup. They are for cgroup v2.
	Subgroup, Delegated string
	// ForceLegacy is set if the container wants the hierarchy of cgroup v1 that systemd uses,
	// whatever the host has (ForceLegacyAnnotation).
	ForceLegacy bool
	// UnitProperties are properties of the systemd unit by name, as GVariant text, from the
	// annotations that begin with UnitPropertyAnnotation.
	UnitProperties map[string]string
}

// ForceLegacyAnnotation is the key of the annotation that sets ForceLegacy.
const ForceLegacyAnnotation = "run.oci.systemd.force_cgroup_v1"

// UnitPropertyAnnotation begins the keys of annotations that become UnitProperties.
const UnitPropertyAnnotation = "org.systemd.property."

// DeviceWildcard stands for any major or minor number in a DeviceRule.
const DeviceWildcard = -1

// DeviceRule is one rule of the device controller.
type DeviceRule struct {
	Allow bool
	// Type is 'a' (all), 'b' or 'c'.
	Type byte
	// Major and Minor are numbers or DeviceWildcard.
	Major, Minor int64
	// Read, Write and Mknod are the accesses that the rule is about.
	Read, Write, Mknod bool
}
