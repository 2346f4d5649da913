// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"math"
	"path"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/specconv/internal/fault"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// defaultUmask is what runc and crun set if the config has no umask. The runtime-spec would
// keep the caller's, but engines rely on 0022.
const defaultUmask = 0o022

// process checks the container's init process.
func (c *conversion) process() error {
	var errs fault.List
	p, err := convertProcess(c.spec.Process, "process", c.opts)
	errs.Add(err)
	if p == nil {
		return errs.Err()
	}
	c.plan.Process = *p
	errs.Add(c.mappedIDs(p))
	return errs.Err()
}

// mappedIDs checks that the ids of the process exist in a new user namespace.
func (c *conversion) mappedIDs(p *configs.Process) error {
	if !c.plan.Namespaces.IsNew(configs.NewUser) || c.unmapped {
		return nil
	}
	var errs fault.List
	switch {
	case mapped(c.plan.UIDMappings, p.UID):
	case p.UID == 0:
		errs.Add(fault.New("process.user.uid", configs.PhraseUnmappedUID+" (%s)", p.UID, configs.PhraseNoRootMapping))
	default:
		errs.Add(fault.New("process.user.uid", configs.PhraseUnmappedUID, p.UID))
	}
	if !mapped(c.plan.GIDMappings, p.GID) {
		errs.Add(fault.New("process.user.gid", configs.PhraseUnmappedGID, p.GID))
	}
	for i, gid := range p.AdditionalGIDs {
		if !mapped(c.plan.GIDMappings, gid) {
			errs.Add(fault.New(fault.Element("process.user.additionalGids", i), configs.PhraseUnmappedGID, gid))
		}
	}
	return errs.Err()
}

// ConvertProcess checks and converts one process. field is its name in errors ("process").
func ConvertProcess(p *specs.Process, field string, o *Options) (*configs.Process, error) {
	plan, err := convertProcess(p, field, o)
	if err != nil {
		return nil, err
	}
	return plan, nil
}

// convertProcess is ConvertProcess, but also returns what could be converted if there are errors.
func convertProcess(p *specs.Process, field string, o *Options) (*configs.Process, error) {
	plan := new(configs.Process)
	if p == nil {
		return nil, fault.New(field, "process property must not be empty")
	}
	var errs fault.List
	for _, part := range [...]func(*specs.Process, *configs.Process, *Options) error{
		commandLine, identity, capabilities, rlimits, priority, scheduler, ioPriority, cpuAffinity,
	} {
		errs.Add(fault.In(part(p, plan, o), field))
	}
	return plan, errs.Err()
}

// commandLine converts the command line and the terminal.
func commandLine(p *specs.Process, plan *configs.Process, _ *Options) error {
	var errs fault.List
	if len(p.Args) == 0 {
		errs.Add(fault.New("args", "args must not be empty"))
	}
	switch {
	case p.Cwd == "":
		errs.Add(fault.New("cwd", "Cwd property must not be empty"))
	case !path.IsAbs(p.Cwd):
		errs.Add(fault.New("cwd", "Cwd must be an absolute path: %q", p.Cwd))
	}
	errs.Add(fault.NoNULs("args", p.Args))
	errs.Add(fault.NoNUL("cwd", p.Cwd))
	env, err := environment(p.Env)
	errs.Add(err)
	plan.Args, plan.Env, plan.Cwd = p.Args, env, path.Clean(p.Cwd)
	plan.Terminal = p.Terminal
	if size := p.ConsoleSize; p.Terminal && size != nil && (size.Width != 0 || size.Height != 0) {
		if size.Width > math.MaxUint16 || size.Height > math.MaxUint16 {
			errs.Add(fault.New("consoleSize", "more than a terminal can have: %dx%d", size.Width, size.Height))
		}
		plan.ConsoleSize = size
	}
	return errs.Err()
}

// environment checks each entry. Of entries with the same name it keeps the last, as runc does,
// because programs differ in which one they use.
func environment(env []string) ([]string, error) {
	if len(env) == 0 {
		return nil, nil
	}
	var errs fault.List
	errs.Add(fault.NoNULs("env", env))
	seen := make(map[string]struct{}, len(env))
	kept := make([]string, len(env))
	next := len(kept)
	for i := len(env) - 1; i >= 0; i-- {
		name, _, ok := strings.Cut(env[i], "=")
		switch {
		case !ok:
			errs.Add(fault.New(fault.Element("env", i), configs.PhraseEnvNoEquals+": %q", env[i]))
		case name == "":
			errs.Add(fault.New(fault.Element("env", i), configs.PhraseEnvNoName+": %q", env[i]))
		}
		if _, dup := seen[name]; !dup {
			seen[name] = struct{}{}
			next--
			kept[next] = env[i]
		}
	}
	return kept[next:], errs.Err()
}

// identity converts the user and groups.
func identity(p *specs.Process, plan *configs.Process, _ *Options) error {
	var errs fault.List
	// To setresuid(2) and similar calls, 4294967295 means "do not change": the process would
	// stay root.
	if p.User.UID == math.MaxUint32 {
		errs.Add(fault.New("user.uid", "not a user id: %d", p.User.UID))
	}
	if p.User.GID == math.MaxUint32 {
		errs.Add(fault.New("user.gid", "not a group id: %d", p.User.GID))
	}
	if i := slices.Index(p.User.AdditionalGids, math.MaxUint32); i >= 0 {
		errs.Add(fault.New(fault.Element("user.additionalGids", i), "not a group id: %d", uint32(math.MaxUint32)))
	}
	plan.UID, plan.GID, plan.AdditionalGIDs = p.User.UID, p.User.GID, p.User.AdditionalGids
	plan.Umask = defaultUmask
	if p.User.Umask != nil {
		if plan.Umask = *p.User.Umask; plan.Umask > 0o777 {
			errs.Add(fault.New("user.umask", "more than permission bits: %#o", plan.Umask))
		}
	}
	plan.NoNewPrivileges = p.NoNewPrivileges
	plan.AppArmorProfile, plan.SELinuxLabel = p.ApparmorProfile, p.SelinuxLabel
	errs.Add(fault.NoNUL("apparmorProfile", p.ApparmorProfile))
	errs.Add(fault.NoNUL("selinuxLabel", p.SelinuxLabel))
	return errs.Err()
}

// priority converts the score for the OOM killer (proc_pid_oom_score_adj(5)).
func priority(p *specs.Process, plan *configs.Process, _ *Options) error {
	if p.OOMScoreAdj != nil && (*p.OOMScoreAdj < -1000 || *p.OOMScoreAdj > 1000) {
		return fault.New("oomScoreAdj", "must be between -1000 and 1000: %d", *p.OOMScoreAdj)
	}
	plan.OOMScoreAdj = p.OOMScoreAdj
	return nil
}
