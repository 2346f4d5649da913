// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/berth-run/berth/libcontainer/cgroups"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/create"
	"github.com/berth-run/berth/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Step is one step of a create, and what it would do.
type Step struct {
	// What is the step's name, as --debug and --trace show it.
	What    string   `json:"step"`
	Actions []string `json:"actions,omitempty"`
}

// draft is what a create would find out on the way.
type draft struct {
	cfg    *configs.Config
	cr     *create.Creation
	cgroup cgroups.Manager
	filter *seccomp.Program
}

// Steps returns the steps of a create. names are those of its list.
func Steps(cr *create.Creation, names []string) ([]Step, error) {
	d := &draft{cfg: cr.Cfg, cr: cr}
	var err error
	if d.cgroup, err = cgroups.New(&cr.Cfg.Cgroup, cr.ID); err != nil {
		return nil, err
	}
	if d.filter, err = seccomp.Compile(cr.Cfg.Seccomp); err != nil {
		return nil, err
	}
	steps := make([]Step, 0, len(names))
	for _, name := range names {
		steps = append(steps, Step{What: name, Actions: d.actions(name)})
	}
	return steps, nil
}

// Known reports whether there is something to say about a step of that name.
func Known(name string) bool { return action(name) != nil }

func (d *draft) actions(name string) []string {
	if do := action(name); do != nil {
		return do(d)
	}
	return nil
}

// action returns what describes the step of that name.
func action(name string) func(*draft) []string {
	switch name {
	case "check what this host can do":
		return (*draft).labels
	case "look whose the user namespace is":
		return (*draft).userNamespace
	case "open what the caller has named":
		return (*draft).files
	case "make the state directory":
		return func(d *draft) []string { return []string{"mkdir " + d.cr.Dir} }
	case "add the notify socket":
		return func(*draft) []string { return nil }
	case "plan the cgroup":
		return (*draft).paths
	case "make the resctrl group":
		return (*draft).resctrl
	case "make the cgroup and start init":
		return (*draft).start
	case "build the root file system and prepare the host":
		return (*draft).build
	case "set the scheduler and priorities":
		return (*draft).priorities
	case "give init its plan":
		return (*draft).plan
	case "hand over the console, the pidfd and the pid file":
		return (*draft).handOver
	}
	return nil
}

func (d *draft) labels() (all []string) {
	p := &d.cfg.Process
	if p.AppArmorProfile != "" {
		all = append(all, "AppArmor profile "+p.AppArmorProfile)
	}
	if p.SELinuxLabel != "" {
		all = append(all, "SELinux label "+p.SELinuxLabel)
	}
	if p.Landlock != nil {
		all = append(all, fmt.Sprintf("Landlock rules, ABI %d", p.Landlock.ABI))
	}
	return all
}

func (d *draft) userNamespace() []string {
	if ns, ok := d.cfg.Namespaces.Get(configs.NewUser); ok && ns.Path != "" {
		return []string{"compare " + ns.Path + " with the caller's"}
	}
	return nil
}

func (d *draft) files() (all []string) {
	if d.cfg.PIDFDReceiver != "" {
		all = append(all, "connect to "+d.cfg.PIDFDReceiver)
	}
	if d.filter != nil && d.filter.NewListener() {
		all = append(all, "connect to the seccomp agent at "+d.cfg.Seccomp.ListenerPath)
	}
	for _, f := range [...]string{d.cfg.HookStdout, d.cfg.HookStderr} {
		if f != "" {
			all = append(all, "open "+f)
		}
	}
	return all
}

func (d *draft) paths() (all []string) {
	if d.cfg.Cgroup.Disabled {
		return []string{"no cgroup: the processes stay in the caller's"}
	}
	if unit, _ := d.cgroup.Unit(); unit != "" {
		all = append(all, "systemd unit "+unit)
	}
	paths := d.cgroup.Paths()
	for _, key := range slices.Sorted(maps.Keys(paths)) {
		controller := key
		if key == "" {
			controller = "v2"
		}
		all = append(all, controller+": "+paths[key])
	}
	if sub := path.Join(d.cfg.Cgroup.Subgroup, d.cfg.Cgroup.Delegated); sub != "" {
		all = append(all, "with the processes in its "+sub)
	}
	return all
}

func (d *draft) resctrl() []string {
	r := d.cfg.IntelRdt
	if r == nil {
		return nil
	}
	all := []string{fmt.Sprintf("group %q, monitoring %t", r.ClosID, r.Monitoring)}
	for _, line := range r.Schemata {
		all = append(all, "schemata: "+line)
	}
	return all
}

func (d *draft) start() (all []string) {
	for _, ns := range d.cfg.Namespaces {
		if ns.Path == "" {
			all = append(all, "new namespace: "+ns.Type.String())
		} else {
			all = append(all, "join namespace: "+ns.Type.String()+" of "+ns.Path)
		}
	}
	for _, t := range configs.NamespaceTypes() {
		if !d.cfg.Namespaces.Contains(t) {
			all = append(all, "share the caller's namespace: "+t.String())
		}
	}
	for _, m := range [...]struct {
		name string
		rows []configs.IDMap
	}{{"uid", d.cfg.UIDMappings}, {"gid", d.cfg.GIDMappings}} {
		for _, r := range m.rows {
			all = append(all, fmt.Sprintf("%s map: %d to %d, %d ids", m.name, r.ContainerID, r.HostID, r.Size))
		}
	}
	for _, clock := range slices.Sorted(maps.Keys(d.cfg.TimeOffsets)) {
		o := d.cfg.TimeOffsets[clock]
		all = append(all, fmt.Sprintf("clock %s: %d s and %d ns ahead", clock, o.Secs, o.Nanosecs))
	}
	return all
}

func (d *draft) priorities() (all []string) {
	if s := d.cfg.Process.Scheduler; s != nil {
		all = append(all, fmt.Sprintf("scheduling policy %d, priority %d, nice %d", s.Policy, s.Priority, s.Nice))
	}
	if io := d.cfg.Process.IOPriority; io != nil {
		all = append(all, fmt.Sprintf("I/O priority class %d, level %d", io.Class, io.Level))
	}
	return all
}

func (d *draft) plan() []string {
	p := &d.cfg.Process
	all := []string{fmt.Sprintf("uid %d, gid %d, groups %v, umask %04o", p.UID, p.GID, p.AdditionalGIDs, p.Umask)}
	for _, set := range Sets(&p.Capabilities) {
		all = append(all, fmt.Sprintf("capabilities, %s: %s", set.Name, list(configs.NamesOf(set.Bits))))
	}
	for _, l := range p.Rlimits {
		all = append(all, fmt.Sprintf("%s: soft %s, hard %s", l.Name, rlimit(l.Soft), rlimit(l.Hard)))
	}
	all = append(all, fmt.Sprintf("no new privileges: %t", p.NoNewPrivileges))
	if f := d.filter; f != nil {
		text := fmt.Sprintf("seccomp filter of %d instructions, flags %#x", Instructions(f), f.Flags)
		if f.NewListener() {
			text += ", with a listener"
		}
		all = append(all, text)
	}
	if !d.cfg.NoNewKeyring {
		all = append(all, "new session keyring _ses."+d.cr.ID)
	}
	all = append(all, "working directory "+p.Cwd)
	all = append(all, hookLines("startContainer", d.cfg.Hooks.StartContainer, " (at the start)")...)
	return append(all, fmt.Sprintf("look up %q, and wait for the start", p.Args[0]))
}

// Instructions returns the length of a filter.
func Instructions(p *seccomp.Program) int {
	const size = 8 // struct sock_filter
	return len(p.BPF) / size
}

// Set is one of the five sets of capabilities.
type Set struct {
	Name string
	Bits uint64
}

// Sets returns the five sets.
func Sets(c *configs.Capabilities) []Set {
	return []Set{
		{"bounding", c.Bounding},
		{"effective", c.Effective},
		{"permitted", c.Permitted},
		{"inheritable", c.Inheritable},
		{"ambient", c.Ambient},
	}
}

func (d *draft) handOver() (all []string) {
	if d.cfg.Process.Terminal {
		all = append(all, "the master of the pty")
	}
	return append(all, hookLines("poststart", d.cfg.Hooks.Poststart, " (after the start)")...)
}

func hookLines(name string, hooks []specs.Hook, when string) (all []string) {
	for _, h := range hooks {
		all = append(all, "hook "+name+": "+h.Path+when)
	}
	return all
}

func list(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, " ")
}

func rlimit(v uint64) string {
	if v == ^uint64(0) {
		return "unlimited"
	}
	return fmt.Sprint(v)
}
