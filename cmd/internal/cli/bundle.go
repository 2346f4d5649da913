// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/berth-run/berth/libcontainer"
	"github.com/berth-run/berth/libcontainer/access"
	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/nsenter/timerslack"
	"github.com/berth-run/berth/specconv"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// bundleOptions are the options that create and run share.
type bundleOptions struct {
	bundle        string
	configFile    string
	consoleSocket string
	pidfdSocket   string
	pidFile       string
	preserveFDs   int
	noPivot       bool
	noNewKeyring  bool
	networks      []string
}

// declare adds the options to f.
func (o *bundleOptions) declare(f *pflag.FlagSet) {
	f.StringVarP(&o.bundle, "bundle", "b", ".", "read the bundle in `DIR`")
	f.StringVarP(&o.configFile, "config", "f", "", "read `FILE` instead of the bundle's config.json")
	f.StringVar(&o.consoleSocket, "console-socket", "", "send the master of the terminal to the unix socket `PATH`")
	f.StringVar(&o.pidfdSocket, "pidfd-socket", "", "send a pidfd of the container's init to the unix socket `PATH`")
	f.StringVar(&o.pidFile, "pid-file", "", "write the pid of the container's init to `FILE`")
	o.declareNetwork(f)
	f.BoolVar(&o.noPivot, "no-pivot", false, "use MS_MOVE instead of pivot_root(2), for a root file system on a ramdisk")
	f.BoolVar(&o.noNewKeyring, "no-new-keyring", false, "keep the caller's session keyring")
	f.IntVar(&o.preserveFDs, "preserve-fds", 0, "pass on `N` more file descriptors, from 3 upwards or after those of $LISTEN_FDS")
}

// declareNetwork adds the option that restore has too.
func (o *bundleOptions) declareNetwork(f *pflag.FlagSet) {
	f.StringArrayVar(&o.networks, "network", nil, "connect a new network namespace to a bridge; `SPEC` is for example bridge=br0,address=10.88.0.2/24,gateway=10.88.0.1 (may be repeated)")
}

// preparation has all that is needed to create a container.
type preparation struct {
	store  *libcontainer.Store
	config *configs.Config
	create libcontainer.CreateOptions
	// notifier is also needed to start the container.
	notifier *libcontainer.Notifier
}

// prepareNew is prepare for a container with a new program. It also gets what a service manager
// has passed to berth in the environment.
func (a *app) prepareNew(o *bundleOptions, detached bool) (*preparation, error) {
	timerslack.Relax()
	listen, err := listenFDs(os.Getenv)
	if err != nil {
		return nil, err
	}
	preserved, err := a.preserved(listen, o.preserveFDs)
	if err != nil {
		return nil, err
	}
	notifier, err := libcontainer.NewNotifier(os.Getenv(libcontainer.NotifySocketEnv))
	if err != nil {
		return nil, err
	}
	p, err := a.prepare(o, detached)
	if err != nil {
		return nil, err
	}
	p.notifier = notifier
	p.create.PreserveFDs, p.create.ListenFDs, p.create.Notify = preserved, listen, notifier != nil
	return p, nil
}

// prepare reads the bundle and checks the options. detached means that berth does not wait for
// the container.
func (a *app) prepare(o *bundleOptions, detached bool) (*preparation, error) {
	rootless, err := a.global.isRootless()
	if err != nil {
		return nil, err
	}
	// Paths on the command line are relative to the caller's directory, so they are made
	// absolute before the change into the bundle. Paths of sockets are not: their length is
	// limited (unix(7)), and runc takes them relative to the bundle.
	store, err := a.openStore()
	if err != nil {
		return nil, err
	}
	if o.pidFile != "" {
		if o.pidFile, err = filepath.Abs(o.pidFile); err != nil {
			return nil, fmt.Errorf("--pid-file: %w", err)
		}
	}
	config, process, err := a.loadBundle(o, rootless)
	if err != nil {
		return nil, err
	}
	if err := a.checkTerminal(config.Process.Terminal, detached, o.consoleSocket); err != nil {
		return nil, err
	}
	return &preparation{store: store, config: config, create: libcontainer.CreateOptions{
		Stdio:         [3]*os.File{a.stdin, a.stdout, a.stderr},
		ConsoleSocket: o.consoleSocket,
		PIDFDSocket:   o.pidfdSocket,
		PIDFile:       o.pidFile,
		Log:           a.log,

		ProcessDocument: process,
	}}, nil
}

// loadBundle changes into the bundle, where hooks expect to run, and converts its config.json.
// process is the JSON text of the process object.
func (a *app) loadBundle(o *bundleOptions, rootless bool) (config *configs.Config, process string, err error) {
	bundle, err := filepath.Abs(o.bundle)
	if err != nil {
		return nil, "", fmt.Errorf("--bundle: %w", err)
	}
	file := o.configFile
	if file != "" {
		// Before the change into the bundle: the path is relative to the caller's directory.
		if file, err = filepath.Abs(file); err != nil {
			return nil, "", fmt.Errorf("--config: %w", err)
		}
	}
	if err := os.Chdir(bundle); err != nil {
		return nil, "", codes.With(codes.ConfigMissing, access.ExplainMissing(bundle, err))
	}
	span := a.beginPhase("read config.json")
	spec, process, err := a.loadConfig(bundle, file)
	if span.End(err) != nil {
		return nil, "", err
	}
	a.log.Debugf("bundle %s: check the config of version %q", bundle, spec.Version)
	span = a.beginPhase("convert config.json")
	config, err = specconv.Convert(spec, &specconv.Options{
		Bundle:        bundle,
		NoPivotRoot:   o.noPivot,
		NoNewKeyring:  o.noNewKeyring,
		SystemdCgroup: a.global.systemdCgroup,
		NoCgroup:      a.global.noCgroup,
		Rootless:      rootless,
		Networks:      o.networks,
		Warn:          a.log.Warnf,
	})
	return config, process, span.End(err)
}

// loadConfig reads file, or the bundle's config.json if file is "".
func (a *app) loadConfig(bundle, file string) (spec *specs.Spec, process string, err error) {
	if file == "" {
		a.log.Debugf("bundle %s: read config.json", bundle)
		return specconv.Load(bundle, a.log.Warnf)
	}
	a.log.Debugf("bundle %s: read %s", bundle, file)
	if spec, process, err = specconv.LoadFile(file, a.log.Warnf); err != nil {
		return nil, "", fmt.Errorf("--config: %w", err)
	}
	return spec, process, nil
}

// checkTerminal checks the options about the terminal. The texts are those of runc, with the name
// that berth was called by.
func (a *app) checkTerminal(terminal, detached bool, consoleSocket string) error {
	if detached && terminal && consoleSocket == "" {
		return codes.With(codes.ConsoleFailed, fmt.Errorf("cannot allocate tty if %s will detach without setting console socket", a.name))
	}
	if (!detached || !terminal) && consoleSocket != "" {
		return codes.With(codes.ConsoleFailed, fmt.Errorf("cannot use console socket if %s will not detach or allocate tty", a.name))
	}
	return nil
}

// interruptible runs do. A signal that would end berth makes do undo what it has done so far.
func (p *preparation) interruptible(do func() error) error {
	interrupts, err := libcontainer.KeepInterrupts()
	if err != nil {
		return err
	}
	p.create.Interrupts = interrupts
	return errors.Join(do(), interrupts.Release())
}

// createContainer creates the container that p describes.
func (a *app) createContainer(id string, p *preparation) (*libcontainer.Container, error) {
	if err := a.prepareRoot(); err != nil {
		return nil, err
	}
	return p.store.Create(id, p.config, &p.create)
}
