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

// ConvertExec converts a process that is added to a container. annotations are those of the
// container.
func ConvertExec(p *specs.Process, annotations map[string]string, o *Options) (*configs.Process, error) {
	plan, err := ConvertProcess(p, "process", o)
	if err != nil {
		return nil, err
	}
	_, plan.KeepGroups = annotations[annotationKeepGroups]
	plan.Landlock, err = landlock.Rules(annotations)
	return plan, err
}

// InheritProcess completes the document of a process with fields of the container's process:
// those that confine it, and those that distinguish it from processes of the host. Fields that
// cannot be left out of a document (the ids, noNewPrivileges) always come from the document. So
// do the limits, as in runc.
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

// AddCapabilities adds capabilities to a process. The programs that it executes have them too
// if they are ambient. They are never made inheritable (CVE-2022-29162: a program with file
// capabilities would gain them from an ordinary user), and so become ambient only if they were
// inheritable before. Names may be in upper or lower case, with or without "CAP_".
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
		// The lists may be shared with another process: they are copied, not appended to.
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

// ParseUser parses the UID[:GID] of exec. Both are decimal numbers: names would have to be
// looked up in files that the container controls. hasGID is false if there is only a UID.
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
