// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/cgroups/v2"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// deviceValue is a number for one block device: "a(st)".
type deviceValue struct {
	Path  string
	Value uint64
}

// blockDevice returns the path of a block device by its number. systemd accepts it even if it
// does not exist.
func blockDevice(major, minor int64) string {
	return "/dev/block/" + cgroupfs.DeviceNumber(major, minor)
}

// io adds the properties for linux.resources.blockIO on cgroup v2.
func (l *list) io(b *specs.LinuxBlockIO) {
	if cgroupfs.Set(b.Weight) {
		l.may("IOWeight", v2.IOWeight(*b.Weight))
	}
	l.weights("IODeviceWeight", b.WeightDevice, v2.IOWeight)
	l.rates("IOReadBandwidthMax", b.ThrottleReadBpsDevice)
	l.rates("IOWriteBandwidthMax", b.ThrottleWriteBpsDevice)
	l.rates("IOReadIOPSMax", b.ThrottleReadIOPSDevice)
	l.rates("IOWriteIOPSMax", b.ThrottleWriteIOPSDevice)
}

// blockIO does the same for cgroup v1, where systemd has no properties for limits on
// operations.
func (l *list) blockIO(b *specs.LinuxBlockIO) {
	as := func(weight uint16) uint64 { return uint64(weight) }
	if cgroupfs.Set(b.Weight) {
		l.may("BlockIOWeight", as(*b.Weight))
	}
	l.weights("BlockIODeviceWeight", b.WeightDevice, as)
	l.rates("BlockIOReadBandwidth", b.ThrottleReadBpsDevice)
	l.rates("BlockIOWriteBandwidth", b.ThrottleWriteBpsDevice)
}

func (l *list) weights(name string, devices []specs.LinuxWeightDevice, scale func(uint16) uint64) {
	var values []deviceValue
	for i := range devices {
		if d := &devices[i]; cgroupfs.Set(d.Weight) {
			values = append(values, deviceValue{blockDevice(d.Major, d.Minor), scale(*d.Weight)})
		}
	}
	if values != nil {
		l.may(name, values)
	}
}

func (l *list) rates(name string, devices []specs.LinuxThrottleDevice) {
	var values []deviceValue
	for i := range devices {
		d := &devices[i]
		rate := d.Rate
		if rate == 0 {
			rate = infinity
		}
		values = append(values, deviceValue{blockDevice(d.Major, d.Minor), rate})
	}
	if values != nil {
		l.may(name, values)
	}
}
