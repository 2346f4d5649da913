// SPDX-License-Identifier: Apache-2.0

package v2

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Set applies limits. Absent or zero limits stay as they are.
//
// Fields for features of cgroup v1 that have no equivalent here are ignored, as engines expect:
// memory.kernel, kernelTCP, swappiness, disableOOMKiller and useHierarchy, cpu.realtimeRuntime
// and realtimePeriod, blockIO.leafWeight, network.
func (m *Manager) Set(r *specs.LinuxResources) error {
	err := cgroupfs.Apply(r, m.knobs, []cgroupfs.Part{
		{Controller: "memory", Asked: r.Memory != nil, Apply: setMemory},
		{Controller: "cpu", Asked: r.CPU != nil, Apply: setCPU},
		{Controller: "cpuset", Asked: r.CPU != nil, Apply: setCpuset},
		{Controller: "pids", Asked: r.Pids != nil, Apply: setPids},
		{Controller: "hugetlb", Asked: len(r.HugepageLimits) > 0, Apply: setHugetlb},
		{Controller: "io", Asked: r.BlockIO != nil, Apply: setIO},
		{Controller: "rdma", Asked: len(r.Rdma) > 0, Apply: setRdma},
	})
	if err != nil {
		return err
	}
	return m.setUnified(r.Unified)
}

// Draft returns what Set would write.
func (m *Manager) Draft(r *specs.LinuxResources) *cgroupfs.Draft {
	u := *m
	u.draft = new(cgroupfs.Draft)
	if err := u.Set(r); err != nil {
		u.draft.Errs = append(u.draft.Errs, err)
	}
	return u.draft
}

// Update applies limits as Set does. If it fails it has undone its changes. If it succeeds undo
// does that.
func (m *Manager) Update(r *specs.LinuxResources) (undo func() error, err error) {
	u := *m
	u.journal = new(cgroupfs.Journal)
	if err := u.Set(r); err != nil {
		return nil, u.journal.Undo(err)
	}
	return func() error { return u.journal.Undo(nil) }, nil
}

func setPids(k *cgroupfs.Knobs, r *specs.LinuxResources) {
	if p := r.Pids.Limit; p != nil {
		k.Limit("pids.limit", "pids.max", orMax(p), *p < 0) // 0 is a valid limit
	}
}

func setHugetlb(k *cgroupfs.Knobs, r *specs.LinuxResources) { k.SetHugetlb(r.HugepageLimits, "max") }

func setRdma(k *cgroupfs.Knobs, r *specs.LinuxResources) { k.SetRdma(r.Rdma) }

// orMax returns a limit as v2 writes it: -1 is "max".
func orMax(p *int64) string {
	if *p < 0 {
		return "max"
	}
	return cgroupfs.Itoa(p)
}

// setUnified writes raw files, after everything else, so that they override it.
func (m *Manager) setUnified(files map[string]string) error {
	for _, file := range slices.Sorted(maps.Keys(files)) {
		field := "unified[" + strconv.Quote(file) + "]"
		controller, param, ok := strings.Cut(file, ".")
		if !ok || controller == "" || param == "" || strings.ContainsAny(file, "/\x00") {
			return fmt.Errorf("linux.resources.%s: "+configs.PhraseUnifiedForm, field, file)
		}
		k := m.knobs(controller)
		if controller == "cgroup" {
			k.Absent = nil // Those files belong to no controller.
		}
		// Files that list devices take one line per write.
		k.Each(field, file, strings.Split(strings.TrimRight(files[file], "\n"), "\n")...)
		switch {
		case errors.Is(k.Err, unix.ENOENT):
			return fmt.Errorf("%w: "+configs.PhraseUnifiedController, k.Err, file, controller)
		case k.Err != nil:
			return k.Err
		}
	}
	return nil
}

func setMemory(k *cgroupfs.Knobs, r *specs.LinuxResources) {
	m := r.Memory
	if cgroupfs.Set(m.Limit) && m.CheckBeforeUpdate != nil && *m.CheckBeforeUpdate {
		k.Do("memory.limit", func() error { return k.Dir.CheckUsage("memory.current", *m.Limit) })
	}
	setSwap(k, m)
	if cgroupfs.Set(m.Limit) {
		k.Limit("memory.limit", "memory.max", memoryMax(m.Limit), *m.Limit == -1)
	}
	if cgroupfs.Set(m.Reservation) {
		k.Write("memory.reservation", "memory.low", memoryMax(m.Reservation))
	}
}

// memoryMax returns a limit of memory. Only -1 means none. Other negative numbers are left for
// the kernel to refuse, as on v1.
func memoryMax(p *int64) string {
	if *p == -1 {
		return "max"
	}
	return cgroupfs.Itoa(p)
}

// setSwap writes memory.swap.max: swap alone, where the config counts memory and
// swap together.
func setSwap(k *cgroupfs.Knobs, m *specs.LinuxMemory) {
	value, err := SwapMax(m)
	switch {
	case err != nil:
		k.Do("memory.swap", func() error { return err })
	case value != "":
		// Without swap accounting it is no error to forbid swap: engines do so routinely.
		k.Limit("memory.swap", "memory.swap.max", value, value == "max" || value == "0")
	}
}

// SwapMax converts the limit of memory+swap. "" means that swap is not changed.
func SwapMax(m *specs.LinuxMemory) (string, error) {
	unlimited := m.Limit != nil && *m.Limit == -1
	switch {
	case !cgroupfs.Set(m.Swap):
		if unlimited {
			return "max", nil // As on v1, where it must not be below memory.
		}
		return "", nil
	case *m.Swap == -1:
		return "max", nil
	case unlimited:
		return cgroupfs.Itoa(m.Swap), nil
	case !cgroupfs.Set(m.Limit):
		return "", errors.New("unable to set swap limit without memory limit")
	case *m.Limit < 0:
		return "", nil // The kernel will refuse the limit.
	case *m.Swap < *m.Limit:
		return "", errors.New("memory+swap limit should be >= memory limit")
	}
	return strconv.FormatInt(*m.Swap-*m.Limit, 10), nil
}
