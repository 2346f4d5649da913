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

// specOptions are the options of spec, as far as the template does not have them.
type specOptions struct {
	template.Template
	bundle               string
	tty, noTTY, readOnly bool
}

func (a *app) specCommand() *command.Command {
	o := specOptions{Template: template.Template{Warn: a.log.Warnf}}
	c := &command.Command{
		Use:   "spec [flags] [-- COMMAND [ARG...]]",
		Short: "write a config.json to start from",
		Long: `Writes config.json into the bundle directory; one that is there already is left
alone and an error. Without options it is a shell on a terminal, in a read-only root
file system with few rights.

The program is what stands behind --, or in --args, once for each word. --from-image
takes program, environment, user, working directory, labels and volumes from an image,
which is a file with its configuration or an OCI image layout, and lets the program
write to the root file system. Each other option counts for more than the image; a
program takes the place of both its entrypoint and its command.

Relative paths are those of the current directory. A path in the bundle is written
relative to it, so that the bundle can be moved.`,
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
	f.StringVarP(&o.bundle, "bundle", "b", ".", "write it into `DIR`")
	f.BoolVar(&o.Rootless, "rootless", false, "write one that an ordinary user can run")
	f.BoolVar(&o.SubIDs, "subids", false, "with --rootless: map the ids of subuid(5) and subgid(5), too")
	f.StringArrayVar(&o.Args, "args", nil, "run `WORD`, or give it to the program (repeated, once for each word)")
	f.StringArrayVarP(&o.Env, "env", "e", nil, "set `NAME=VALUE` in the environment (may be repeated)")
	f.BoolVarP(&o.tty, "tty", "t", false, "give the program a terminal, which is the default")
	f.BoolVar(&o.noTTY, "no-tty", false, "give the program no terminal")
	f.StringVarP(&o.User, "user", "u", "", "run the program as `USER[:GROUP]`, numbers or names of the root file system's")
	f.StringArrayVar(&o.Capabilities, "cap-add", nil, "give the program `CAPABILITY`, or ALL (may be repeated)")
	f.StringVar(&o.Rootfs, "rootfs", "", "take the root file system from the directory `PATH` (default the bundle's rootfs)")
	f.BoolVar(&o.readOnly, "read-only", false, "let nobody write to the root file system, which is the default without --from-image")
	f.StringArrayVar(&o.Binds, "bind", nil, "show a file or directory of the host in the container: `SRC:DST[:OPTIONS]`, where OPTIONS are of a mount, like ro,nosuid (may be repeated)")
	f.StringVar(&o.Memory, "memory", "", "limit memory to `SIZE`, in bytes or like 512M or 1G")
	f.StringVar(&o.CPUs, "cpus", "", "limit CPU time to that of `NUMBER` CPUs, like 2 or 0.5")
	f.StringArrayVar(&o.Networks, "network", nil, "connect the container as --network of run does, by the same `SPEC` (may be repeated); or host for the host's network, none for a loopback alone")
	f.StringVar(&o.Image, "from-image", "", "take over what `IMAGE` says: the file of its configuration, or DIR[:TAG] of an OCI image layout")
}

// complete fills in what the template has not got from the options by itself.
func (o *specOptions) complete(command []string, f *pflag.FlagSet) (err error) {
	// An empty text would be no option at all: the variable of a script that is not set. As
	// a bundle runc takes it for the current directory.
	f.Visit(func(given *pflag.Flag) {
		if given.Name != "bundle" && given.Value.Type() == "string" && given.Value.String() == "" {
			err = errors.Join(err, fmt.Errorf("--%s: must not be empty", given.Name))
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

// writeNewFile writes a file that must not be there yet.
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
		return errors.Join(err, os.Remove(path)) // half of one would be in the way
	}
	return nil
}
