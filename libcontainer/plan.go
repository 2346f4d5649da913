// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"os"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// plan is the message that makes init the container's process.
func (cr *creation) plan(fifos *[2]*os.File) (*nsenter.Plan, error) {
	p := processPlan(&cr.cfg.Process, cr.built.home)
	var err error
	if p.OwnStreams, err = cr.giveStreams(); err != nil {
		return nil, err
	}
	addListenFDs(p, cr.opts.ListenFDs)
	p.Root = cr.built.chroot
	p.Console = cr.built.peer
	p.Landlock = cr.built.ruleset
	p.Fifos = fifos
	p.NewSession = true
	if !cr.cfg.NoNewKeyring {
		p.Keyring = "_ses." + cr.ID
	}
	p.Personality = cr.Saved.Personality
	p.MemoryPolicy = memoryPolicy(cr.cfg.MemoryPolicy)
	if cr.filter != nil {
		p.Seccomp, p.SeccompFlags = cr.filter.BPF, cr.filter.Flags
		if cr.filter.NewListener() {
			p.Listener = cr.sendListener
		}
	}
	if hooks := cr.cfg.Hooks.StartContainer; len(hooks) > 0 {
		p.HookState = ocispec.WriteState(cr.hookState(specs.StateCreated))
		p.HookStdout, p.HookStderr = cr.hookOut.stdout, cr.hookOut.stderr
		for i := range hooks {
			p.Hooks = append(p.Hooks, initHook(&hooks[i], p.Env))
		}
	}
	return p, nil
}

// processPlan is the part of the plan that any process has, init's or exec's.
func processPlan(p *configs.Process, home string) *nsenter.Plan {
	env := p.Env
	if home != "" {
		env = append(slices.Clip(withoutEnv(env, "HOME")), "HOME="+home)
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

// memoryPolicy is nil for none.
func memoryPolicy(m *configs.MemoryPolicy) *nsenter.MemoryPolicy {
	if m == nil {
		return nil
	}
	return &nsenter.MemoryPolicy{Mode: uint32(m.Mode | m.Flags), Nodes: m.Nodes}
}

// initHook is a startContainer hook as init runs it. Without an env of its own it
// gets the one of the process, as in runc.
func initHook(h *specs.Hook, env []string) nsenter.Hook {
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

// hasEnv says whether name has a value that is not empty.
func hasEnv(env []string, name string) bool {
	for _, e := range env {
		if k, v, _ := strings.Cut(e, "="); k == name {
			return v != ""
		}
	}
	return false
}

func withoutEnv(env []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		k, _, _ := strings.Cut(e, "=")
		return k == name
	})
}
