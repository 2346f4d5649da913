// SPDX-License-Identifier: Apache-2.0

package record

import (
	"github.com/berth-run/berth/libcontainer/codec"
	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// stateFields describes state.json. The format comes first, so that Read knows it even if the fields
// that follow have other types.
func stateFields(c *codec.Coder, st *State) {
	codec.Signed(c, "format", &st.Format)
	codec.Text(c, "id", &st.ID)
	codec.Text(c, "ociVersion", &st.OCIVersion)
	codec.Text(c, "bundle", &st.Bundle)
	codec.Text(c, "rootfs", &st.Rootfs)
	codec.Time(c, "created", &st.Created)
	codec.TextMap(c, "annotations", &st.Annotations)
	codec.Signed(c, "pid", &st.PID)
	codec.Unsigned(c, "startTime", &st.StartTime)
	codec.Boolean(c, "sharedPID", &st.SharedPID)
	codec.TextMap(c, "cgroupPlan", &st.CgroupPlan)
	codec.TextMap(c, "cgroupPaths", &st.CgroupPaths)
	codec.TextMap(c, "cgroupClaims", &st.CgroupClaims)
	codec.Boolean(c, "cgroupRootless", &st.CgroupRootless)
	codec.Text(c, "systemdUnit", &st.SystemdUnit)
	codec.Signed(c, "systemdUser", &st.SystemdUser)
	codec.Text(c, "cgroupSubgroup", &st.CgroupSubgroup)
	codec.Raw(c, "resources", &st.Resources)
	codec.Unsigned(c, "namespaces", &st.Namespaces)
	codec.Unsigned(c, "joinedNamespaces", &st.JoinedNamespaces)
	codec.Unsigned(c, "rootfsPropagation", &st.RootfsPropagation)
	codec.Text(c, "mountLabel", &st.MountLabel)
	codec.Text(c, "rootMount", &st.RootMount)
	codec.Boolean(c, "noNewKeyring", &st.NoNewKeyring)
	codec.OptionalUnsigned(c, "personality", &st.Personality)
	codec.Record(c, "memoryPolicy", &st.MemoryPolicy, memoryPolicyFields)
	codec.Boolean(c, "filtered", &st.Filtered)
	codec.Unsigned(c, "filterFlags", &st.FilterFlags)
	codec.Text(c, "listenerPath", &st.ListenerPath)
	codec.Text(c, "listenerMetadata", &st.ListenerMetadata)
	codec.Texts(c, "resctrlGroups", &st.ResctrlGroups)
	codec.Text(c, "resctrlDir", &st.ResctrlDir)
	codec.Records(c, "network", &st.Network, interfaceFields)
	codec.Unsigned(c, "rootfsMountID", &st.RootfsMountID)
	ocispec.Hooks(c, "poststart", &st.Poststart)
	ocispec.Hooks(c, "poststop", &st.Poststop)
	codec.Text(c, "hookStdout", &st.HookStdout)
	codec.Text(c, "hookStderr", &st.HookStderr)
}

// memoryPolicyFields have the names that encoding/json derived, which older versions used.
func memoryPolicyFields(c *codec.Coder, v *configs.MemoryPolicy) {
	codec.Signed(c, "Mode", &v.Mode)
	codec.Signed(c, "Flags", &v.Flags)
	codec.Numbers(c, "Nodes", (*[]uint64)(&v.Nodes))
}

func interfaceFields(c *codec.Coder, v *Interface) {
	codec.Text(c, "name", &v.Name)
	codec.Text(c, "mac", &v.MAC)
	codec.Texts(c, "addresses", &v.Addresses)
	codec.Text(c, "bridge", &v.Bridge)
	codec.Text(c, "hostName", &v.HostName)
	codec.Text(c, "hostMAC", &v.HostMAC)
}

// EncodeResources encodes r for state.json, without the devices, which an update never changes. It
// returns nil if nothing is set.
func EncodeResources(r *specs.LinuxResources) []byte {
	kept := *r
	kept.Devices = nil
	data := ocispec.WriteResources(&kept)
	if string(data) == "{}" {
		return nil
	}
	return data
}
