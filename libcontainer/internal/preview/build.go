// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"fmt"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"golang.org/x/sys/unix"
)

// build lists what the host and the builder do, in the order in which one depends on the other.
func (d *draft) build() []string {
	all := d.limits()
	all = append(all, "root file system "+d.cfg.Rootfs.Path)
	for i := range d.cfg.Mounts {
		all = append(all, mountLine(&d.cfg.Mounts[i]))
	}
	if d.cfg.PopulateDev {
		for i := range d.cfg.Devices {
			all = append(all, deviceLine(&d.cfg.Devices[i]))
		}
		all = append(all, "links in /dev: fd, stdin, stdout, stderr, ptmx")
	}
	all = append(all, d.network()...)
	all = append(all, hookLines("prestart", d.cfg.Hooks.Prestart, "")...)
	all = append(all, hookLines("createRuntime", d.cfg.Hooks.CreateRuntime, "")...)
	all = append(all, hookLines("createContainer", d.cfg.Hooks.CreateContainer, "")...)
	return append(all, d.pivot()...)
}

// limits lists what is written for the host's part: [the limits, the device rules, the OOM score].
func (d *draft) limits() (all []string) {
	for _, w := range d.cgroup.Draft(d.cfg.Cgroup.Resources).Writes {
		for _, v := range w.Values {
			all = append(all, fmt.Sprintf("write %s/%s: %s (%s)", w.Dir, w.File, v, w.Field))
		}
	}
	if !d.cfg.Cgroup.Disabled && !d.cfg.Cgroup.Rootless {
		how := "devices.allow and devices.deny"
		if mode, err := cgroups.DetectMode(); err == nil && mode == cgroups.Unified {
			how = "an eBPF filter"
		}
		all = append(all, fmt.Sprintf("%d device rules, as %s; what no rule allows is denied", len(d.cfg.Cgroup.DeviceRules), how))
		for i := range d.cfg.Cgroup.DeviceRules {
			all = append(all, "device rule: "+ruleText(&d.cfg.Cgroup.DeviceRules[i]))
		}
	}
	if adj := d.cfg.Process.OOMScoreAdj; adj != nil {
		all = append(all, fmt.Sprintf("oom_score_adj: %d", *adj))
	}
	return all
}

func ruleText(r *configs.DeviceRule) string {
	verb := "deny"
	if r.Allow {
		verb = "allow"
	}
	access := ""
	for _, a := range [...]struct {
		set    bool
		letter string
	}{{r.Read, "r"}, {r.Write, "w"}, {r.Mknod, "m"}} {
		if a.set {
			access += a.letter
		}
	}
	return fmt.Sprintf("%s %c %s:%s %s", verb, r.Type, wildcard(r.Major), wildcard(r.Minor), access)
}

func wildcard(n int64) string {
	if n == configs.DeviceWildcard {
		return "*"
	}
	return fmt.Sprint(n)
}

func mountLine(m *configs.Mount) string {
	what := m.Type
	if m.Flags&unix.MS_REMOUNT != 0 {
		what = "remount"
	}
	text := fmt.Sprintf("%s: %s", m.Field, what)
	if m.Source != "" && m.Source != m.Type {
		text += " " + m.Source
	}
	text += " on " + m.Destination
	if options := MountOptions(m); len(options) > 0 {
		text += " (" + strings.Join(options, ",") + ")"
	}
	return text
}

// MountOptions returns the options of a mount by name.
func MountOptions(m *configs.Mount) (all []string) {
	for _, f := range mountFlags() {
		if m.Flags&f.flag != 0 {
			all = append(all, f.name)
		}
	}
	for _, p := range m.Propagation {
		all = append(all, propagation(p))
	}
	for _, a := range recursive() {
		if m.RecAttrSet&a.attr != 0 {
			all = append(all, "recursively "+a.name)
		}
		if m.RecAttrClear&a.attr != 0 {
			all = append(all, "recursively not "+a.name)
		}
	}
	if m.IDMap != "" {
		all = append(all, m.IDMap)
	}
	if m.CopyUp {
		all = append(all, "tmpcopyup")
	}
	return append(all, m.Data...)
}

type mountFlag struct {
	flag uintptr
	name string
}

func mountFlags() []mountFlag {
	return []mountFlag{
		{unix.MS_RDONLY, "ro"},
		{unix.MS_NOSUID, "nosuid"},
		{unix.MS_NODEV, "nodev"},
		{unix.MS_NOEXEC, "noexec"},
		{unix.MS_NOATIME, "noatime"},
		{unix.MS_NODIRATIME, "nodiratime"},
		{unix.MS_RELATIME, "relatime"},
		{unix.MS_STRICTATIME, "strictatime"},
		{unix.MS_NOSYMFOLLOW, "nosymfollow"},
		{unix.MS_SYNCHRONOUS, "sync"},
		{unix.MS_REC, "recursive"},
	}
}

type recursiveAttr struct {
	attr uint64
	name string
}

func recursive() []recursiveAttr {
	return []recursiveAttr{
		{unix.MOUNT_ATTR_RDONLY, "ro"},
		{unix.MOUNT_ATTR_NOSUID, "nosuid"},
		{unix.MOUNT_ATTR_NODEV, "nodev"},
		{unix.MOUNT_ATTR_NOEXEC, "noexec"},
		{unix.MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"},
	}
}

func propagation(p uintptr) string {
	name := "unbindable"
	switch {
	case p&unix.MS_SHARED != 0:
		name = "shared"
	case p&unix.MS_SLAVE != 0:
		name = "slave"
	case p&unix.MS_PRIVATE != 0:
		name = "private"
	}
	if p&unix.MS_REC != 0 {
		name = "r" + name
	}
	return name
}

func deviceLine(d *configs.Device) string {
	if d.Type == 'p' {
		return fmt.Sprintf("device %s: a FIFO, mode %04o, owner %d:%d", d.Path, d.FileMode, d.UID, d.GID)
	}
	return fmt.Sprintf("device %s: %c %d:%d, mode %04o, owner %d:%d", d.Path, d.Type, d.Major, d.Minor, d.FileMode, d.UID, d.GID)
}

func (d *draft) network() (all []string) {
	for _, n := range d.cfg.NetDevices {
		all = append(all, "move the interface "+n.HostName+" into the container, as "+n.Name)
	}
	if d.cfg.Network == nil {
		return all
	}
	for i := range d.cfg.Network.Interfaces {
		v := &d.cfg.Network.Interfaces[i]
		text := "veth pair: " + v.Name + " in the container, the other end on the bridge " + v.Bridge
		for _, a := range v.Addresses {
			text += ", address " + a.String()
		}
		all = append(all, text)
	}
	return all
}

// pivot lists what follows when everything is mounted.
func (d *draft) pivot() (all []string) {
	switch {
	case !d.cfg.Namespaces.Contains(configs.NewMount):
		all = append(all, "chroot")
	case d.cfg.NoPivotRoot:
		all = append(all, "MS_MOVE and chroot")
	default:
		all = append(all, "pivot_root")
	}
	if p := d.cfg.Rootfs.Propagation; p != 0 {
		all = append(all, "propagation of /: "+propagation(p))
	}
	if d.cfg.Hostname != "" {
		all = append(all, "hostname "+d.cfg.Hostname)
	}
	if d.cfg.Domainname != "" {
		all = append(all, "domainname "+d.cfg.Domainname)
	}
	for _, s := range d.cfg.Sysctls {
		all = append(all, "sysctl "+s.Key+" = "+s.Value)
	}
	for _, p := range d.cfg.ReadonlyPaths {
		all = append(all, "read-only path "+p)
	}
	for _, p := range d.cfg.MaskedPaths {
		all = append(all, "masked path "+p)
	}
	if d.cfg.Rootfs.Readonly {
		all = append(all, "root file system read-only")
	}
	return all
}
