// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"errors"
	"fmt"
	"math"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The kernel's files for memory.limit and memory.swap.
const (
	limitFile = "memory.limit_in_bytes"
	swapFile  = "memory.memsw.limit_in_bytes"
)

func setMemory(k *cgroupfs.Knobs, r *specs.LinuxResources) {
	m := r.Memory
	if cgroupfs.Set(m.Limit) && m.CheckBeforeUpdate != nil && *m.CheckBeforeUpdate {
		k.Do("memory.limit", func() error { return k.Dir.CheckUsage("memory.usage_in_bytes", *m.Limit) })
	}
	setLimits(k, m)
	if cgroupfs.Set(m.Reservation) {
		k.Limit("memory.reservation", "memory.soft_limit_in_bytes", cgroupfs.Itoa(m.Reservation), *m.Reservation == -1)
	}
	if cgroupfs.Set(m.KernelTCP) {
		k.Limit("memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes", cgroupfs.Itoa(m.KernelTCP), *m.KernelTCP == -1)
	}
	// Some engines send -1 as an unsigned number for "not set". Zero is a valid value.
	if s := m.Swappiness; s != nil && *s != math.MaxUint64 {
		k.Write("memory.swappiness", "memory.swappiness", cgroupfs.Itoa(s))
	}
	switch off := m.DisableOOMKiller; {
	case off == nil:
	case *off:
		k.Write("memory.disableOOMKiller", "memory.oom_control", "1")
	case k.Journal != nil: // it is on in a new cgroup
		k.Write("memory.disableOOMKiller", "memory.oom_control", "0")
	}
}

// setLimits writes the limits of memory and of memory+swap. The kernel never allows the first
// to be above the second, even for a moment, so the order depends on whether they grow or
// shrink.
func setLimits(k *cgroupfs.Knobs, m *specs.LinuxMemory) {
	var settings []cgroupfs.Setting
	if cgroupfs.Set(m.Limit) {
		settings = append(settings, cgroupfs.Setting{
			Field: "memory.limit", File: limitFile, Value: cgroupfs.Itoa(m.Limit), Explain: explainLimit, Optional: *m.Limit == -1,
		})
	}
	switch {
	case cgroupfs.Set(m.Swap):
		settings = append(settings, cgroupfs.Setting{
			Field: "memory.swap", File: swapFile, Value: cgroupfs.Itoa(m.Swap), Explain: explainSwap, Optional: *m.Swap == -1,
		})
	case m.Limit != nil && *m.Limit == -1:
		// Without a limit for memory, memory+swap cannot have one either.
		settings = append(settings, cgroupfs.Setting{
			Field: "memory.limit", File: swapFile, Value: "-1", Optional: true,
		})
	}
	k.Settle(settings...)
}

func explainLimit(err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w (more than that is in use)", err)
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w (above the present limit of memory+swap?)", err)
	}
	return err
}

func explainSwap(err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return cgroupfs.Absence(err, "swap accounting is off, see swapaccount=1 of the kernel's command line")
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w (more than that is in use)", err)
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w (memory+swap limit should be >= memory limit)", err)
	}
	return err
}
