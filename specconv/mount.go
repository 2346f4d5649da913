// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/berth-run/berth/specconv/internal/mountoption"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// mounts converts the mounts, and finds out whether /dev is the container's own.
func (c *conversion) mounts() error {
	c.plan.Mounts = make([]configs.Mount, 0, len(c.spec.Mounts))
	c.plan.PopulateDev = true
	var errs fault.List
	var err error
	c.plan.MountLabel.Option, err = c.mountContext()
	errs.Add(err)
	for i := range c.spec.Mounts {
		m, err := c.mount(&c.spec.Mounts[i], fault.Element("mounts", i))
		if err != nil {
			errs.Add(fault.At(err, "mounts", i))
			continue
		}
		if m.IsBind() && m.Destination == "/dev" {
			c.plan.PopulateDev = false
		}
		c.plan.Mounts = append(c.plan.Mounts, *m)
	}
	return errs.Err()
}

func (c *conversion) mount(s *specs.Mount, name string) (*configs.Mount, error) {
	m := &configs.Mount{Field: name, Type: s.Type, Source: s.Source}
	var errs fault.List
	for _, f := range [...]struct{ field, value string }{
		{"destination", s.Destination}, {"type", s.Type}, {"source", s.Source},
	} {
		if strings.IndexByte(f.value, 0) >= 0 {
			errs.Add(fault.New(f.field, "must not contain a NUL byte: %q (%s)", f.value, configs.PhraseMountNUL))
		}
	}
	errs.Add(fault.NoNULs("options", s.Options))
	errs.Add(c.destination(m, s.Destination))
	firstData := mountoption.Apply(m, s.Options)
	// The option decides, and the type may then be "none" or empty. But a type "bind" without
	// the option can only mean a bind mount.
	if s.Type == "bind" {
		m.Flags |= unix.MS_BIND
	}
	switch {
	case m.Flags&unix.MS_BIND != 0:
		m.Type = "bind"
		errs.Add(c.bind(m, s, firstData))
	case m.Type == "" && m.Flags&unix.MS_REMOUNT == 0:
		errs.Add(fault.New("type", "must not be empty"))
	case m.CopySymlink || m.SourceNoFollow || m.DestNoFollow:
		errs.Add(fault.New("options", "copy-symlink, src-nofollow and dest-nofollow are only for bind mounts"))
	case m.CopyUp && m.Type != "tmpfs":
		errs.Add(fault.New("options", "tmpcopyup is only for tmpfs, not %s", m.Type))
	}
	errs.Add(c.idMappedMount(m, s))
	if m.Destination == "/" {
		errs.Add(c.ontoRoot(m))
	}
	errs.Add(c.ownersOfData(m))
	return m, errs.Err()
}

// destination returns the absolute destination. The runtime-spec has not allowed relative ones
// since 1.0.0, but runc accepts them with a warning, so old documents have them.
func (c *conversion) destination(m *configs.Mount, d string) error {
	if d == "" {
		return fault.New("destination", "must not be empty")
	}
	m.Destination = path.Join("/", d)
	if !path.IsAbs(d) {
		c.opts.warn("%s.destination: %s: %q is taken as %q", m.Field, configs.PhraseRelativeMount, d, m.Destination)
	}
	if m.Destination == "/" && c.live {
		return fault.New("destination", "a mount over the root file system itself is not possible: %q", d)
	}
	return nil
}

// ontoRoot does the checks for a mount that becomes the root file system, or changes its mount.
func (c *conversion) ontoRoot(m *configs.Mount) error {
	switch {
	case !c.plan.Namespaces.Contains(configs.NewMount):
		return fault.New("destination", "a mount over the root file system itself needs a mount namespace")
	case m.Flags&unix.MS_REMOUNT != 0 && m.Flags&unix.MS_BIND == 0:
		return fault.New("options", "a remount of the root file system itself needs bind: without it, the host's file system would change")
	case m.CopySymlink:
		return fault.New("options", "copy-symlink makes a link at the destination, which is the root file system itself")
	case slices.ContainsFunc(m.Propagation, func(p uintptr) bool { return p&(unix.MS_SHARED|unix.MS_UNBINDABLE) != 0 }):
		return fault.New("options", "shared and unbindable are no propagation for the root file system itself: linux.rootfsPropagation is")
	}
	switch m.Type {
	case "proc", "sysfs", "cgroup", "cgroup2", "mqueue", "devpts":
		return fault.New("type", "a mount of type %s is no root file system", m.Type)
	}
	return nil
}

// bind does the checks for bind mounts.
func (c *conversion) bind(m *configs.Mount, s *specs.Mount, firstData int) error {
	var errs fault.List
	if firstData >= 0 {
		errs.Add(c.bindData(m, s, firstData))
	}
	if s.Source == "" && m.Flags&unix.MS_REMOUNT == 0 {
		errs.Add(fault.New("source", "must not be empty for a bind mount"))
	}
	if m.CopyUp {
		errs.Add(fault.New("options", "tmpcopyup is only for tmpfs, not for a bind mount"))
	}
	if m.Source = path.Clean(s.Source); !path.IsAbs(s.Source) {
		m.Source = path.Join(c.opts.Bundle, s.Source)
	}
	return errs.Err()
}

// bindData refuses unknown options of a bind mount from the one with index first on: each may be a
// misspelt restriction ("readonly"). What can only be for a file system ("mode=755") is
// ignored, as the validation suite of the runtime-spec relies on.
func (c *conversion) bindData(m *configs.Mount, s *specs.Mount, first int) error {
	var errs fault.List
	for i := first; i < len(s.Options); i++ {
		option := s.Options[i]
		if !slices.Contains(m.Data, option) {
			continue
		}
		if !mountoption.IsData(option) {
			errs.Add(fault.New(fmt.Sprintf("options[%d]", i), "unknown option %q%s: %s",
				option, mountoption.Hint(option), configs.PhraseBindData))
			continue
		}
		c.opts.warn("%s.options[%d]: %q is ignored: %s", m.Field, i, option, configs.PhraseBindData)
	}
	m.Data = nil
	return errs.Err()
}

// idMappedMount checks the mount's own id maps and the id-map options.
func (c *conversion) idMappedMount(m *configs.Mount, s *specs.Mount) error {
	own := len(s.UIDMappings) > 0 || len(s.GIDMappings) > 0
	inline, inlined := inlineIDMap(s.Options)
	if !own && m.IDMap == "" {
		return nil
	}
	switch {
	case m.Flags&unix.MS_REMOUNT != 0:
		return fault.New("uidMappings", "a remount cannot change the id maps")
	case m.Type == "proc" || m.Type == "cgroup":
		return fault.New("uidMappings", "a mount of type %s cannot be id-mapped", m.Type)
	case c.unprivileged:
		return fault.New("uidMappings", "id-mapped mounts are not supported for rootless containers")
	case own && inlined:
		return fault.New("options", "option %s=%s as well as uidMappings and gidMappings", m.IDMap, inline)
	case own && len(s.UIDMappings) == 0:
		return fault.New("uidMappings", configs.PhraseBothIDMaps)
	case own && len(s.GIDMappings) == 0:
		return fault.New("gidMappings", configs.PhraseBothIDMaps)
	case !own && !inlined && !c.plan.Namespaces.Contains(configs.NewUser):
		return fault.New("options", "%s, or a user namespace to take them from: option %q", configs.PhraseBothIDMaps, m.IDMap)
	}
	if m.IDMap == "" {
		m.IDMap = "idmap"
	}
	var err error
	if inlined {
		m.UIDMappings, m.GIDMappings, err = parseInlineIDMap(inline, c.plan.UIDMappings, c.plan.GIDMappings)
		return err
	}
	var errs fault.List
	m.UIDMappings, err = idMap("uidMappings", s.UIDMappings)
	errs.Add(err)
	m.GIDMappings, err = idMap("gidMappings", s.GIDMappings)
	errs.Add(err)
	return errs.Err()
}

// ownersOfData checks that the owners in the options of a file system exist in an unprivileged
// container. The kernel would only return EINVAL.
func (c *conversion) ownersOfData(m *configs.Mount) error {
	if !c.unprivileged || !c.plan.Namespaces.IsNew(configs.NewUser) || c.unmapped {
		return nil
	}
	var errs fault.List
	for _, option := range m.Data {
		name, value, _ := strings.Cut(option, "=")
		rows := c.plan.UIDMappings
		switch name {
		case "uid":
		case "gid":
			rows = c.plan.GIDMappings
		default:
			continue
		}
		id, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			errs.Add(fault.New("options", "option %q has no id", option))
		} else if !mapped(rows, uint32(id)) {
			errs.Add(fault.New("options", "option %q names an id that the container's user namespace does not map", option))
		}
	}
	return errs.Err()
}
