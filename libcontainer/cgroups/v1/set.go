// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"fmt"
	"strconv"

	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/cgroups/devices"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Set applies limits. Absent or zero limits stay as they are. The obsolete memory.kernel and
// memory.useHierarchy are not applied: current kernels refuse the first and support only one
// value of the second.
func (m *Manager) Set(r *specs.LinuxResources) error {
	err := cgroupfs.Apply(r, m.knobs, []cgroupfs.Part{
		{Controller: "memory", Asked: r.Memory != nil, Apply: setMemory},
		{Controller: "cpu", Asked: r.CPU != nil, Apply: setCPU},
		{Controller: "cpuset", Asked: r.CPU != nil, Apply: setCpuset},
		{Controller: "pids", Asked: r.Pids != nil, Apply: setPids},
		{Controller: "hugetlb", Asked: len(r.HugepageLimits) > 0, Apply: setHugetlb},
		{Controller: "blkio", Asked: r.BlockIO != nil, Apply: setBlkio},
		{Controller: "net_cls", Asked: r.Network != nil, Apply: setClassID},
		{Controller: "net_prio", Asked: r.Network != nil, Apply: setPriorities},
		{Controller: "rdma", Asked: len(r.Rdma) > 0, Apply: setRdma},
	})
	if err != nil {
		return err
	}
	if len(r.Unified) > 0 {
		return fmt.Errorf("linux.resources.unified: needs cgroup v2, the controllers of this host are on v1: %w (%s)", unix.ENOTSUP, configs.PhraseNoUnified)
	}
	return nil
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

// Draft returns what Set would write.
func (m *Manager) Draft(r *specs.LinuxResources) *cgroupfs.Draft {
	u := *m
	u.draft = new(cgroupfs.Draft)
	if err := u.Set(r); err != nil {
		u.draft.Errs = append(u.draft.Errs, err)
	}
	return u.draft
}

func (m *Manager) knobs(controller string) cgroupfs.Knobs {
	if h := m.find(controller); h != nil {
		return cgroupfs.Knobs{Dir: h.dir, Journal: m.journal, Draft: m.draft}
	}
	return cgroupfs.Knobs{Missing: m.missing(controller), Draft: m.draft}
}

func setPids(k *cgroupfs.Knobs, r *specs.LinuxResources) {
	if p := r.Pids.Limit; p != nil {
		value := "max"
		if *p >= 0 {
			value = cgroupfs.Itoa(p) // 0 is a valid limit
		}
		k.Limit("pids.limit", "pids.max", value, *p < 0)
	}
}

func setHugetlb(k *cgroupfs.Knobs, r *specs.LinuxResources) {
	k.SetHugetlb(r.HugepageLimits, "limit_in_bytes")
}

func setRdma(k *cgroupfs.Knobs, r *specs.LinuxResources) { k.SetRdma(r.Rdma) }

func setClassID(k *cgroupfs.Knobs, r *specs.LinuxResources) {
	if id := r.Network.ClassID; cgroupfs.Set(id) {
		k.Write("network.classID", "net_cls.classid", cgroupfs.Itoa(id))
	}
}

func setPriorities(k *cgroupfs.Knobs, r *specs.LinuxResources) {
	for i, p := range r.Network.Priorities {
		field := "network.priorities[" + strconv.Itoa(i) + "]"
		k.Write(field, "net_prio.ifpriomap", p.Name+" "+strconv.FormatUint(uint64(p.Priority), 10))
	}
}

// SetDevices writes the device rules to the devices hierarchy.
func (m *Manager) SetDevices(rules []configs.DeviceRule) error {
	return cgroupfs.SetDevices(m.cgroup, rules, m.setDevices)
}

func (m *Manager) setDevices(rules []configs.DeviceRule) error {
	h := m.find("devices")
	if h == nil {
		u := m.unified()
		if u == nil {
			return m.missing("devices")
		}
		dir, err := u.dir.Open()
		if err != nil {
			return err
		}
		defer dir.Close()
		return devices.Attach(dir, rules, false)
	}
	lists, err := devices.Legacy(rules)
	if err != nil {
		return err
	}
	if lists.AllowFirst {
		if err := writeList(h.dir, "devices.allow", lists.Allow); err != nil {
			return err
		}
		return writeList(h.dir, "devices.deny", lists.Deny)
	}
	if err := writeList(h.dir, "devices.deny", lists.Deny); err != nil {
		return err
	}
	return writeList(h.dir, "devices.allow", lists.Allow)
}

func writeList(d cgroupfs.Dir, file string, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	return d.WriteEach(file, lines...)
}
