// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/cmd/internal/report"
)

// globalOptions holds the options before the command.
type globalOptions struct {
	root     string
	log      report.Options
	manager  string
	rootless string
	criu     string
	trace    string

	systemdCgroup bool
	noCgroup      bool
	help          bool
	version       bool
}

// checkManager evaluates --cgroup-manager, an option of crun.
func (g *globalOptions) checkManager() error {
	switch g.manager {
	case "", "cgroupfs":
	case "systemd":
		g.systemdCgroup = true
	case "disabled":
		if g.systemdCgroup {
			return errors.New("--cgroup-manager: disabled contradicts --systemd-cgroup")
		}
		g.noCgroup = true
	default:
		return fmt.Errorf("--cgroup-manager: unknown manager %q, must be cgroupfs, systemd or disabled", g.manager)
	}
	return nil
}

// rootCommand returns the program itself, without its subcommands.
func (a *app) rootCommand() *command.Command {
	c := &command.Command{
		Use:   a.name + " [flags] command [flags] [argument...]",
		Short: "Open Container Initiative runtime",
		Long: `berth runs containers as the OCI runtime-spec describes them: a bundle is a
directory with a config.json and a root file system. Engines such as containerd,
Docker, Podman and CRI-O call it; by hand, "berth run" in a bundle is all it takes.`,
		Example: `A first container, in a directory with a root file system rootfs:
  berth spec -- sh
  berth run box`,
		Groups: []string{groupLife, groupChange, groupLook, groupDiagnose, groupPrepare},
		// Global options are only allowed before the command.
		StopAtFirstArgument: true,
	}
	g, f := &a.global, c.Flags()
	f.StringVar(&g.root, "root", "", "keep the state of containers in `DIR`, which should be on a tmpfs (default: /run/berth, or $XDG_RUNTIME_DIR/berth or /run/user/UID/berth when rootless)")
	f.StringVar(&g.log.File, "log", "", "append log messages to `FILE` instead of writing them to stderr")
	f.StringVar(&g.log.Format, "log-format", "", "write log messages as `FORMAT`: text or json (default: text, and on a terminal plain words)")
	f.StringVar(&g.log.Level, "log-level", "", "log messages of `LEVEL` and above: error, warning, info or debug (default: warning, but a command that fails logs only its error)")
	f.BoolVar(&g.log.Debug, "debug", false, "log everything, like --log-level debug")
	f.BoolVar(&g.systemdCgroup, "systemd-cgroup", false, "let systemd manage cgroups; linux.cgroupsPath then has the form slice:prefix:name (create, run, restore)")
	f.StringVar(&g.manager, "cgroup-manager", "", "let `MANAGER` create cgroups: cgroupfs, systemd (like --systemd-cgroup), or disabled for none (create, run, restore)")
	f.StringVar(&g.rootless, "rootless", "auto", "tolerate cgroup permission errors: `BOOL` or auto")
	f.StringVar(&g.criu, "criu", "", "use the program `PATH` to checkpoint and restore, instead of criu in $PATH")
	f.StringVar(&g.trace, "trace", "", "append the times of the command's phases to `FILE`, or write them to a new file in the directory FILE, as Chrome trace events (default: $BERTH_TRACE)")
	f.BoolVarP(&g.help, "help", "h", false, "show help")
	f.BoolVarP(&g.version, "version", "v", false, "print the version")
	return c
}
