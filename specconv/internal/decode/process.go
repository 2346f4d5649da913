// SPDX-License-Identifier: Apache-2.0

package decode

import "github.com/opencontainers/runtime-spec/specs-go"

var processFields = []field[specs.Process]{
	{"terminal", func(d *decoder, v *specs.Process) error { return boolean(d, &v.Terminal) }},
	{"consoleSize", func(d *decoder, v *specs.Process) error { return record(d, &v.ConsoleSize, boxFields) }},
	{"user", func(d *decoder, v *specs.Process) error { return object(d, &v.User, userFields) }},
	{"args", func(d *decoder, v *specs.Process) error { return texts(d, &v.Args) }},
	{"commandLine", func(d *decoder, v *specs.Process) error { return text(d, &v.CommandLine) }},
	{"env", func(d *decoder, v *specs.Process) error { return texts(d, &v.Env) }},
	{"cwd", func(d *decoder, v *specs.Process) error { return text(d, &v.Cwd) }},
	{"capabilities", func(d *decoder, v *specs.Process) error { return record(d, &v.Capabilities, capabilitiesFields) }},
	{"rlimits", func(d *decoder, v *specs.Process) error { return records(d, &v.Rlimits, rlimitFields) }},
	{"noNewPrivileges", func(d *decoder, v *specs.Process) error { return boolean(d, &v.NoNewPrivileges) }},
	{"apparmorProfile", func(d *decoder, v *specs.Process) error { return text(d, &v.ApparmorProfile) }},
	{"oomScoreAdj", func(d *decoder, v *specs.Process) error { return optional(d, &v.OOMScoreAdj, signed[int]) }},
	{"scheduler", func(d *decoder, v *specs.Process) error { return record(d, &v.Scheduler, schedulerFields) }},
	{"selinuxLabel", func(d *decoder, v *specs.Process) error { return text(d, &v.SelinuxLabel) }},
	{"ioPriority", func(d *decoder, v *specs.Process) error { return record(d, &v.IOPriority, ioPriorityFields) }},
	{"execCPUAffinity", func(d *decoder, v *specs.Process) error { return record(d, &v.ExecCPUAffinity, cpuAffinityFields) }},
}

var boxFields = []field[specs.Box]{
	{"height", func(d *decoder, v *specs.Box) error { return unsigned(d, &v.Height) }},
	{"width", func(d *decoder, v *specs.Box) error { return unsigned(d, &v.Width) }},
}

var userFields = []field[specs.User]{
	{"uid", func(d *decoder, v *specs.User) error { return unsigned(d, &v.UID) }},
	{"gid", func(d *decoder, v *specs.User) error { return unsigned(d, &v.GID) }},
	{"umask", func(d *decoder, v *specs.User) error { return optional(d, &v.Umask, unsigned[uint32]) }},
	{"additionalGids", func(d *decoder, v *specs.User) error { return array(d, &v.AdditionalGids, unsigned[uint32]) }},
	{"username", func(d *decoder, v *specs.User) error { return text(d, &v.Username) }},
}

var capabilitiesFields = []field[specs.LinuxCapabilities]{
	{"bounding", func(d *decoder, v *specs.LinuxCapabilities) error { return texts(d, &v.Bounding) }},
	{"effective", func(d *decoder, v *specs.LinuxCapabilities) error { return texts(d, &v.Effective) }},
	{"inheritable", func(d *decoder, v *specs.LinuxCapabilities) error { return texts(d, &v.Inheritable) }},
	{"permitted", func(d *decoder, v *specs.LinuxCapabilities) error { return texts(d, &v.Permitted) }},
	{"ambient", func(d *decoder, v *specs.LinuxCapabilities) error { return texts(d, &v.Ambient) }},
}

var rlimitFields = []field[specs.POSIXRlimit]{
	{"type", func(d *decoder, v *specs.POSIXRlimit) error { return text(d, &v.Type) }},
	{"hard", func(d *decoder, v *specs.POSIXRlimit) error { return unsigned(d, &v.Hard) }},
	{"soft", func(d *decoder, v *specs.POSIXRlimit) error { return unsigned(d, &v.Soft) }},
}

var schedulerFields = []field[specs.Scheduler]{
	{"policy", func(d *decoder, v *specs.Scheduler) error { return text(d, &v.Policy) }},
	{"nice", func(d *decoder, v *specs.Scheduler) error { return signed(d, &v.Nice) }},
	{"priority", func(d *decoder, v *specs.Scheduler) error { return signed(d, &v.Priority) }},
	{"flags", func(d *decoder, v *specs.Scheduler) error { return texts(d, &v.Flags) }},
	{"runtime", func(d *decoder, v *specs.Scheduler) error { return unsigned(d, &v.Runtime) }},
	{"deadline", func(d *decoder, v *specs.Scheduler) error { return unsigned(d, &v.Deadline) }},
	{"period", func(d *decoder, v *specs.Scheduler) error { return unsigned(d, &v.Period) }},
}

var ioPriorityFields = []field[specs.LinuxIOPriority]{
	{"class", func(d *decoder, v *specs.LinuxIOPriority) error { return text(d, &v.Class) }},
	{"priority", func(d *decoder, v *specs.LinuxIOPriority) error { return signed(d, &v.Priority) }},
}

var cpuAffinityFields = []field[specs.CPUAffinity]{
	{"initial", func(d *decoder, v *specs.CPUAffinity) error { return text(d, &v.Initial) }},
	{"final", func(d *decoder, v *specs.CPUAffinity) error { return text(d, &v.Final) }},
}
