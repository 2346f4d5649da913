// SPDX-License-Identifier: Apache-2.0

package options

import (
	"fmt"
	"strings"

	"github.com/berth-run/berth/specconv"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"
)

// Process has the options that change a process.
type Process struct {
	tty            bool
	cwd            string
	env            []string
	user           string
	additionalGIDs []uint
	caps           []string
	noNewPrivs     bool
	processLabel   string
	apparmor       string
}

// Declare adds the options to f.
func (o *Process) Declare(f *pflag.FlagSet) {
	f.BoolVarP(&o.tty, "tty", "t", false, "give the program a terminal")
	f.StringVar(&o.cwd, "cwd", "", "run the program in directory `DIR` of the container")
	f.StringArrayVarP(&o.env, "env", "e", nil, "set `NAME=VALUE` in the environment (may be repeated)")
	f.StringVarP(&o.user, "user", "u", "", "run the program as `UID[:GID]`, numeric ids in the container")
	f.UintSliceVarP(&o.additionalGIDs, "additional-gids", "g", nil, "add `GID` to the supplementary groups (may be repeated)")
	f.Lookup("additional-gids").DefValue = "" // otherwise pflag prints "[]" as the default
	f.StringArrayVarP(&o.caps, "cap", "c", nil, "add `CAPABILITY` to the bounding, effective and permitted sets (may be repeated)")
	f.BoolVar(&o.noNewPrivs, "no-new-privs", false, "do not let the program gain privileges")
	f.StringVar(&o.processLabel, "process-label", "", "run the program with the SELinux label `LABEL`")
	f.StringVar(&o.apparmor, "apparmor", "", "run the program under the AppArmor profile `PROFILE`")
}

// Apply changes the process as the options say.
func (o *Process) Apply(p *specs.Process, changed func(option string) bool) error {
	if changed("tty") {
		p.Terminal = o.tty
	}
	if changed("no-new-privs") {
		p.NoNewPrivileges = o.noNewPrivs
	}
	if o.cwd != "" {
		if o.cwd[0] != '/' {
			return fmt.Errorf("--cwd: Cwd must be an absolute path: %q", o.cwd)
		}
		p.Cwd = o.cwd
	}
	if o.processLabel != "" {
		p.SelinuxLabel = o.processLabel
	}
	if o.apparmor != "" {
		p.ApparmorProfile = o.apparmor
	}
	if err := checkEnv(o.env); err != nil {
		return err
	}
	p.Env = append(p.Env, o.env...)
	if o.user != "" {
		uid, gid, hasGID, err := specconv.ParseUser(o.user)
		if err != nil {
			return fmt.Errorf("--user: %w", err)
		}
		p.User.UID = uid
		if hasGID {
			p.User.GID = gid
		}
	}
	for _, gid := range o.additionalGIDs {
		if uint64(gid) >= 1<<32-1 {
			return fmt.Errorf("--additional-gids: %d is not a group id", gid)
		}
		p.User.AdditionalGids = append(p.User.AdditionalGids, uint32(gid))
	}
	if len(o.caps) > 0 {
		if err := specconv.AddCapabilities(p, o.caps); err != nil {
			return fmt.Errorf("--cap: %w", err)
		}
	}
	return nil
}

// checkEnv checks the variables before they are appended to process.env. Otherwise the error
// would name an index of process.env, which the caller of exec has not seen.
func checkEnv(env []string) error {
	for _, v := range env {
		switch strings.IndexByte(v, '=') {
		case -1:
			return fmt.Errorf("--env: missing '=': %q", v)
		case 0:
			return fmt.Errorf("--env: the name must not be empty: %q", v)
		}
	}
	return nil
}
