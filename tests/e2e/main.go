// SPDX-License-Identifier: Apache-2.0

// Command stack runs a three-tier web application with a runtime and nothing else:
// nginx, an application server in several copies, and PostgreSQL, each in a container
// on one bridge.
//
// It does what an engine does: it writes the bundles, starts the containers, checks their health
// and configures nginx accordingly. It checks everything that it claims, and ends at the first
// thing that is wrong. Its one invariant: whatever happens, it leaves no container, process,
// cgroup, interface or file behind.
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
	// roots are the root file systems of the tiers.
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
	flag.BoolVar(&c.verbose, "v", false, "show the output of the containers")
	flag.Parse()
	c.roots = map[tier]string{webTier: *web, appTier: *app, dbTier: *db}
	if err := run(&c); err != nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
		os.Exit(1)
	}
}

// run prepares the stack, runs the story, and removes everything.
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
