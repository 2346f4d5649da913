// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"time"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/libcontainer"
)

func (a *app) eventsCommand() *command.Command {
	stats, all := false, false
	interval := 5 * time.Second
	c := &command.Command{
		Use:   "events [flags] CONTAINER...",
		Short: "print statistics of containers, and report when they run out of memory",
		Long: `Prints a line of JSON for each event: the statistics of each container at each
interval, and "oom" when a container has run out of memory. Ends when the containers
have stopped.`,
		Args: func(c *command.Command, args []string) error {
			if all {
				return a.arguments(0, 0)(c, args)
			}
			return a.arguments(1, math.MaxInt)(c, args)
		},
		Complete: a.completeContainers,
		Run: func(ids []string) error {
			if interval <= 0 {
				return errors.New("duration interval must be greater than 0")
			}
			store, err := a.openStore()
			if err != nil {
				return err
			}
			if stats {
				return a.printStats(store, ids, all)
			}
			return store.Watch(&libcontainer.WatchOptions{
				IDs: ids, All: all, Interval: interval, Emit: a.printEvent, Log: a.log,
			})
		},
	}
	c.Flags().BoolVar(&stats, "stats", false, "print the statistics once")
	c.Flags().BoolVar(&all, "all", false, "watch all containers, including those that are created later")
	c.Flags().DurationVar(&interval, "interval", interval, "print the statistics every `DURATION`")
	return c
}

// printEvent prints one line.
func (a *app) printEvent(e *libcontainer.Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	return a.print(string(text) + "\n")
}

// printStats prints the statistics of each container once. With all, stopped containers are
// left out.
func (a *app) printStats(store *libcontainer.Store, ids []string, all bool) error {
	if all {
		var err error
		if ids, err = store.IDs(); err != nil {
			if a.global.root == "" && errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
	}
	return eachContainer(ids, func(id string) error {
		c, err := store.Load(id)
		if err != nil {
			return err
		}
		s, err := c.Stats()
		if err != nil {
			if all && (errors.Is(err, libcontainer.ErrNotRunning) || errors.Is(err, libcontainer.ErrNotExist)) {
				return nil
			}
			return err
		}
		return a.printEvent(&libcontainer.Event{Type: libcontainer.EventStats, ID: id, Data: s})
	})
}
