// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/cmd/internal/command"
)

// globalOptions are the options before the command.
type globalOptions struct {
	root      string
	log       string
	logFormat string
	logLevel  string
	manager   string
	rootless  string
	criu      string

	debug         bool
	systemdCgroup bool
	help          bool
	version       bool
}

// checkManager gives --cgroup-manager, which is crun's, its meaning.
func (g *globalOptions) checkManager() error {
	switch g.manager {
	case "", "cgroupfs":
	case "systemd":
		g.systemdCgroup = true
	case "disabled":
		// Kill, pause, ps and exec go by the cgroup.
		return errors.New("--cgroup-manager: disabled is not supported: without a cgroup nothing tells which processes are the container's")
	default:
		return fmt.Errorf("--cgroup-manager: unknown manager %q, must be cgroupfs or systemd", g.manager)
	}
	return nil
}

// rootCommand is the program itself, without its commands.
func (a *app) rootCommand() *command.Command {
	c := &command.Command{
		Use:   a.name + " [flags] command [flags] [argument...]",
		Short: "Open Container Initiative runtime",
		Long: `berth runs containers as the OCI runtime-spec describes them: a bundle is a
directory with a config.json and a root file system. Engines such as containerd,
Docker, Podman and CRI-O call it; by hand, "berth run" in a bundle is all it takes.`,
		// Global options come before the command, and only there.
		StopAtFirstArgument: true,
	}
	g, f := &a.global, c.Flags()
	f.StringVar(&g.root, "root", "", "keep the state of containers in `DIR`, which should be on a tmpfs (default: /run/berth, or $XDG_RUNTIME_DIR/berth or /run/user/UID/berth when rootless)")
	f.StringVar(&g.log, "log", "", "append log messages to `FILE` instead of writing them to stderr")
	f.StringVar(&g.logFormat, "log-format", "text", "write log messages as `FORMAT`: text or json")
	f.StringVar(&g.logLevel, "log-level", "", "log what is at least of `LEVEL`: error, warning, info or debug (default: warning; a command that fails logs its error only)")
	f.BoolVar(&g.debug, "debug", false, "log everything, as --log-level debug")
	f.BoolVar(&g.systemdCgroup, "systemd-cgroup", false, "let systemd manage cgroups: linux.cgroupsPath is then slice:prefix:name (create, run, restore)")
	f.StringVar(&g.manager, "cgroup-manager", "", "let `MANAGER` make cgroups: cgroupfs, or systemd as with --systemd-cgroup")
	f.StringVar(&g.rootless, "rootless", "auto", "tolerate cgroup permission errors: `BOOL` or auto")
	f.StringVar(&g.criu, "criu", "", "let the program `PATH` checkpoint and restore instead of criu from $PATH")
	f.BoolVarP(&g.help, "help", "h", false, "show help")
	f.BoolVarP(&g.version, "version", "v", false, "print the version")
	return c
}
