// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/spf13/pflag"

	"github.com/berth-run/berth/cmd/internal/command"
	"github.com/berth-run/berth/specconv/template"
)

// specOptions holds the options of spec that are not in the template.
type specOptions struct {
	template.Template
	bundle               string
	tty, noTTY, readOnly bool
}

func (a *app) specCommand() *command.Command {
	o := specOptions{Template: template.Template{Warn: a.log.Warnf}}
	c := &command.Command{
		Use:   "spec [flags] [-- COMMAND [ARG...]]",
		Short: "write a config.json as a starting point",
		Long: `Writes config.json into the bundle directory. It is an error if the file exists.
Without options the program is a shell on a terminal, with few rights and a read-only
root file system.

The program and its arguments come after --, or in --args, once for each word.
--from-image takes the program, environment, user, working directory, labels and
volumes from an image, which is a configuration file or an OCI image layout; the root
file system is then writable. All other options override the image. A program replaces
both the image's entrypoint and its command.

Relative paths are relative to the current directory. A path inside the bundle is
written relative to the bundle, so that the bundle can be moved.`,
		Example: `A shell:
  berth spec -- sh
A program without a terminal, with limits and a directory of the host:
  berth spec --no-tty --memory 64m --cpus 0.5 --bind /srv/data:/data:ro -- /bin/server --port 80`,
		Args: func(c *command.Command, args []string) error {
			if c.Flags().ArgsLenAtDash() == 0 {
				return nil
			}
			err := a.arguments(0, 0)(c, args)
			if err != nil {
				err = fmt.Errorf("%w; the container's program stands behind --", err)
			}
			return err
		},
	}
	f := c.Flags()
	o.declare(f)
	c.Run = func(args []string) error {
		if err := o.complete(args, f); err != nil {
			return err
		}
		spec, err := o.Spec()
		if err != nil {
			return err
		}
		text, err := json.MarshalIndent(spec, "", "\t")
		if err != nil {
			return fmt.Errorf("encode JSON: %w", err)
		}
		a.log.Debugf("write %s", filepath.Join(o.bundle, "config.json"))
		return writeNewFile(filepath.Join(o.bundle, "config.json"), append(text, '\n'))
	}
	return c
}

// declare adds the options to f.
func (o *specOptions) declare(f *pflag.FlagSet) {
	f.StringVarP(&o.bundle, "bundle", "b", ".", "write config.json into `DIR`")
	f.BoolVar(&o.Rootless, "rootless", false, "write a config.json that an ordinary user can run")
	f.BoolVar(&o.SubIDs, "subids", false, "with --rootless: also map the ids in subuid(5) and subgid(5)")
	f.StringArrayVar(&o.Args, "args", nil, "add `WORD` to the program's command line (repeat for each word)")
	f.StringArrayVarP(&o.Env, "env", "e", nil, "set `NAME=VALUE` in the environment (may be repeated)")
	f.BoolVarP(&o.tty, "tty", "t", false, "give the program a terminal, which is the default")
	f.BoolVar(&o.noTTY, "no-tty", false, "give the program no terminal")
	f.StringVarP(&o.User, "user", "u", "", "run the program as `USER[:GROUP]`, numbers, or names in the root file system")
	f.StringArrayVar(&o.Capabilities, "cap-add", nil, "add `CAPABILITY`, or ALL, to the program's capabilities (may be repeated)")
	f.StringVar(&o.Rootfs, "rootfs", "", "use the directory `PATH` as the root file system (default: rootfs in the bundle)")
	f.BoolVar(&o.readOnly, "read-only", false, "make the root file system read-only, the default without --from-image")
	f.StringArrayVar(&o.Binds, "bind", nil, "bind mount a file or directory of the host: `SRC:DST[:OPTIONS]`, with mount options such as ro,nosuid (may be repeated)")
	f.StringVar(&o.Memory, "memory", "", "limit memory to `SIZE`, in bytes or with a unit (512M, 1G)")
	f.StringVar(&o.CPUs, "cpus", "", "limit CPU time to that of `NUMBER` CPUs, for example 2 or 0.5")
	f.StringArrayVar(&o.Networks, "network", nil, "connect the container like run --network, with the same `SPEC` (may be repeated); host: use the host's network; none: only a loopback interface")
	f.StringVar(&o.Image, "from-image", "", "use the settings of `IMAGE`: its configuration file, or DIR[:TAG] of an OCI image layout")
}

// complete checks the options and sets the template's other fields.
func (o *specOptions) complete(command []string, f *pflag.FlagSet) (err error) {
	// An empty value usually comes from a variable of a script that is not set. It would act as
	// if the option were missing. As bundle, runc accepts it as the current directory.
	f.Visit(func(f *pflag.Flag) {
		if f.Name != "bundle" && f.Value.Type() == "string" && f.Value.String() == "" {
			err = errors.Join(err, fmt.Errorf("--%s: must not be empty", f.Name))
		}
	})
	if err != nil {
		return err
	}
	if len(command) > 0 && len(o.Args) > 0 {
		return fmt.Errorf("--args: there is a program behind -- already: %q", command)
	}
	o.Args = append(o.Args, command...)
	if o.tty && o.noTTY {
		return errors.New("--tty: not together with --no-tty")
	}
	if f.Changed("tty") || f.Changed("no-tty") {
		terminal := o.tty || f.Changed("no-tty") && !o.noTTY
		o.Terminal = &terminal
	}
	if f.Changed("read-only") {
		o.ReadOnly = &o.readOnly
	}
	if o.Dir, err = os.Getwd(); err != nil {
		return err
	}
	o.Bundle = o.bundle
	if !filepath.IsAbs(o.Bundle) {
		o.Bundle = filepath.Join(o.Dir, o.Bundle)
	}
	o.UID, o.GID = uint32(os.Geteuid()), uint32(os.Getegid())
	return nil
}

// writeNewFile writes a file that must not exist yet.
func writeNewFile(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %s", path, configs.PhraseSpecExists)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path)) // an incomplete file would block the next attempt
	}
	return nil
}
