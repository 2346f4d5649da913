// SPDX-License-Identifier: Apache-2.0

// Package initproc has what create and exec share about init: the plan that it gets, and what
// its failures mean.
package initproc

import (
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// NewPlan returns the part of the plan that every process has, whether from create or exec.
func NewPlan(p *configs.Process, home string) *nsenter.Plan {
	env := p.Env
	if home != "" {
		env = append(WithoutEnv(env, "HOME"), "HOME="+home)
	}
	c := &p.Capabilities
	plan := &nsenter.Plan{
		Args: p.Args, Env: env, Cwd: p.Cwd,
		UID: p.UID, GID: p.GID, Groups: p.AdditionalGIDs, SetGroups: !p.KeepGroups, Umask: p.Umask,
		Bounding: c.Bounding, Effective: c.Effective, Permitted: c.Permitted,
		Inheritable: c.Inheritable, Ambient: c.Ambient,
		NoNewPrivileges: p.NoNewPrivileges,
		AppArmor:        p.AppArmorProfile, SELinux: p.SELinuxLabel,
	}
	for _, l := range p.Rlimits {
		plan.Rlimits = append(plan.Rlimits, nsenter.Rlimit{Resource: l.Resource, Soft: l.Soft, Hard: l.Hard})
	}
	return plan
}

// MemoryPolicy translates a memory policy; nil for none.
func MemoryPolicy(m *configs.MemoryPolicy) *nsenter.MemoryPolicy {
	if m == nil {
		return nil
	}
	return &nsenter.MemoryPolicy{Mode: uint32(m.Mode | m.Flags), Nodes: m.Nodes}
}

// Hook translates a startContainer hook, as init runs it. Without its own env the hook gets the
// process's, as with runc.
func Hook(h *specs.Hook, env []string) nsenter.Hook {
	out := nsenter.Hook{Path: h.Path, Args: h.Args, Env: h.Env}
	if out.Env == nil {
		out.Env = env
	}
	if len(out.Args) == 0 {
		out.Args = []string{h.Path}
	}
	if h.Timeout != nil {
		out.TimeoutSeconds = *h.Timeout
	}
	return out
}

// HasEnv reports whether name has a value that is not empty.
func HasEnv(env []string, name string) bool {
	for _, e := range env {
		if k, v, _ := strings.Cut(e, "="); k == name {
			return v != ""
		}
	}
	return false
}

// WithoutEnv returns env without the variable name.
func WithoutEnv(env []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		k, _, _ := strings.Cut(e, "=")
		return k == name
	})
}

// AddListenFDs replaces the variables for such sockets in the environment of a plan. Init fills
// in the pid that they are for.
func AddListenFDs(p *nsenter.Plan, l options.ListenFDs) {
	if l.Count == 0 {
		return
	}
	env := p.Env
	for _, name := range [...]string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
		env = WithoutEnv(env, name)
	}
	env = append(env, "LISTEN_FDS="+strconv.Itoa(l.Count), "LISTEN_PID=")
	if l.Names != "" {
		env = append(env, "LISTEN_FDNAMES="+l.Names)
	}
	p.Env, p.ListenPID = env, true
}
