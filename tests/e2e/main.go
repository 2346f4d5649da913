// SPDX-License-Identifier: Apache-2.0

// Command stack runs a three-tier web application with a runtime and nothing else:
// nginx, an application server in several copies, and PostgreSQL, each in a container
// on one bridge.
//
// It plays the engine: it writes the bundles, starts the containers, checks their
// health and tells nginx of it. Everything that it claims it checks; the first thing
// that does not hold ends it. Its one invariant: whatever happens, no container,
// process, cgroup, interface or file of it is left.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// config is the command line.
type config struct {
	berth, seccomp string
	// roots are the tiers' root file systems.
	roots   map[tier]string
	verbose bool
}

func main() {
	var c config
	web := flag.String("web", "", "root file system `directory` with nginx")
	app := flag.String("app", "", "root file system `directory` with Python and psycopg2")
	db := flag.String("db", "", "root file system `directory` with PostgreSQL 15")
	flag.StringVar(&c.berth, "berth", "", "the runtime's `path`")
	flag.StringVar(&c.seccomp, "seccomp", "", "`file` with linux.seccomp for all containers")
	flag.BoolVar(&c.verbose, "v", false, "show what the containers write")
	flag.Parse()
	c.roots = map[tier]string{webTier: *web, appTier: *app, dbTier: *db}
	if err := run(&c); err != nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
		os.Exit(1)
	}
}

// run sets the stage, tells the story on it, and clears it.
func run(c *config) (err error) {
	for t, root := range c.roots {
		if root == "" {
			return fmt.Errorf("wants -%s", t)
		}
	}
	var seccomp specs.LinuxSeccomp
	data, err := os.ReadFile(c.seccomp)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &seccomp); err != nil {
		return fmt.Errorf("%s: %w", c.seccomp, err)
	}
	work, err := os.MkdirTemp("", "berth-stack.")
	if err != nil {
		return err
	}
	s := &stack{config: c, seccomp: &seccomp, work: work, state: filepath.Join(work, "state"), logs: io.Discard, seen: map[string]*view{}}
	if c.verbose {
		s.logs = os.Stderr
	}
	defer func() { err = errors.Join(err, s.takeDown(), os.RemoveAll(work)) }()
	if err := s.prepare(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	return story(ctx, s)
}
