// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"strconv"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// setBlkio writes the limits of block I/O. The weights are features of I/O
// schedulers: CFQ (gone with Linux 5.0) and BFQ, which has no leaf weights.
func setBlkio(k *cgroupfs.Knobs, r *specs.LinuxResources) {
	b := r.BlockIO
	if cgroupfs.Set(b.Weight) {
		k.First("blockIO.weight", cgroupfs.Itoa(b.Weight), "blkio.weight", "blkio.bfq.weight")
	}
	if cgroupfs.Set(b.LeafWeight) {
		k.Write("blockIO.leafWeight", "blkio.leaf_weight", cgroupfs.Itoa(b.LeafWeight))
	}
	for i := range b.WeightDevice {
		d := &b.WeightDevice[i]
		field := "blockIO.weightDevice[" + strconv.Itoa(i) + "]"
		number := cgroupfs.DeviceNumber(d.Major, d.Minor) + " "
		if cgroupfs.Set(d.Weight) {
			k.First(field+".weight", number+cgroupfs.Itoa(d.Weight), "blkio.weight_device", "blkio.bfq.weight_device")
		}
		if cgroupfs.Set(d.LeafWeight) {
			k.Write(field+".leafWeight", "blkio.leaf_weight_device", number+cgroupfs.Itoa(d.LeafWeight))
		}
	}
	throttle(k, "throttleReadBpsDevice", "blkio.throttle.read_bps_device", b.ThrottleReadBpsDevice)
	throttle(k, "throttleWriteBpsDevice", "blkio.throttle.write_bps_device", b.ThrottleWriteBpsDevice)
	throttle(k, "throttleReadIOPSDevice", "blkio.throttle.read_iops_device", b.ThrottleReadIOPSDevice)
	throttle(k, "throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", b.ThrottleWriteIOPSDevice)
}

// throttle writes one kind of rate. Zero removes a limit.
func throttle(k *cgroupfs.Knobs, field, file string, limits []specs.LinuxThrottleDevice) {
	for i := range limits {
		l := &limits[i]
		value := cgroupfs.DeviceNumber(l.Major, l.Minor) + " " + strconv.FormatUint(l.Rate, 10)
		k.Write("blockIO."+field+"["+strconv.Itoa(i)+"]", file, value)
	}
}
