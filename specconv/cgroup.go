// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"path"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// defaultDeviceRules come after those of the config, so that the config cannot deny access to a
// container's basic devices. Creating a node is always allowed: only using it is a risk.
var defaultDeviceRules = [...]configs.DeviceRule{
	{Allow: true, Type: 'c', Major: configs.DeviceWildcard, Minor: configs.DeviceWildcard, Mknod: true},
	{Allow: true, Type: 'b', Major: configs.DeviceWildcard, Minor: configs.DeviceWildcard, Mknod: true},
	{Allow: true, Type: 'c', Major: 1, Minor: 3, Read: true, Write: true, Mknod: true},                        // null
	{Allow: true, Type: 'c', Major: 1, Minor: 5, Read: true, Write: true, Mknod: true},                        // zero
	{Allow: true, Type: 'c', Major: 1, Minor: 7, Read: true, Write: true, Mknod: true},                        // full
	{Allow: true, Type: 'c', Major: 1, Minor: 8, Read: true, Write: true, Mknod: true},                        // random
	{Allow: true, Type: 'c', Major: 1, Minor: 9, Read: true, Write: true, Mknod: true},                        // urandom
	{Allow: true, Type: 'c', Major: 5, Minor: 0, Read: true, Write: true, Mknod: true},                        // tty
	{Allow: true, Type: 'c', Major: 136, Minor: configs.DeviceWildcard, Read: true, Write: true, Mknod: true}, // pts
	{Allow: true, Type: 'c', Major: 5, Minor: 2, Read: true, Write: true, Mknod: true},                        // ptmx
	{Allow: true, Type: 'c', Major: 10, Minor: 200, Read: true, Write: true, Mknod: true},                     // tun
}

// cgroup converts the container's cgroup path and limits. Package cgroups finds out which
// limits the host's controllers support.
func (c *conversion) cgroup() error {
	g := &c.plan.Cgroup
	g.Systemd, g.Rootless, g.Disabled = c.opts.SystemdCgroup, c.opts.Rootless, c.opts.NoCgroup
	var errs fault.List
	if g.Disabled && !c.plan.Namespaces.IsNew(configs.NewPID) {
		errs.Add(fault.New("namespaces", "--cgroup-manager disabled needs a new pid namespace: otherwise it is not known which processes belong to the container"))
	}
	g.Resources = new(specs.LinuxResources)
	if c.linux.Resources != nil {
		*g.Resources = *c.linux.Resources
	}
	rules := g.Resources.Devices
	g.Resources.Devices = nil
	var err error
	g.Path, err = cgroupPath(c.linux.CgroupsPath, c.opts.SystemdCgroup)
	errs.Add(err)
	errs.Add(fault.In(fileNames(g.Resources), "resources"))
	g.DeviceRules = make([]configs.DeviceRule, 0, len(rules)+len(defaultDeviceRules))
	for i := range rules {
		r, err := deviceRule(&rules[i], i)
		if err != nil {
			errs.Add(fault.At(err, "resources.devices", i))
		}
		g.DeviceRules = append(g.DeviceRules, r)
	}
	g.DeviceRules = append(g.DeviceRules, defaultDeviceRules[:]...)
	return errs.Err()
}

// cgroupPath returns the cleaned path, so that ".." cannot lead out of the hierarchy.
func cgroupPath(p string, systemd bool) (string, error) {
	if err := fault.NoNUL("cgroupsPath", p); err != nil || p == "" {
		return "", err
	}
	if systemd {
		if strings.Count(p, ":") != 2 {
			return "", fault.New("cgroupsPath", "expected slice:prefix:name for the systemd driver, got %q", p)
		}
		return p, nil
	}
	clean := path.Join("/", p)
	if !path.IsAbs(p) {
		clean = clean[1:]
	}
	return clean, nil
}

// fileNames checks the parts of resources that become part of a file name in the cgroup. A
// slash in one could lead out of the cgroup.
func fileNames(r *specs.LinuxResources) error {
	var errs fault.List
	for i, h := range r.HugepageLimits {
		if h.Pagesize == "" || strings.ContainsAny(h.Pagesize, "/\x00") {
			errs.Add(fault.New(fault.Element("hugepageLimits", i)+".pageSize", "not a page size: %q", h.Pagesize))
		}
	}
	for _, key := range sortedKeys(r.Unified) {
		if key == "" || strings.ContainsAny(key, "/\x00") {
			errs.Add(fault.New("unified", configs.PhraseUnifiedName, key))
		}
	}
	return errs.Err()
}

// deviceRule converts one rule. Empty fields are wildcards, except for the access: a rule
// without access is a mistake.
func deviceRule(s *specs.LinuxDeviceCgroup, index int) (configs.DeviceRule, error) {
	var errs fault.List
	r := configs.DeviceRule{Allow: s.Allow, Type: 'a', Major: configs.DeviceWildcard, Minor: configs.DeviceWildcard}
	switch s.Type {
	case "", "a":
	case "b", "c":
		r.Type = s.Type[0]
	default:
		errs.Add(fault.New("type", configs.PhraseDeviceRuleType+", must be a, b or c", s.Type))
	}
	for _, n := range [...]struct {
		field string
		from  *int64
		to    *int64
		max   int64
	}{{"major", s.Major, &r.Major, maxMajor}, {"minor", s.Minor, &r.Minor, maxMinor}} {
		if n.from == nil || *n.from == configs.DeviceWildcard {
			continue
		}
		if *n.from < 0 || *n.from > n.max {
			errs.Add(fault.New(n.field, "must be between 0 and %d, or -1 for all: %d", n.max, *n.from))
		}
		*n.to = *n.from
	}
	for _, a := range s.Access {
		switch a {
		case 'r':
			r.Read = true
		case 'w':
			r.Write = true
		case 'm':
			r.Mknod = true
		default:
			errs.Add(fault.New("access", "unknown access %q in %q, must be of r, w and m", a, s.Access))
		}
	}
	if s.Access == "" {
		errs.Add(fault.New("access", "must not be empty ("+configs.PhraseDeviceAccess+")", index))
	}
	return r, errs.Err()
}
