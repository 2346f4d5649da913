// SPDX-License-Identifier: Apache-2.0

package ocispec

import (
	"github.com/berth-run/berth/libcontainer/codec"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func idMappingFields(c *codec.Coder, v *specs.LinuxIDMapping) {
	codec.Unsigned(c, "containerID", &v.ContainerID)
	codec.Unsigned(c, "hostID", &v.HostID)
	codec.Unsigned(c, "size", &v.Size)
}

func linuxFields(c *codec.Coder, v *specs.Linux) {
	codec.Records(c, "uidMappings", &v.UIDMappings, idMappingFields)
	codec.Records(c, "gidMappings", &v.GIDMappings, idMappingFields)
	codec.TextMap(c, "sysctl", &v.Sysctl)
	codec.Record(c, "resources", &v.Resources, resourcesFields)
	codec.Text(c, "cgroupsPath", &v.CgroupsPath)
	codec.Records(c, "namespaces", &v.Namespaces, namespaceFields)
	codec.Records(c, "devices", &v.Devices, deviceFields)
	codec.ObjectMap(c, "netDevices", &v.NetDevices, netDeviceFields)
	codec.Record(c, "seccomp", &v.Seccomp, seccompFields)
	codec.Text(c, "rootfsPropagation", &v.RootfsPropagation)
	codec.Texts(c, "maskedPaths", &v.MaskedPaths)
	codec.Texts(c, "readonlyPaths", &v.ReadonlyPaths)
	codec.Text(c, "mountLabel", &v.MountLabel)
	codec.Record(c, "intelRdt", &v.IntelRdt, intelRdtFields)
	codec.Record(c, "memoryPolicy", &v.MemoryPolicy, memoryPolicyFields)
	codec.Record(c, "personality", &v.Personality, personalityFields)
	codec.ObjectMap(c, "timeOffsets", &v.TimeOffsets, timeOffsetFields)
}

func namespaceFields(c *codec.Coder, v *specs.LinuxNamespace) {
	codec.Text(c, "type", &v.Type)
	codec.Text(c, "path", &v.Path)
}

func deviceFields(c *codec.Coder, v *specs.LinuxDevice) {
	codec.Text(c, "path", &v.Path)
	codec.Text(c, "type", &v.Type)
	codec.Signed(c, "major", &v.Major)
	codec.Signed(c, "minor", &v.Minor)
	codec.OptionalUnsigned(c, "fileMode", &v.FileMode)
	codec.OptionalUnsigned(c, "uid", &v.UID)
	codec.OptionalUnsigned(c, "gid", &v.GID)
}

func netDeviceFields(c *codec.Coder, v *specs.LinuxNetDevice) {
	codec.Text(c, "name", &v.Name)
}

func seccompFields(c *codec.Coder, v *specs.LinuxSeccomp) {
	codec.Text(c, "defaultAction", &v.DefaultAction)
	codec.OptionalUnsigned(c, "defaultErrnoRet", &v.DefaultErrnoRet)
	codec.Texts(c, "architectures", &v.Architectures)
	codec.Texts(c, "flags", &v.Flags)
	codec.Text(c, "listenerPath", &v.ListenerPath)
	codec.Text(c, "listenerMetadata", &v.ListenerMetadata)
	codec.Records(c, "syscalls", &v.Syscalls, seccompRuleFields)
}

func seccompRuleFields(c *codec.Coder, v *specs.LinuxSyscall) {
	codec.Texts(c, "names", &v.Names)
	codec.Text(c, "action", &v.Action)
	codec.OptionalUnsigned(c, "errnoRet", &v.ErrnoRet)
	codec.Records(c, "args", &v.Args, seccompArgFields)
}

func seccompArgFields(c *codec.Coder, v *specs.LinuxSeccompArg) {
	codec.Unsigned(c, "index", &v.Index)
	codec.Unsigned(c, "value", &v.Value)
	codec.Unsigned(c, "valueTwo", &v.ValueTwo)
	codec.Text(c, "op", &v.Op)
}

func intelRdtFields(c *codec.Coder, v *specs.LinuxIntelRdt) {
	codec.Text(c, "closID", &v.ClosID)
	codec.Texts(c, "schemata", &v.Schemata)
	codec.Text(c, "l3CacheSchema", &v.L3CacheSchema)
	codec.Text(c, "memBwSchema", &v.MemBwSchema)
	codec.Boolean(c, "enableMonitoring", &v.EnableMonitoring)
}

func memoryPolicyFields(c *codec.Coder, v *specs.LinuxMemoryPolicy) {
	codec.Text(c, "mode", &v.Mode)
	codec.Text(c, "nodes", &v.Nodes)
	codec.Texts(c, "flags", &v.Flags)
}

func personalityFields(c *codec.Coder, v *specs.LinuxPersonality) {
	codec.Text(c, "domain", &v.Domain)
	codec.Texts(c, "flags", &v.Flags)
}

func timeOffsetFields(c *codec.Coder, v *specs.LinuxTimeOffset) {
	codec.Signed(c, "secs", &v.Secs)
	codec.Unsigned(c, "nanosecs", &v.Nanosecs)
}
