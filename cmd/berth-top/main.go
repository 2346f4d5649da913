// SPDX-License-Identifier: Apache-2.0

// Command berth-top shows what containers use on a terminal. `berth top` runs it; it gets its
// numbers from another berth, whose command line is in its own:
//
//	berth-top [--sort KEY] -- BERTH [OPTION...] top --format json [OPTION...]
//
// It is a program of its own because its library for screens must not be linked into berth.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/gdamore/tcell/v2"

	"github.com/berth-run/berth/cmd/internal/top"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "berth-top:", err)
		os.Exit(1)
	}
}

// parse returns the key to sort by, and the command that prints the numbers.
func parse(args []string) (key top.Key, command []string, err error) {
	key = top.Keys()[0]
	if len(args) >= 2 && args[0] == "--sort" {
		if key, err = top.FindKey(args[1]); err != nil {
			return key, nil, err
		}
		args = args[2:]
	}
	if len(args) < 2 || args[0] != "--" {
		return key, nil, errors.New("this program is run by `berth top`")
	}
	return key, args[1:], nil
}

// run shows the table until the user quits, the numbers end or a signal comes. Whatever happens, the
// terminal is left as it was. (Should this process be killed, `berth top` does that.)
func run(args []string) error {
	key, command, err := parse(args)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	// If berth is killed, this process is in the background before it knows. There a change of the
	// terminal's settings fails, or stops the process, unless this signal is ignored.
	signal.Ignore(syscall.SIGTTOU)
	f, err := startFeed(command)
	if err != nil {
		return err
	}
	defer f.stop()
	screen, err := tcell.NewScreen()
	if err == nil {
		err = screen.Init()
	}
	if err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	defer screen.Fini() // also if this panics
	v := &view{screen: screen, key: key, colour: os.Getenv("NO_COLOR") == ""}
	events, quit := make(chan tcell.Event), make(chan struct{})
	defer close(quit)
	go screen.ChannelEvents(events, quit)
	for {
		v.draw()
		select {
		case <-signals:
			return nil
		case sample, ok := <-f.samples:
			if !ok {
				return f.wait()
			}
			v.show(sample)
		case event, ok := <-events:
			if !ok {
				return nil // the terminal is gone
			}
			if v.handle(event) {
				return nil
			}
		}
	}
}
