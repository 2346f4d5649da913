// SPDX-License-Identifier: Apache-2.0

package v2

import (
	"errors"
	"strconv"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func setIO(k *cgroupfs.Knobs, r *specs.LinuxResources) {
	b := r.BlockIO
	if cgroupfs.Set(b.Weight) {
		writeWeight(k, "blockIO.weight", "", *b.Weight)
	}
	for i := range b.WeightDevice {
		if d := &b.WeightDevice[i]; cgroupfs.Set(d.Weight) {
			field := "blockIO.weightDevice[" + strconv.Itoa(i) + "].weight"
			writeWeight(k, field, cgroupfs.DeviceNumber(d.Major, d.Minor)+" ", *d.Weight)
		}
	}
	for _, l := range ioMax(b) {
		k.Write(l.field, "io.max", l.device+l.rates)
	}
}

// writeWeight writes the weight (10 to 1000) to the file of the I/O scheduler BFQ, which uses
// the same scale. Without that scheduler it writes to the file of the iocost controller, whose
// scale is 1 to 10000.
func writeWeight(k *cgroupfs.Knobs, field, device string, weight uint16) {
	k.Do(field, func() error {
		err := k.Put("io.bfq.weight", device+cgroupfs.Itoa(&weight))
		if !errors.Is(err, unix.ENOENT) {
			return err
		}
		return k.Put("io.weight", device+strconv.FormatUint(IOWeight(weight), 10))
	})
}

// IOWeight converts blockIO.weight (10 to 1000) to io.weight (1 to 10000).
func IOWeight(weight uint16) uint64 {
	if weight < 10 {
		return 1
	}
	return 1 + (uint64(weight)-10)*9999/990
}

// limit is one line for io.max: all rates of one device.
type limit struct{ field, device, rates string }

// ioMax collects the rates by device, so that each device needs one write. field is that of its
// first rate.
func ioMax(b *specs.LinuxBlockIO) []limit {
	kinds := [...]struct {
		field, key string
		limits     []specs.LinuxThrottleDevice
	}{
		{"throttleReadBpsDevice", "rbps", b.ThrottleReadBpsDevice},
		{"throttleWriteBpsDevice", "wbps", b.ThrottleWriteBpsDevice},
		{"throttleReadIOPSDevice", "riops", b.ThrottleReadIOPSDevice},
		{"throttleWriteIOPSDevice", "wiops", b.ThrottleWriteIOPSDevice},
	}
	var lines []limit
	for _, kind := range kinds {
		for i := range kind.limits {
			d := &kind.limits[i]
			device := cgroupfs.DeviceNumber(d.Major, d.Minor)
			rate := "max" // 0 on v1
			if d.Rate != 0 {
				rate = strconv.FormatUint(d.Rate, 10)
			}
			j := 0
			for j < len(lines) && lines[j].device != device {
				j++
			}
			if j == len(lines) {
				lines = append(lines, limit{
					field:  "blockIO." + kind.field + "[" + strconv.Itoa(i) + "]",
					device: device,
				})
			}
			lines[j].rates += " " + kind.key + "=" + rate
		}
	}
	return lines
}
