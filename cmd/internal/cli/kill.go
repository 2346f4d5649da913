// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/signame"
	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/libcontainer/codes"
	"golang.org/x/sys/unix"
)

func (a *app) killCommand() *command.Command {
	all, regex := false, false
	c := &command.Command{
		Use:   "kill [flags] CONTAINER [SIGNAL]",
		Short: "send a signal to a container's init process",
		Long: `Sends a signal to a container's init process. The signal is a number or a name,
with or without SIG, in upper or lower case, also RTMIN+n and RTMAX-n. The default is
TERM.`,
		Example: `Ask the program to end:
  berth kill box TERM`,
		Args:     a.arguments(1, 2),
		Complete: a.completeKill,
		Run: func(args []string) error {
			name := "TERM"
			if len(args) > 1 && args[1] != "" {
				name = args[1]
			}
			sig, err := signame.Parse(name)
			if err != nil {
				return codes.With(codes.Usage, err)
			}
			if regex {
				return a.killMatching(args[0], sig, all)
			}
			c, err := a.load(args[0])
			if err != nil {
				return err
			}
			return c.Signal(sig, all)
		},
	}
	c.Flags().BoolVarP(&all, "all", "a", false, "signal every process of the container; a stopped container is then not an error")
	c.Flags().BoolVarP(&regex, "regex", "r", false, "CONTAINER is a regular expression: signal all running containers with a matching id")
	return c
}

// killMatching signals the containers that match pattern. A container that has ended already is
// not an error.
func (a *app) killMatching(pattern string, sig unix.Signal, all bool) error {
	store, err := a.openStore()
	if err != nil {
		return err
	}
	ids, err := a.matching(store, pattern)
	if err != nil {
		return err
	}
	return eachContainer(ids, func(id string) error {
		c, err := store.Load(id)
		if err == nil {
			err = c.Signal(sig, all)
		}
		if errors.Is(err, libcontainer.ErrNotRunning) || errors.Is(err, libcontainer.ErrNotExist) {
			return nil
		}
		return err
	})
}

// completeKill completes the container's id, then the signal.
func (a *app) completeKill(args []string) ([]command.Candidate, command.Directive) {
	if len(args) == 1 {
		return command.Words(signame.Names()), command.NoFiles
	}
	return a.completeContainer(args)
}
