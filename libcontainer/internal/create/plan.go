// SPDX-License-Identifier: Apache-2.0

package create

import (
	"os"

	"github.com/berth-run/berth/libcontainer/codec/ocispec"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/attr"
	"github.com/berth-run/berth/libcontainer/internal/initproc"
	"github.com/berth-run/berth/nsenter"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// plan returns the message that makes init the container's process.
func (cr *Creation) plan(fifos *[2]*os.File) (*nsenter.Plan, error) {
	p := initproc.NewPlan(&cr.Cfg.Process, cr.Built.Home)
	var err error
	if p.OwnStreams, err = cr.giveStreams(); err != nil {
		return nil, err
	}
	initproc.AddListenFDs(p, cr.Opts.ListenFDs)
	p.Root = cr.Built.Chroot
	p.Console = cr.Built.Peer
	p.Landlock = cr.Built.Ruleset
	p.Fifos = fifos
	p.NewSession = true
	if !cr.Cfg.NoNewKeyring {
		p.Keyring = "_ses." + cr.ID
	}
	p.Personality = cr.Saved.Personality
	p.MemoryPolicy = initproc.MemoryPolicy(cr.Cfg.MemoryPolicy)
	if cr.Filter != nil {
		p.Seccomp, p.SeccompFlags = cr.Filter.BPF, cr.Filter.Flags
		if cr.Filter.NewListener() {
			p.Listener = cr.sendListener
		}
	}
	if hooks := cr.Cfg.Hooks.StartContainer; len(hooks) > 0 {
		p.HookState = ocispec.WriteState(cr.hookState(specs.StateCreated))
		p.HookStdout, p.HookStderr = cr.hookOut.Stdout, cr.hookOut.Stderr
		for i := range hooks {
			p.Hooks = append(p.Hooks, initproc.Hook(&hooks[i], p.Env))
		}
	}
	return p, nil
}

// describe is initproc.Describe for the container's own init.
func (cr *Creation) describe(err error) error {
	var mapping *initproc.Mapping
	if err != nil && cr.Cfg.Namespaces.Contains(configs.NewUser) {
		mapping = &initproc.Mapping{Root: cr.Cfg.Rootfs.Path, UIDs: cr.Cfg.UIDMappings}
	}
	return initproc.Describe(err, configs.PhraseStart+": "+configs.PhraseInit, cr.Cfg.Namespaces, mapping, &cr.Cfg.Process, nil)
}

// SetPriorities sets init's scheduling policy and priorities. Init must be in its cgroups already,
// because a cgroup may not take a real-time process from outside, and must have all their CPUs,
// because SCHED_DEADLINE requires that. And init must not be another user yet, whose processes
// this process may not be allowed to change.
func (cr *Creation) SetPriorities() error {
	return attr.SetPriorities(cr.Init.PID, &cr.Cfg.Process, cr.joinsPID())
}
