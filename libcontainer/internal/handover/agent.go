// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/options"
	"github.com/berth-run/berth/libcontainer/signals"
	"github.com/berth-run/berth/nsenter"
	"github.com/berth-run/berth/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// DialAgent connects to the agent of a profile. It returns nil if the profile needs none.
func DialAgent(profile *specs.LinuxSeccomp) (*Receiver, error) {
	if !seccomp.Notifies(profile) {
		return nil, nil
	}
	if profile.ListenerPath == "" {
		return nil, fmt.Errorf("linux.seccomp.listenerPath: %s, but the profile has %s", configs.PhraseSeccompNoPath, specs.ActNotify)
	}
	agent, err := Dial("linux.seccomp.listenerPath", profile.ListenerPath)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", configs.PhraseSeccompAgent, err)
	}
	return agent, nil
}

// SendListener sends the agent the listener for process pid of a container.
func SendListener(agent *Receiver, listener *os.File, pid int, metadata string, container *specs.State) error {
	state, err := json.Marshal(&specs.ContainerProcessState{
		Version:  container.Version,
		Fds:      []string{specs.SeccompFdName},
		Pid:      pid,
		Metadata: metadata,
		State:    *container,
	})
	if err != nil {
		return err
	}
	return agent.Send(listener, string(state))
}

// ConfigureWithAgent configures an init whose system calls wait for the agent. An agent that
// never answers blocks init, and so this process. Therefore the signals that end a command end
// the wait, even if the caller keeps them for the container.
func ConfigureWithAgent(init *nsenter.Init, agent *Receiver, plan *nsenter.Plan) (err error) {
	caught, err := signals.Catch(options.EndingSignals[:]...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, caught.Release()) }()
	configured := make(chan error, 1)
	go func() {
		err := init.Configure(plan)
		configured <- errors.Join(err, caught.Wake())
	}()
	switch s, werr := caught.Await(options.EndingSignals[:]...); s {
	case 0:
		err = errors.Join(<-configured, werr)
		if errors.Is(err, nsenter.ErrInitGone) {
			err = fmt.Errorf("%w (has the seccomp agent at %s refused a call that init needs?)", err, agent.sock.Name())
		}
		return err
	default:
		// It is reaped when everything else is undone.
		if kerr := init.Interrupt(); kerr != nil {
			return kerr
		}
		<-configured //nolint:errcheck // init was killed
		return fmt.Errorf("linux.seccomp.listenerPath: %v while init waited for the agent at %s", s, agent.sock.Name())
	}
}
