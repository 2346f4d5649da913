// SPDX-License-Identifier: Apache-2.0

// Package template makes the config.json that `spec` writes, from options and images.
package template

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv"
	"github.com/berth-run/berth/specconv/internal/sample"
	"github.com/berth-run/berth/specconv/internal/word"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Template says how a config.json differs from Example. Its fields are the options of `spec`,
// as text. The zero value of a field means that the option was not given. Only Spec checks the
// text; its errors begin with the option's name.
type Template struct {
	// Bundle is the bundle's directory, and Dir the directory that relative paths are relative
	// to. Both are absolute.
	Bundle, Dir string

	Args, Env []string
	Terminal  *bool
	User      string
	// Capabilities are added: names with or without CAP_, or ALL.
	Capabilities []string

	// Rootfs is the root file system, Binds are SRC:DST[:OPTIONS].
	Rootfs   string
	ReadOnly *bool
	Binds    []string

	Memory, CPUs string
	// Networks are like specconv.Options.Networks, or a single "host" or "none".
	Networks []string

	// Image is the file of an image configuration, or DIR[:TAG] of an OCI image layout.
	Image string

	// Rootless makes a config for the user UID and GID of the host. SubIDs adds the user's
	// subordinate ids.
	Rootless, SubIDs bool
	UID, GID         uint32

	// Warn reports what was left out. It may be nil.
	Warn func(format string, args ...any)
}

// draft is a config.json that is being made.
type draft struct {
	*Template
	spec *specs.Spec
	// rootfs is the absolute path of the root file system.
	rootfs string
	// user is the user of the process, and userOption the option that it comes from.
	user, userOption string
	// volumes are the destinations of the mounts for the image's volumes.
	volumes []string
	files   accountFiles
}

// Spec returns the config.json. If two options contradict each other the more specific one
// counts, so all options override the image. It reads the files that the options name, and the
// user and group files of the root file system. It writes nothing.
func (t *Template) Spec() (*specs.Spec, error) {
	return t.spec(accountFiles{"/etc/passwd", "/etc/subuid", "/etc/subgid"})
}

func (t *Template) spec(files accountFiles) (*specs.Spec, error) {
	d := &draft{Template: t, spec: sample.Example(), files: files}
	for _, part := range [...]func(*draft) error{
		(*draft).root,
		(*draft).image,
		(*draft).process,
		(*draft).idMaps,
		// The ids of the user must be mapped.
		(*draft).identity,
		(*draft).binds,
		// The files for name resolution may be mounted already.
		(*draft).network,
		(*draft).limits,
		// Root and other users get different ones.
		(*draft).capabilities,
	} {
		if err := part(d); err != nil {
			return nil, err
		}
	}
	_, err := specconv.ConvertProcess(d.spec.Process, "process", &specconv.Options{})
	return d.spec, err
}

func (d *draft) warn(format string, args ...any) {
	if d.Warn != nil {
		d.Warn(format, args...)
	}
}

// root finds the root file system. Symbolic links in its path belong to the caller and are
// resolved: `create` refuses a root.path with links that lead out of the bundle.
func (d *draft) root() error {
	d.rootfs = filepath.Join(d.Bundle, d.spec.Root.Path)
	if d.ReadOnly != nil {
		d.spec.Root.Readonly = *d.ReadOnly
	}
	if d.Rootfs == "" {
		return nil
	}
	dir := d.absolute(d.Rootfs)
	resolved, err := filepath.EvalSymlinks(dir)
	switch {
	case err == nil:
		dir = resolved
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s: %w", d.Rootfs, unix.ENOTDIR)
		}
		if err != nil {
			return fmt.Errorf("--rootfs: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist): // it may be created later
		return fmt.Errorf("--rootfs: %s: %w", d.Rootfs, err)
	}
	d.rootfs = dir
	d.spec.Root.Path = d.inBundle(dir)
	return nil
}

// absolute returns a path of the command line relative to the caller's directory.
func (d *draft) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(d.Dir, path)
}

// inBundle makes an absolute path relative to the bundle, if it is below it: bundles are moved
// and copied.
func (d *draft) inBundle(path string) string {
	bundles := []string{d.Bundle}
	if resolved, err := filepath.EvalSymlinks(d.Bundle); err == nil {
		bundles = append(bundles, resolved)
	}
	for _, bundle := range bundles {
		if rel, err := filepath.Rel(bundle, path); err == nil && filepath.IsLocal(rel) && rel != "." {
			return rel
		}
	}
	return path
}

// process sets the command line, the environment and the working directory.
func (d *draft) process() error {
	p := d.spec.Process
	if len(d.Args) > 0 {
		p.Args = d.Args
	}
	switch {
	case len(p.Args) == 0:
		return errors.New("--from-image: the image names no program: add --args")
	case p.Args[0] == "":
		return fmt.Errorf("--args: the program has no name: %q", p.Args)
	}
	if d.Terminal != nil {
		p.Terminal = *d.Terminal
	}
	for _, entry := range d.Env {
		var err error
		if p.Env, err = setEnv(p.Env, entry); err != nil {
			return fmt.Errorf("--env: %w", err)
		}
	}
	return nil
}

// setEnv sets NAME=VALUE. It replaces the entry of the same name, if there is one.
func setEnv(env []string, entry string) ([]string, error) {
	name, _, ok := strings.Cut(entry, "=")
	switch {
	case !ok:
		return nil, fmt.Errorf("missing '=': %q", entry)
	case name == "":
		return nil, fmt.Errorf("the name must not be empty: %q", entry)
	}
	if i := slices.IndexFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") }); i >= 0 {
		env[i] = entry
		return env, nil
	}
	return append(env, entry), nil
}

// capabilities adds capabilities. A program of a user other than root loses those that are not
// ambient when it is executed (capabilities(7)), and ambient ones must also be inheritable. The
// option should have an effect for such a user too.
func (d *draft) capabilities() error {
	var names []string
	for _, name := range d.Capabilities {
		if strings.EqualFold(name, "ALL") {
			names = append(names, d.allCapabilities()...)
			continue
		}
		name, err := word.CapabilityName(name)
		if err != nil {
			return fmt.Errorf("--cap-add: %w", err)
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil
	}
	p := d.spec.Process
	if err := specconv.AddCapabilities(p, names); err != nil {
		return fmt.Errorf("--cap-add: %w", err)
	}
	if p.User.UID != 0 {
		slices.Sort(names)
		p.Capabilities.Inheritable = slices.Compact(names)
		p.Capabilities.Ambient = p.Capabilities.Inheritable
	}
	return nil
}

// allCapabilities returns the capabilities that the caller could pass on: the machine may
// itself be a container that lacks some. In a new user namespace there are all.
func (d *draft) allCapabilities() []string {
	names := specconv.KnownCapabilities()
	if d.Rootless {
		return names
	}
	return slices.DeleteFunc(names, func(name string) bool {
		n := slices.Index(configs.CapabilityNames[:], name)
		bounded, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0)
		return err == nil && bounded == 0
	})
}

// Example returns the config that `spec` writes without options.
func Example() *specs.Spec { return sample.Example() }
