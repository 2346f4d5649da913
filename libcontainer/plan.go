// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"os"

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

// describe is describeInitError for the container's own init.
func (cr *creation) describe(err error) error {
	mapped := cr.cfg.Namespaces.Contains(configs.NewUser)
	return describeInitError(err, configs.PhraseStart+": "+configs.PhraseInit, cr.cfg.Namespaces, mapped, &cr.cfg.Process)
}

// setPriorities is the step of a create that sets how init is scheduled. It comes when
// init is in its cgroups, which may not take a real-time process from outside, and has
// taken all their CPUs, which it must have to get a deadline; and before init is another
// user, whom this process may lack the right to touch.
func (cr *creation) setPriorities() error {
	return setPriorities(cr.init.PID, &cr.cfg.Process, cr.joinsPID())
}
