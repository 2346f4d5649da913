// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
)

var idMappingFields = []field[specs.LinuxIDMapping]{
	{"containerID", func(d *decoder, v *specs.LinuxIDMapping) error { return unsigned(d, &v.ContainerID) }},
	{"hostID", func(d *decoder, v *specs.LinuxIDMapping) error { return unsigned(d, &v.HostID) }},
	{"size", func(d *decoder, v *specs.LinuxIDMapping) error { return unsigned(d, &v.Size) }},
}

var linuxFields = []field[specs.Linux]{
	{"uidMappings", func(d *decoder, v *specs.Linux) error { return records(d, &v.UIDMappings, idMappingFields) }},
	{"gidMappings", func(d *decoder, v *specs.Linux) error { return records(d, &v.GIDMappings, idMappingFields) }},
	{"sysctl", func(d *decoder, v *specs.Linux) error { return table(d, &v.Sysctl, text[string]) }},
	{"resources", func(d *decoder, v *specs.Linux) error { return record(d, &v.Resources, resourcesFields) }},
	{"cgroupsPath", func(d *decoder, v *specs.Linux) error { return text(d, &v.CgroupsPath) }},
	{"namespaces", func(d *decoder, v *specs.Linux) error { return records(d, &v.Namespaces, namespaceFields) }},
	{"devices", func(d *decoder, v *specs.Linux) error { return records(d, &v.Devices, deviceFields) }},
	{"netDevices", func(d *decoder, v *specs.Linux) error {
		return table(d, &v.NetDevices, func(d *decoder, e *specs.LinuxNetDevice) error { return object(d, e, netDeviceFields) })
	}},
	{"seccomp", func(d *decoder, v *specs.Linux) error { return record(d, &v.Seccomp, seccompFields) }},
	{"rootfsPropagation", func(d *decoder, v *specs.Linux) error { return text(d, &v.RootfsPropagation) }},
	{"maskedPaths", func(d *decoder, v *specs.Linux) error { return texts(d, &v.MaskedPaths) }},
	{"readonlyPaths", func(d *decoder, v *specs.Linux) error { return texts(d, &v.ReadonlyPaths) }},
	{"mountLabel", func(d *decoder, v *specs.Linux) error { return text(d, &v.MountLabel) }},
	{"intelRdt", func(d *decoder, v *specs.Linux) error { return record(d, &v.IntelRdt, intelRdtFields) }},
	{"memoryPolicy", func(d *decoder, v *specs.Linux) error { return record(d, &v.MemoryPolicy, memoryPolicyFields) }},
	{"personality", func(d *decoder, v *specs.Linux) error { return record(d, &v.Personality, personalityFields) }},
	{"timeOffsets", func(d *decoder, v *specs.Linux) error {
		return table(d, &v.TimeOffsets, func(d *decoder, e *specs.LinuxTimeOffset) error { return object(d, e, timeOffsetFields) })
	}},
}

var namespaceFields = []field[specs.LinuxNamespace]{
	{"type", func(d *decoder, v *specs.LinuxNamespace) error { return text(d, &v.Type) }},
	{"path", func(d *decoder, v *specs.LinuxNamespace) error { return text(d, &v.Path) }},
}

var deviceFields = []field[specs.LinuxDevice]{
	{"path", func(d *decoder, v *specs.LinuxDevice) error { return text(d, &v.Path) }},
	{"type", func(d *decoder, v *specs.LinuxDevice) error { return text(d, &v.Type) }},
	{"major", func(d *decoder, v *specs.LinuxDevice) error { return signed(d, &v.Major) }},
	{"minor", func(d *decoder, v *specs.LinuxDevice) error { return signed(d, &v.Minor) }},
	{"fileMode", func(d *decoder, v *specs.LinuxDevice) error { return optional(d, &v.FileMode, unsigned[os.FileMode]) }},
	{"uid", func(d *decoder, v *specs.LinuxDevice) error { return optional(d, &v.UID, unsigned[uint32]) }},
	{"gid", func(d *decoder, v *specs.LinuxDevice) error { return optional(d, &v.GID, unsigned[uint32]) }},
}

var netDeviceFields = []field[specs.LinuxNetDevice]{
	{"name", func(d *decoder, v *specs.LinuxNetDevice) error { return text(d, &v.Name) }},
}

var seccompFields = []field[specs.LinuxSeccomp]{
	{"defaultAction", func(d *decoder, v *specs.LinuxSeccomp) error { return text(d, &v.DefaultAction) }},
	{"defaultErrnoRet", func(d *decoder, v *specs.LinuxSeccomp) error { return optional(d, &v.DefaultErrnoRet, unsigned[uint]) }},
	{"architectures", func(d *decoder, v *specs.LinuxSeccomp) error { return texts(d, &v.Architectures) }},
	{"flags", func(d *decoder, v *specs.LinuxSeccomp) error { return texts(d, &v.Flags) }},
	{"listenerPath", func(d *decoder, v *specs.LinuxSeccomp) error { return text(d, &v.ListenerPath) }},
	{"listenerMetadata", func(d *decoder, v *specs.LinuxSeccomp) error { return text(d, &v.ListenerMetadata) }},
	{"syscalls", func(d *decoder, v *specs.LinuxSeccomp) error { return records(d, &v.Syscalls, seccompRuleFields) }},
}

var seccompRuleFields = []field[specs.LinuxSyscall]{
	{"names", func(d *decoder, v *specs.LinuxSyscall) error { return texts(d, &v.Names) }},
	{"action", func(d *decoder, v *specs.LinuxSyscall) error { return text(d, &v.Action) }},
	{"errnoRet", func(d *decoder, v *specs.LinuxSyscall) error { return optional(d, &v.ErrnoRet, unsigned[uint]) }},
	{"args", func(d *decoder, v *specs.LinuxSyscall) error { return records(d, &v.Args, seccompArgFields) }},
}

var seccompArgFields = []field[specs.LinuxSeccompArg]{
	{"index", func(d *decoder, v *specs.LinuxSeccompArg) error { return unsigned(d, &v.Index) }},
	{"value", func(d *decoder, v *specs.LinuxSeccompArg) error { return unsigned(d, &v.Value) }},
	{"valueTwo", func(d *decoder, v *specs.LinuxSeccompArg) error { return unsigned(d, &v.ValueTwo) }},
	{"op", func(d *decoder, v *specs.LinuxSeccompArg) error { return text(d, &v.Op) }},
}

var intelRdtFields = []field[specs.LinuxIntelRdt]{
	{"closID", func(d *decoder, v *specs.LinuxIntelRdt) error { return text(d, &v.ClosID) }},
	{"schemata", func(d *decoder, v *specs.LinuxIntelRdt) error { return texts(d, &v.Schemata) }},
	{"l3CacheSchema", func(d *decoder, v *specs.LinuxIntelRdt) error { return text(d, &v.L3CacheSchema) }},
	{"memBwSchema", func(d *decoder, v *specs.LinuxIntelRdt) error { return text(d, &v.MemBwSchema) }},
	{"enableMonitoring", func(d *decoder, v *specs.LinuxIntelRdt) error { return boolean(d, &v.EnableMonitoring) }},
}

var memoryPolicyFields = []field[specs.LinuxMemoryPolicy]{
	{"mode", func(d *decoder, v *specs.LinuxMemoryPolicy) error { return text(d, &v.Mode) }},
	{"nodes", func(d *decoder, v *specs.LinuxMemoryPolicy) error { return text(d, &v.Nodes) }},
	{"flags", func(d *decoder, v *specs.LinuxMemoryPolicy) error { return texts(d, &v.Flags) }},
}

var personalityFields = []field[specs.LinuxPersonality]{
	{"domain", func(d *decoder, v *specs.LinuxPersonality) error { return text(d, &v.Domain) }},
	{"flags", func(d *decoder, v *specs.LinuxPersonality) error { return texts(d, &v.Flags) }},
}

var timeOffsetFields = []field[specs.LinuxTimeOffset]{
	{"secs", func(d *decoder, v *specs.LinuxTimeOffset) error { return signed(d, &v.Secs) }},
	{"nanosecs", func(d *decoder, v *specs.LinuxTimeOffset) error { return unsigned(d, &v.Nanosecs) }},
}
