// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/mountinfo"
	"golang.org/x/sys/unix"
)

// Bounds for a container that has very many.
const (
	maxProcesses   = 64
	maxDescriptors = 256
)

// hostResources lists what of the host the container has: namespaces, directories, descriptors,
// devices.
func (in *inspection) hostResources(m cgroups.Manager, table []mountinfo.Mount) {
	for _, t := range configs.NamespaceTypes() {
		ours, err := os.Readlink("/proc/self/ns/" + t.ProcName())
		if theirs, terr := os.Readlink(in.dir + "/ns/" + t.ProcName()); err == nil && terr == nil && ours == theirs {
			in.add(Item{Area: "host", Name: t.String() + " namespace", Effective: "shared with the host"})
		}
	}
	in.hostMounts(table)
	in.devices()
	in.descriptors(m, table)
}

// hostMounts lists the mounts that show files of the host.
func (in *inspection) hostMounts(table []mountinfo.Mount) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return
	}
	host := slices.Collect(mountinfo.All(string(text)))
	for i := range table {
		m := &table[i]
		if p := hostPath(host, m); p != "" {
			mode := "writable"
			if hasFlag(m, "ro") {
				mode = "read-only"
			}
			in.add(Item{Area: "host", Name: "mount " + m.Point, Effective: p + ", " + mode})
		}
	}
}

// hostPath returns the path on the host of what a mount shows; "" if the host has no such mount, or
// if every process has it (proc, sysfs, cgroups).
func hostPath(host []mountinfo.Mount, m *mountinfo.Mount) string {
	switch m.Type {
	case "proc", "sysfs", "cgroup", "cgroup2", "mqueue", "devpts":
		return ""
	}
	best, longest := "", -1
	for i := range host {
		h := &host[i]
		if h.Device != m.Device {
			continue
		}
		rest, ok := strings.CutPrefix(m.Root, strings.TrimSuffix(h.Root, "/"))
		if !ok || rest != "" && rest[0] != '/' {
			continue
		}
		p := strings.TrimSuffix(h.Point, "/") + rest
		if p == "" {
			p = "/"
		}
		if len(h.Root) > longest {
			best, longest = p, len(h.Root)
		}
	}
	return best
}

// devices lists the nodes that the config adds to the usual ones.
func (in *inspection) devices() {
	plan := in.asked.Plan
	if plan == nil {
		return
	}
	for i := range plan.Devices {
		d := &plan.Devices[i]
		if d.Default || d.Type == 'p' {
			continue
		}
		asked := fmt.Sprintf("%c %d:%d", d.Type, d.Major, d.Minor)
		i := Item{Area: "host", Name: "device " + d.Path, Asked: asked, Effective: "missing", Differs: true}
		if st, ok := in.root.Stat(d.Path); ok {
			kind := "?"
			switch st.Mode & unix.S_IFMT {
			case unix.S_IFCHR:
				kind = "c"
			case unix.S_IFBLK:
				kind = "b"
			}
			i.Effective = fmt.Sprintf("%s %d:%d", kind, unix.Major(st.Rdev), unix.Minor(st.Rdev))
			i.Differs = i.Effective != asked
		}
		in.add(i)
	}
}

// descriptors lists those that lead to files outside of the container's mounts.
func (in *inspection) descriptors(m cgroups.Manager, table []mountinfo.Mount) {
	pids, err := m.Pids()
	if err != nil || len(pids) == 0 {
		pids = []int{in.rec.Saved.PID}
	}
	inside := make(map[string]bool, len(table))
	for i := range table {
		inside[table[i].ID] = true
	}
	for i, pid := range pids {
		if i == maxProcesses {
			in.add(Item{Area: "host", Name: "descriptors", Effective: "unknown", Note: fmt.Sprintf("only %d of %d processes were looked at", maxProcesses, len(pids))})
			return
		}
		in.descriptorsOf(pid, inside)
	}
}

func (in *inspection) descriptorsOf(pid int, inside map[string]bool) {
	dir := "/proc/" + strconv.Itoa(pid)
	f, err := os.Open(dir + "/fd")
	if err != nil {
		if !os.IsNotExist(err) {
			in.unreadable("host", fmt.Sprintf("descriptors of process %d", pid), err)
		}
		return
	}
	defer f.Close()
	names, _ := f.Readdirnames(maxDescriptors)
	slices.Sort(names)
	for _, fd := range names {
		target, err := os.Readlink(dir + "/fd/" + fd)
		if err != nil || !strings.HasPrefix(target, "/") {
			continue // a pipe, a socket, or closed
		}
		info, err := os.ReadFile(dir + "/fdinfo/" + fd)
		if err != nil || inside[fields(string(info))["mnt_id"]] || strings.HasPrefix(target, "/memfd:") {
			continue
		}
		i := Item{Area: "host", Name: fmt.Sprintf("descriptor %s of process %d", fd, pid), Effective: target}
		var st unix.Stat_t
		if unix.Stat(dir+"/fd/"+fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			i.Differs, i.Note = true, "a directory outside of the container: the way to all files of the host"
		}
		in.add(i)
	}
}
