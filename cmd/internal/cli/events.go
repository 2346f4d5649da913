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
	"github.com/berth-run/berth/cmd/internal/metrics"
	"github.com/berth-run/berth/libcontainer"
)

func (a *app) eventsCommand() *command.Command {
	stats, all, format := false, false, "json"
	interval := 5 * time.Second
	c := &command.Command{
		Use:   "events [flags] CONTAINER...",
		Short: "print statistics of containers, and report when they run out of memory",
		Long: `Prints a line of JSON for each event: the statistics of each container at each
interval, and "oom" when a container has run out of memory. Ends when the containers
have stopped.`,
		Example: `What all containers use, for Prometheus:
  berth events --stats --all --format openmetrics
One container, every second, and when it runs out of memory:
  berth events --interval 1s box`,
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
			switch {
			case format != "json" && format != "openmetrics":
				return fmt.Errorf("invalid format option %q (json and openmetrics are known)", format)
			case format == "openmetrics" && !stats:
				return errors.New("--format: openmetrics is for --stats")
			}
			store, err := a.openStore()
			if err != nil {
				return err
			}
			switch {
			case format == "openmetrics":
				return a.printMetrics(store, ids, all)
			case stats:
				return a.printStats(store, ids, all)
			}
			return store.Watch(&libcontainer.WatchOptions{
				IDs: ids, All: all, Interval: interval, Emit: a.printEvent, Log: a.log,
			})
		},
	}
	c.Flags().BoolVar(&stats, "stats", false, "print the statistics once")
	c.Flags().BoolVar(&all, "all", false, "watch all containers, including those that are created later")
	c.Flags().StringVarP(&format, "format", "f", format, "print statistics as `FORMAT`: json, or with --stats openmetrics, for Prometheus")
	command.SetValues(c.Flags(), "format", "json", "openmetrics")
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
	return a.eachRunning(store, ids, all, func(c *libcontainer.Container) error {
		s, err := c.Stats()
		if err != nil {
			return err
		}
		return a.printEvent(&libcontainer.Event{Type: libcontainer.EventStats, ID: c.ID(), Data: s})
	})
}

// printMetrics prints the same as one OpenMetrics text. If it fails for some containers, the text
// has the others.
func (a *app) printMetrics(store *libcontainer.Store, ids []string, all bool) error {
	var usages []*libcontainer.Usage
	err := a.eachRunning(store, ids, all, func(c *libcontainer.Container) error {
		u, err := c.Usage()
		if err != nil {
			return err
		}
		usages = append(usages, u)
		return nil
	})
	return errors.Join(a.print(metrics.Text(usages)), err)
}

// eachRunning calls do for each container. With all, it is called for all that there are, and may
// find that one has stopped.
func (a *app) eachRunning(store *libcontainer.Store, ids []string, all bool, do func(*libcontainer.Container) error) error {
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
		if err == nil {
			err = do(c)
		}
		if all && (errors.Is(err, libcontainer.ErrNotRunning) || errors.Is(err, libcontainer.ErrNotExist)) {
			return nil
		}
		return err
	})
}
