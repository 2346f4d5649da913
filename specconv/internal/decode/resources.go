// SPDX-License-Identifier: Apache-2.0

package decode

import "github.com/opencontainers/runtime-spec/specs-go"

var resourcesFields = []field[specs.LinuxResources]{
	{"devices", func(d *decoder, v *specs.LinuxResources) error { return records(d, &v.Devices, deviceCgroupFields) }},
	{"memory", func(d *decoder, v *specs.LinuxResources) error { return record(d, &v.Memory, memoryFields) }},
	{"cpu", func(d *decoder, v *specs.LinuxResources) error { return record(d, &v.CPU, cpuFields) }},
	{"pids", func(d *decoder, v *specs.LinuxResources) error { return record(d, &v.Pids, pidsFields) }},
	{"blockIO", func(d *decoder, v *specs.LinuxResources) error { return record(d, &v.BlockIO, blockIOFields) }},
	{"hugepageLimits", func(d *decoder, v *specs.LinuxResources) error {
		return records(d, &v.HugepageLimits, hugepageLimitFields)
	}},
	{"network", func(d *decoder, v *specs.LinuxResources) error { return record(d, &v.Network, networkFields) }},
	{"rdma", func(d *decoder, v *specs.LinuxResources) error {
		return table(d, &v.Rdma, func(d *decoder, e *specs.LinuxRdma) error { return object(d, e, rdmaFields) })
	}},
	{"unified", func(d *decoder, v *specs.LinuxResources) error { return table(d, &v.Unified, text[string]) }},
}

var deviceCgroupFields = []field[specs.LinuxDeviceCgroup]{
	{"allow", func(d *decoder, v *specs.LinuxDeviceCgroup) error { return boolean(d, &v.Allow) }},
	{"type", func(d *decoder, v *specs.LinuxDeviceCgroup) error { return text(d, &v.Type) }},
	{"major", func(d *decoder, v *specs.LinuxDeviceCgroup) error { return optional(d, &v.Major, signed[int64]) }},
	{"minor", func(d *decoder, v *specs.LinuxDeviceCgroup) error { return optional(d, &v.Minor, signed[int64]) }},
	{"access", func(d *decoder, v *specs.LinuxDeviceCgroup) error { return text(d, &v.Access) }},
}

var memoryFields = []field[specs.LinuxMemory]{
	{"limit", func(d *decoder, v *specs.LinuxMemory) error { return optional(d, &v.Limit, signed[int64]) }},
	{"reservation", func(d *decoder, v *specs.LinuxMemory) error { return optional(d, &v.Reservation, signed[int64]) }},
	{"swap", func(d *decoder, v *specs.LinuxMemory) error { return optional(d, &v.Swap, signed[int64]) }},
	{"kernel", func(d *decoder, v *specs.LinuxMemory) error { return optional(d, &v.Kernel, signed[int64]) }},
	{"kernelTCP", func(d *decoder, v *specs.LinuxMemory) error { return optional(d, &v.KernelTCP, signed[int64]) }},
	{"swappiness", func(d *decoder, v *specs.LinuxMemory) error { return optional(d, &v.Swappiness, unsigned[uint64]) }},
	{"disableOOMKiller", func(d *decoder, v *specs.LinuxMemory) error { return optional(d, &v.DisableOOMKiller, boolean) }},
	{"useHierarchy", func(d *decoder, v *specs.LinuxMemory) error { return optional(d, &v.UseHierarchy, boolean) }},
	{"checkBeforeUpdate", func(d *decoder, v *specs.LinuxMemory) error { return optional(d, &v.CheckBeforeUpdate, boolean) }},
}

var cpuFields = []field[specs.LinuxCPU]{
	{"shares", func(d *decoder, v *specs.LinuxCPU) error { return optional(d, &v.Shares, unsigned[uint64]) }},
	{"quota", func(d *decoder, v *specs.LinuxCPU) error { return optional(d, &v.Quota, signed[int64]) }},
	{"burst", func(d *decoder, v *specs.LinuxCPU) error { return optional(d, &v.Burst, unsigned[uint64]) }},
	{"period", func(d *decoder, v *specs.LinuxCPU) error { return optional(d, &v.Period, unsigned[uint64]) }},
	{"realtimeRuntime", func(d *decoder, v *specs.LinuxCPU) error { return optional(d, &v.RealtimeRuntime, signed[int64]) }},
	{"realtimePeriod", func(d *decoder, v *specs.LinuxCPU) error { return optional(d, &v.RealtimePeriod, unsigned[uint64]) }},
	{"cpus", func(d *decoder, v *specs.LinuxCPU) error { return text(d, &v.Cpus) }},
	{"mems", func(d *decoder, v *specs.LinuxCPU) error { return text(d, &v.Mems) }},
	{"idle", func(d *decoder, v *specs.LinuxCPU) error { return optional(d, &v.Idle, signed[int64]) }},
}

var pidsFields = []field[specs.LinuxPids]{
	{"limit", func(d *decoder, v *specs.LinuxPids) error { return optional(d, &v.Limit, signed[int64]) }},
}

var blockIOFields = []field[specs.LinuxBlockIO]{
	{"weight", func(d *decoder, v *specs.LinuxBlockIO) error { return optional(d, &v.Weight, unsigned[uint16]) }},
	{"leafWeight", func(d *decoder, v *specs.LinuxBlockIO) error { return optional(d, &v.LeafWeight, unsigned[uint16]) }},
	{"weightDevice", func(d *decoder, v *specs.LinuxBlockIO) error { return records(d, &v.WeightDevice, weightDeviceFields) }},
	{"throttleReadBpsDevice", func(d *decoder, v *specs.LinuxBlockIO) error {
		return records(d, &v.ThrottleReadBpsDevice, throttleDeviceFields)
	}},
	{"throttleWriteBpsDevice", func(d *decoder, v *specs.LinuxBlockIO) error {
		return records(d, &v.ThrottleWriteBpsDevice, throttleDeviceFields)
	}},
	{"throttleReadIOPSDevice", func(d *decoder, v *specs.LinuxBlockIO) error {
		return records(d, &v.ThrottleReadIOPSDevice, throttleDeviceFields)
	}},
	{"throttleWriteIOPSDevice", func(d *decoder, v *specs.LinuxBlockIO) error {
		return records(d, &v.ThrottleWriteIOPSDevice, throttleDeviceFields)
	}},
}

var weightDeviceFields = []field[specs.LinuxWeightDevice]{
	{"major", func(d *decoder, v *specs.LinuxWeightDevice) error { return signed(d, &v.Major) }},
	{"minor", func(d *decoder, v *specs.LinuxWeightDevice) error { return signed(d, &v.Minor) }},
	{"weight", func(d *decoder, v *specs.LinuxWeightDevice) error { return optional(d, &v.Weight, unsigned[uint16]) }},
	{"leafWeight", func(d *decoder, v *specs.LinuxWeightDevice) error {
		return optional(d, &v.LeafWeight, unsigned[uint16])
	}},
}

var throttleDeviceFields = []field[specs.LinuxThrottleDevice]{
	{"major", func(d *decoder, v *specs.LinuxThrottleDevice) error { return signed(d, &v.Major) }},
	{"minor", func(d *decoder, v *specs.LinuxThrottleDevice) error { return signed(d, &v.Minor) }},
	{"rate", func(d *decoder, v *specs.LinuxThrottleDevice) error { return unsigned(d, &v.Rate) }},
}

var hugepageLimitFields = []field[specs.LinuxHugepageLimit]{
	{"pageSize", func(d *decoder, v *specs.LinuxHugepageLimit) error { return text(d, &v.Pagesize) }},
	{"limit", func(d *decoder, v *specs.LinuxHugepageLimit) error { return unsigned(d, &v.Limit) }},
}

var networkFields = []field[specs.LinuxNetwork]{
	{"classID", func(d *decoder, v *specs.LinuxNetwork) error { return optional(d, &v.ClassID, unsigned[uint32]) }},
	{"priorities", func(d *decoder, v *specs.LinuxNetwork) error {
		return records(d, &v.Priorities, interfacePriorityFields)
	}},
}

var interfacePriorityFields = []field[specs.LinuxInterfacePriority]{
	{"name", func(d *decoder, v *specs.LinuxInterfacePriority) error { return text(d, &v.Name) }},
	{"priority", func(d *decoder, v *specs.LinuxInterfacePriority) error { return unsigned(d, &v.Priority) }},
}

var rdmaFields = []field[specs.LinuxRdma]{
	{"hcaHandles", func(d *decoder, v *specs.LinuxRdma) error { return optional(d, &v.HcaHandles, unsigned[uint32]) }},
	{"hcaObjects", func(d *decoder, v *specs.LinuxRdma) error { return optional(d, &v.HcaObjects, unsigned[uint32]) }},
}
