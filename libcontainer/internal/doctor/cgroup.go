// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/cgroups/cgroupfs"
	"github.com/berth-run/berth/libcontainer/cgroups/devices"
	"golang.org/x/sys/unix"
)

// controller is one of the resource controllers.
type controller struct {
	name string
	// v1 is its name on cgroup v1, "" if that is the same.
	v1     string
	effect string
}

func controllers() []controller {
	return []controller{
		{"memory", "", "no limits of memory and swap"},
		{"cpu", "", "no limits of CPU time (cpu.shares, cpu.quota)"},
		{"cpuset", "", "no choice of CPUs and memory nodes"},
		{"pids", "", "no limit of processes: a fork bomb reaches the host"},
		{"io", "blkio", "no limits of block I/O"},
		{"hugetlb", "", "no limits of huge pages"},
		{"rdma", "", "no limits of RDMA"},
	}
}

// cgroups looks at the hierarchies, and what of them this user may use.
func (x *examination) cgroups() {
	mode, err := cgroups.DetectMode()
	c := &Condition{Area: "cgroup", Name: "hierarchies", Status: OK, Effect: "no limits, and no freezer (berth needs --cgroup-manager disabled)", Essential: true}
	switch {
	case err != nil:
		c.Status, c.Found = Missing, err.Error()
	case mode == cgroups.Unavailable:
		c.Status, c.Found = Missing, "nothing is mounted on /sys/fs/cgroup"
		c.Mend, c.Command = "mount cgroup v2", "mount -t cgroup2 cgroup2 /sys/fs/cgroup"
	default:
		c.Found = modeName(mode)
	}
	x.add(c)
	if c.Status != OK {
		return
	}
	have := hostControllers(mode)
	for _, k := range controllers() {
		x.controller(mode, k, have)
	}
	if x.rootless {
		x.delegation(mode)
	}
	x.extras(mode)
}

func modeName(m cgroups.Mode) string {
	switch m {
	case cgroups.Legacy:
		return "cgroup v1"
	case cgroups.Hybrid:
		return "hybrid (cgroup v1, and v2 without controllers on /sys/fs/cgroup/unified)"
	}
	return "cgroup v2"
}

// hostControllers returns the controllers of the host as words.
func hostControllers(mode cgroups.Mode) string {
	if mode == cgroups.Unified {
		text, _ := cgroupfs.Dir(cgroupfs.Root).Read("cgroup.controllers")
		return text
	}
	text, _ := cgroupfs.ReadProc("/proc/self/cgroup")
	var all []string
	for _, m := range cgroupfs.ParseMemberships(text) {
		for name := range strings.SplitSeq(m.Controllers, ",") {
			if _, err := os.Stat(filepath.Join(cgroupfs.Root, name)); err == nil {
				all = append(all, name)
			}
		}
	}
	return strings.Join(all, " ")
}

func (x *examination) controller(mode cgroups.Mode, k controller, have string) {
	name := k.name
	if mode != cgroups.Unified && k.v1 != "" {
		name = k.v1
	}
	c := &Condition{Area: "cgroup", Name: k.name + " controller", Status: OK, Effect: k.effect}
	if name != k.name {
		c.Found = name
	}
	if cgroupfs.HasWord(have, name) {
		x.add(c)
		return
	}
	c.Status = Missing
	switch disabled, listed := kernelController(name); {
	case listed && disabled:
		c.Mend = "enable it on the kernel's command line (/boot/cmdline.txt or GRUB_CMDLINE_LINUX), and reboot"
		c.Command = "cgroup_enable=" + name
	case listed && mode == cgroups.Unified:
		c.Mend = "the kernel has it, but on a hierarchy of cgroup v1, or it is not passed on to this container"
	case listed:
		c.Mend, c.Command = mountHierarchy(name, cgroupfs.Dir(cgroupfs.Root+"/unified"))
	default:
		c.Mend = "boot a kernel that has it"
	}
	if x.o.For == nil && (k.name == "hugetlb" || k.name == "rdma") {
		c.Status = Limited // only few configs need it
	}
	x.add(c)
}

// mountHierarchy tells how a controller gets its hierarchy of cgroup v1. v2 is that of a hybrid host,
// where it may be in use; it may be absent.
func mountHierarchy(name string, v2 cgroupfs.Dir) (mend, command string) {
	command = fmt.Sprintf("mkdir -p %s/%s; mount -t cgroup -o %s %s %s/%s", cgroupfs.Root, name, name, name, cgroupfs.Root, name)
	if used, err := v2.Read("cgroup.subtree_control"); err == nil && cgroupfs.HasWord(used, name) {
		return "it is in use on cgroup v2: turn it off there, and mount its hierarchy",
			fmt.Sprintf("echo -%s >%s/cgroup.subtree_control; %s", name, v2, command)
	}
	return "mount its hierarchy", command
}

// kernelController looks for a controller in /proc/cgroups.
func kernelController(name string) (disabled, listed bool) {
	text, err := os.ReadFile("/proc/cgroups")
	if err != nil {
		return false, false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 4 && f[0] == name {
			return f[3] == "0", true
		}
	}
	return false, false
}

// delegation looks for a cgroup that an ordinary user may use.
func (x *examination) delegation(mode cgroups.Mode) {
	c := &Condition{Area: "cgroup", Name: "delegation to this user", Status: OK, Effect: "rootless containers have no limits"}
	if mode != cgroups.Unified {
		c.Status, c.Found = Missing, "cgroup v1 is never delegated to users"
		c.Mend, c.Command = "boot with cgroup v2", "systemd.unified_cgroup_hierarchy=1"
		x.add(c)
		return
	}
	dir := ownCgroup()
	if unix.Access(dir, unix.W_OK) != nil {
		c.Status, c.Found = Missing, dir+" is not writable for this user"
		c.Mend, c.Command = "run berth in a cgroup of your own", "systemd-run --user --scope --property=Delegate=yes berth …"
		x.add(c)
		return
	}
	have, err := cgroupfs.Dir(dir).Read("cgroup.controllers")
	if c.Found = dir + ": " + have; err != nil {
		c.Found = err.Error()
	}
	var lacking []string
	for _, name := range [...]string{"cpu", "cpuset", "io", "memory", "pids"} {
		if !cgroupfs.HasWord(have, name) {
			lacking = append(lacking, name)
		}
	}
	if len(lacking) > 0 {
		c.Status = Limited
		c.Effect = "rootless containers have no limits of " + strings.Join(lacking, ", ")
		c.Mend = "as root, let systemd delegate them to users, and log in again"
		c.Command = "mkdir -p /etc/systemd/system/user@.service.d; printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' >/etc/systemd/system/user@.service.d/delegate.conf; systemctl daemon-reload"
	}
	x.add(c)
}

// ownCgroup returns the cgroup below which berth makes those of containers: the one above its own.
func ownCgroup() string {
	text, _ := cgroupfs.ReadProc("/proc/self/cgroup")
	for _, m := range cgroupfs.ParseMemberships(text) {
		if m.Controllers == "" {
			return path.Join(cgroupfs.Root, path.Dir(path.Clean(m.Path)))
		}
	}
	return cgroupfs.Root
}

// extras looks at files that limits and events need.
func (x *examination) extras(mode cgroups.Mode) {
	kill := &Condition{Area: "cgroup", Name: "cgroup.kill", Status: OK, Effect: "containers are killed process by process, frozen"}
	swap := &Condition{Area: "cgroup", Name: "swap accounting", Status: OK, Effect: "memory.swap is refused, unless it removes a limit"}
	psi := &Condition{Area: "cgroup", Name: "pressure (PSI)", Status: OK, Effect: "events show no pressure"}
	if unix.Access("/proc/pressure/cpu", unix.F_OK) != nil {
		psi.Status, psi.Mend, psi.Command = Limited, "enable it on the kernel's command line", "psi=1"
	}
	dir, swapFile := cgroupfs.Root, ""
	if mode != cgroups.Unified {
		dir, swapFile = cgroupfs.Root+"/unified", cgroupfs.Root+"/memory/memory.memsw.limit_in_bytes"
	}
	if mode == cgroups.Legacy {
		kill.Status, kill.Found = Limited, "there is no cgroup v2"
	} else if kill.Status = anyHas(dir, "cgroup.kill"); kill.Status == Limited {
		kill.Mend = "boot Linux 5.14 or newer"
	}
	if swapFile == "" {
		swap.Status = anyHas(dir, "memory.swap.max")
	} else if unix.Access(swapFile, unix.F_OK) != nil {
		swap.Status = Limited
	}
	if swap.Status == Limited {
		swap.Mend, swap.Command = "enable it on the kernel's command line", "swapaccount=1"
		if x.o.For != nil {
			swap.Status = Missing
		}
	}
	for _, c := range [...]*Condition{kill, swap} {
		if c.Status == Unknown {
			c.Found = "there is no cgroup to look at"
		}
	}
	x.add(kill)
	x.add(swap)
	x.add(psi)
}

// anyHas looks for a file in the cgroups directly below dir: the root does not have every file.
func anyHas(dir, file string) Status {
	if found, _ := filepath.Glob(dir + "/*/" + file); len(found) > 0 {
		return OK
	}
	if unix.Access(dir+"/"+file, unix.F_OK) == nil {
		return OK
	}
	if below, _ := filepath.Glob(dir + "/*/cgroup.procs"); len(below) == 0 {
		return Unknown
	}
	return Limited
}

// deviceFilter loads a filter for devices, without attaching it.
func (x *examination) deviceFilter() {
	mode, err := cgroups.DetectMode()
	c := &Condition{Area: "cgroup", Name: "device rules", Status: OK, Effect: "linux.resources.devices cannot be enforced"}
	switch {
	case err != nil || mode == cgroups.Unavailable:
		return
	case x.rootless:
		c.Status, c.Found = Unused, "rootless containers need none: the kernel does not let them use device nodes"
	case mode != cgroups.Unified && unix.Access(cgroupfs.Root+"/devices", unix.F_OK) == nil:
		c.Found = "devices controller of cgroup v1"
	default:
		c.Found = "eBPF"
		if err := devices.Probe(); err != nil {
			c.Status, c.Found = Missing, err.Error()
			c.Mend = "boot a kernel with CONFIG_CGROUP_BPF; in a container, allow bpf(2) and CAP_BPF or CAP_SYS_ADMIN"
		}
	}
	x.add(c)
}
