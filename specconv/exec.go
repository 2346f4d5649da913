// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/landlock"
	"github.com/berth-run/berth/specconv/internal/word"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// ConvertExec makes the plan of a process that is added to a container; annotations
// are the container's.
func ConvertExec(p *specs.Process, annotations map[string]string, o *Options) (*configs.Process, error) {
	plan, err := ConvertProcess(p, "process", o)
	if err != nil {
		return nil, err
	}
	_, plan.KeepGroups = annotations[annotationKeepGroups]
	plan.Landlock, err = landlock.Rules(annotations)
	return plan, err
}

// InheritProcess completes the document of a process with what it leaves to the
// container: what confines its processes, and what tells them from the host's. What a
// document has no way to leave open (the ids, noNewPrivileges) is taken from it alone.
// So are the limits, as in runc.
func InheritProcess(p, container *specs.Process) {
	if p.Capabilities == nil {
		p.Capabilities = container.Capabilities
	}
	if p.ApparmorProfile == "" {
		p.ApparmorProfile = container.ApparmorProfile
	}
	if p.SelinuxLabel == "" {
		p.SelinuxLabel = container.SelinuxLabel
	}
	if p.User.Umask == nil {
		p.User.Umask = container.User.Umask
	}
	if p.OOMScoreAdj == nil {
		p.OOMScoreAdj = container.OOMScoreAdj
	}
	if p.Scheduler == nil {
		p.Scheduler = container.Scheduler
	}
	if p.IOPriority == nil {
		p.IOPriority = container.IOPriority
	}
	if p.ExecCPUAffinity == nil {
		p.ExecCPUAffinity = container.ExecCPUAffinity
	}
}

// AddCapabilities gives a process more capabilities: for its own use, and for that of
// the programs that it runs if the process has ambient ones. They are never inheritable
// (CVE-2022-29162: a program with file capabilities would gain them from an ordinary
// user), and so become ambient only where they were inheritable before. The names may
// leave out "CAP_", in any case.
func AddCapabilities(p *specs.Process, names []string) error {
	c := specs.LinuxCapabilities{}
	if p.Capabilities != nil {
		c = *p.Capabilities
	}
	for _, name := range names {
		name, err := word.CapabilityName(name)
		if err != nil {
			return err
		}
		// The lists may be those of another process: they are copied, not grown.
		add := func(list []string) []string {
			if slices.Contains(list, name) {
				return list
			}
			return append(slices.Clip(list), name)
		}
		c.Bounding, c.Effective, c.Permitted = add(c.Bounding), add(c.Effective), add(c.Permitted)
		if len(c.Ambient) > 0 && slices.Contains(c.Inheritable, name) {
			c.Ambient = add(c.Ambient)
		}
	}
	p.Capabilities = &c
	return nil
}

// ParseUser reads UID[:GID] as exec takes it: decimal numbers, for names would have to
// be looked up in files that the container controls. hasGID is false when there is only
// a UID.
func ParseUser(text string) (uid, gid uint32, hasGID bool, err error) {
	first, second, hasGID := strings.Cut(text, ":")
	if uid, err = word.ParseID(first); err != nil {
		return 0, 0, false, fmt.Errorf("%q is not UID[:GID]: uid: %w", text, err)
	}
	if !hasGID {
		return uid, 0, false, nil
	}
	if gid, err = word.ParseID(second); err != nil {
		return 0, 0, false, fmt.Errorf("%q is not UID[:GID]: gid: %w", text, err)
	}
	return uid, gid, true, nil
}
