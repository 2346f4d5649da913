// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/terminal"
	"github.com/berth-run/berth/cmd/internal/top"
	"github.com/berth-run/berth/libcontainer"
)

// topOptions are the options of top.
type topOptions struct {
	key      top.Key
	format   string
	interval time.Duration
	once     bool
}

// minInterval keeps top from using more CPU than what it watches.
const minInterval = 100 * time.Millisecond

func (a *app) topCommand() *command.Command {
	o := topOptions{format: "table", interval: 2 * time.Second}
	var sort string
	keys := top.KeyNames()
	c := &command.Command{
		Use:   "top [flags]",
		Short: "show what the running containers use, and keep it up to date",
		Long: `Shows a table of all containers that have not stopped: CPU time in percent of one CPU;
memory without the page cache that was not used recently, its limit, and the most that
was ever used; the pressure (PSI) on CPU, memory and I/O, which is the percentage of
time that some task waited; tasks; bytes read from and written to block devices, and
received and sent by the interfaces of the container's network namespace; processes that
the kernel has killed for lack of memory. A dash stands for what the kernel does not
tell, and for no limit.

On a terminal, berth-top shows the table: a letter sorts it, r reverses it, q quits.`,
		Example: `The container that uses the most memory:
  berth top --no-stream --sort memory`,
		Args:     a.arguments(0, 0),
		Complete: command.CompleteNothing,
		Run: func([]string) (err error) {
			if err := checkFormat(o.format); err != nil {
				return err
			}
			if o.interval < minInterval {
				return fmt.Errorf("--interval: must be at least %v", minInterval)
			}
			if o.key, err = top.FindKey(sort); err != nil {
				return err
			}
			if o.format == "table" && !o.once && terminal.HasScreen(a.stdout) && terminal.Is(a.stdin) {
				return a.liveTop(&o)
			}
			return a.plainTop(&o)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.format, "format", "f", o.format, "print the numbers as `FORMAT`: table or json (a line each time)")
	f.DurationVar(&o.interval, "interval", o.interval, "print the numbers every `DURATION`, for which the use of CPU is measured")
	f.BoolVar(&o.once, "no-stream", false, "print the numbers once")
	f.StringVar(&sort, "sort", keys[0], "sort by `KEY`, the most first: "+strings.Join(keys, ", "))
	command.SetValues(f, "sort", keys...)
	return c
}

// plainTop prints a table or a line of JSON at each interval, the first one after an interval.
func (a *app) plainTop(o *topOptions) error {
	store, err := a.openStore()
	if err != nil {
		return err
	}
	s := sampler{app: a, store: store, warned: map[string]bool{}}
	if _, err := s.sample(); err != nil {
		return err
	}
	next := time.Now()
	for n := 0; ; n++ {
		// After a slow reader, do not catch up with a burst.
		if next = next.Add(o.interval); next.Before(time.Now()) {
			next = time.Now().Add(o.interval)
		}
		time.Sleep(time.Until(next)) // to measure CPU time is to wait
		sample, err := s.sample()
		if err != nil {
			return err
		}
		sample.Sort(o.key, false)
		text := sample.Text()
		if o.format == "json" {
			line, err := json.Marshal(sample)
			if err != nil {
				return fmt.Errorf("encode JSON: %w", err)
			}
			text = string(line) + "\n"
		} else if n > 0 {
			text = "\n" + text
		}
		if err := a.print(text); err != nil || o.once {
			return err
		}
	}
}

// sampler samples what the containers of a store use.
type sampler struct {
	app   *app
	store *libcontainer.Store
	// before has the CPU time of each container in the sample before, which was taken at at.
	before map[string]cpuTime
	at     time.Time
	// warned has the containers that there was a warning about.
	warned map[string]bool
}

// cpuTime is the CPU time that a container has used, in nanoseconds. created distinguishes
// containers with the same id.
type cpuTime struct {
	created time.Time
	used    uint64
}

// sample returns what all containers use, unless they have stopped. A container that cannot be read
// is left out with a warning.
func (s *sampler) sample() (*top.Sample, error) {
	ids, err := s.store.IDs()
	if err != nil && (s.app.global.root != "" || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	now := time.Now()
	sample := &top.Sample{Time: now, Interval: now.Sub(s.at).Seconds(), Rows: []top.Row{}}
	used := map[string]cpuTime{}
	for _, id := range ids {
		c, err := s.store.Load(id)
		var u *libcontainer.Usage
		if err == nil {
			u, err = c.Usage()
		}
		if errors.Is(err, libcontainer.ErrNotRunning) || errors.Is(err, libcontainer.ErrNotExist) {
			continue
		}
		if err != nil {
			if !s.warned[id] {
				s.app.log.Warnf("container %s: %v", id, err)
				s.warned[id] = true
			}
			continue
		}
		row := rowOf(u)
		if u.Stats != nil {
			t := cpuTime{u.State.Created, u.Stats.CPU.Usage.Total}
			used[id] = t
			if b, ok := s.before[id]; ok && b.created.Equal(t.created) && t.used >= b.used {
				percent := 100 * float64(t.used-b.used) / float64(now.Sub(s.at))
				row.CPU = &percent
			}
		}
		sample.Rows = append(sample.Rows, row)
	}
	s.before, s.at = used, now
	return sample, nil
}
