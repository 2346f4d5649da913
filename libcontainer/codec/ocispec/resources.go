// SPDX-License-Identifier: Apache-2.0

package ocispec

import (
	"github.com/berth-run/berth/libcontainer/codec"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func resourcesFields(c *codec.Coder, v *specs.LinuxResources) {
	codec.Records(c, "devices", &v.Devices, deviceCgroupFields)
	codec.Record(c, "memory", &v.Memory, memoryFields)
	codec.Record(c, "cpu", &v.CPU, cpuFields)
	codec.Record(c, "pids", &v.Pids, pidsFields)
	codec.Record(c, "blockIO", &v.BlockIO, blockIOFields)
	codec.Records(c, "hugepageLimits", &v.HugepageLimits, hugepageLimitFields)
	codec.Record(c, "network", &v.Network, networkFields)
	codec.ObjectMap(c, "rdma", &v.Rdma, rdmaFields)
	codec.TextMap(c, "unified", &v.Unified)
}

func deviceCgroupFields(c *codec.Coder, v *specs.LinuxDeviceCgroup) {
	codec.Boolean(c, "allow", &v.Allow)
	codec.Text(c, "type", &v.Type)
	codec.OptionalSigned(c, "major", &v.Major)
	codec.OptionalSigned(c, "minor", &v.Minor)
	codec.Text(c, "access", &v.Access)
}

func memoryFields(c *codec.Coder, v *specs.LinuxMemory) {
	codec.OptionalSigned(c, "limit", &v.Limit)
	codec.OptionalSigned(c, "reservation", &v.Reservation)
	codec.OptionalSigned(c, "swap", &v.Swap)
	codec.OptionalSigned(c, "kernel", &v.Kernel)
	codec.OptionalSigned(c, "kernelTCP", &v.KernelTCP)
	codec.OptionalUnsigned(c, "swappiness", &v.Swappiness)
	codec.OptionalBoolean(c, "disableOOMKiller", &v.DisableOOMKiller)
	codec.OptionalBoolean(c, "useHierarchy", &v.UseHierarchy)
	codec.OptionalBoolean(c, "checkBeforeUpdate", &v.CheckBeforeUpdate)
}

func cpuFields(c *codec.Coder, v *specs.LinuxCPU) {
	codec.OptionalUnsigned(c, "shares", &v.Shares)
	codec.OptionalSigned(c, "quota", &v.Quota)
	codec.OptionalUnsigned(c, "burst", &v.Burst)
	codec.OptionalUnsigned(c, "period", &v.Period)
	codec.OptionalSigned(c, "realtimeRuntime", &v.RealtimeRuntime)
	codec.OptionalUnsigned(c, "realtimePeriod", &v.RealtimePeriod)
	codec.Text(c, "cpus", &v.Cpus)
	codec.Text(c, "mems", &v.Mems)
	codec.OptionalSigned(c, "idle", &v.Idle)
}

func pidsFields(c *codec.Coder, v *specs.LinuxPids) {
	codec.OptionalSigned(c, "limit", &v.Limit)
}

func blockIOFields(c *codec.Coder, v *specs.LinuxBlockIO) {
	codec.OptionalUnsigned(c, "weight", &v.Weight)
	codec.OptionalUnsigned(c, "leafWeight", &v.LeafWeight)
	codec.Records(c, "weightDevice", &v.WeightDevice, weightDeviceFields)
	codec.Records(c, "throttleReadBpsDevice", &v.ThrottleReadBpsDevice, throttleDeviceFields)
	codec.Records(c, "throttleWriteBpsDevice", &v.ThrottleWriteBpsDevice, throttleDeviceFields)
	codec.Records(c, "throttleReadIOPSDevice", &v.ThrottleReadIOPSDevice, throttleDeviceFields)
	codec.Records(c, "throttleWriteIOPSDevice", &v.ThrottleWriteIOPSDevice, throttleDeviceFields)
}

func weightDeviceFields(c *codec.Coder, v *specs.LinuxWeightDevice) {
	codec.Signed(c, "major", &v.Major)
	codec.Signed(c, "minor", &v.Minor)
	codec.OptionalUnsigned(c, "weight", &v.Weight)
	codec.OptionalUnsigned(c, "leafWeight", &v.LeafWeight)
}

func throttleDeviceFields(c *codec.Coder, v *specs.LinuxThrottleDevice) {
	codec.Signed(c, "major", &v.Major)
	codec.Signed(c, "minor", &v.Minor)
	codec.Unsigned(c, "rate", &v.Rate)
}

func hugepageLimitFields(c *codec.Coder, v *specs.LinuxHugepageLimit) {
	codec.Text(c, "pageSize", &v.Pagesize)
	codec.Unsigned(c, "limit", &v.Limit)
}

func networkFields(c *codec.Coder, v *specs.LinuxNetwork) {
	codec.OptionalUnsigned(c, "classID", &v.ClassID)
	codec.Records(c, "priorities", &v.Priorities, interfacePriorityFields)
}

func interfacePriorityFields(c *codec.Coder, v *specs.LinuxInterfacePriority) {
	codec.Text(c, "name", &v.Name)
	codec.Unsigned(c, "priority", &v.Priority)
}

func rdmaFields(c *codec.Coder, v *specs.LinuxRdma) {
	codec.OptionalUnsigned(c, "hcaHandles", &v.HcaHandles)
	codec.OptionalUnsigned(c, "hcaObjects", &v.HcaObjects)
}
