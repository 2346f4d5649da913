// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// SetHugetlb writes hugepageLimits. suffix is the last part of the file names, "limit_in_bytes"
// or "max". The limit is for both usage and reservations: without a limit on reservations,
// mmap(2) of more than the limit succeeds, and the process is killed (SIGBUS) at the first
// access.
func (k *Knobs) SetHugetlb(limits []specs.LinuxHugepageLimit, suffix string) {
	for i, l := range limits {
		field := "hugepageLimits[" + strconv.Itoa(i) + "]"
		if l.Pagesize == "" || strings.ContainsAny(l.Pagesize, "/\x00") {
			k.Do(field, func() error { return fmt.Errorf("%q is not a page size", l.Pagesize) })
			return
		}
		value := strconv.FormatUint(l.Limit, 10)
		k.Write(field, "hugetlb."+l.Pagesize+"."+suffix, value)
		k.Do(field, func() error {
			// The limit on reservations needs Linux 5.7. Without it: usage only.
			err := k.Put("hugetlb."+l.Pagesize+".rsvd."+suffix, value)
			if errors.Is(err, unix.ENOENT) {
				return nil
			}
			return err
		})
	}
}

// SetRdma writes rdma limits, which have the same form on v1 and v2.
func (k *Knobs) SetRdma(limits map[string]specs.LinuxRdma) {
	for _, device := range slices.Sorted(maps.Keys(limits)) {
		l := limits[device]
		line := device
		if l.HcaHandles != nil {
			line += " hca_handle=" + Itoa(l.HcaHandles)
		}
		if l.HcaObjects != nil {
			line += " hca_object=" + Itoa(l.HcaObjects)
		}
		if line != device {
			k.Write("rdma["+strconv.Quote(device)+"]", "rdma.max", line)
		}
	}
}

// DeviceNumber returns "major:minor".
func DeviceNumber(major, minor int64) string {
	return strconv.FormatInt(major, 10) + ":" + strconv.FormatInt(minor, 10)
}
