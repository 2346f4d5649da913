// SPDX-License-Identifier: Apache-2.0

package ocispec

import (
	"github.com/berth-run/berth/libcontainer/codec"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func processFields(c *codec.Coder, v *specs.Process) {
	codec.Boolean(c, "terminal", &v.Terminal)
	codec.Record(c, "consoleSize", &v.ConsoleSize, boxFields)
	codec.Object(c, "user", &v.User, userFields)
	codec.Texts(c, "args", &v.Args)
	codec.Text(c, "commandLine", &v.CommandLine)
	codec.Texts(c, "env", &v.Env)
	codec.Text(c, "cwd", &v.Cwd)
	codec.Record(c, "capabilities", &v.Capabilities, capabilitiesFields)
	codec.Records(c, "rlimits", &v.Rlimits, rlimitFields)
	codec.Boolean(c, "noNewPrivileges", &v.NoNewPrivileges)
	codec.Text(c, "apparmorProfile", &v.ApparmorProfile)
	codec.OptionalSigned(c, "oomScoreAdj", &v.OOMScoreAdj)
	codec.Record(c, "scheduler", &v.Scheduler, schedulerFields)
	codec.Text(c, "selinuxLabel", &v.SelinuxLabel)
	codec.Record(c, "ioPriority", &v.IOPriority, ioPriorityFields)
	codec.Record(c, "execCPUAffinity", &v.ExecCPUAffinity, cpuAffinityFields)
}

func boxFields(c *codec.Coder, v *specs.Box) {
	codec.Unsigned(c, "height", &v.Height)
	codec.Unsigned(c, "width", &v.Width)
}

func userFields(c *codec.Coder, v *specs.User) {
	codec.Unsigned(c, "uid", &v.UID)
	codec.Unsigned(c, "gid", &v.GID)
	codec.OptionalUnsigned(c, "umask", &v.Umask)
	codec.Numbers(c, "additionalGids", &v.AdditionalGids)
	codec.Text(c, "username", &v.Username)
}

func capabilitiesFields(c *codec.Coder, v *specs.LinuxCapabilities) {
	codec.Texts(c, "bounding", &v.Bounding)
	codec.Texts(c, "effective", &v.Effective)
	codec.Texts(c, "inheritable", &v.Inheritable)
	codec.Texts(c, "permitted", &v.Permitted)
	codec.Texts(c, "ambient", &v.Ambient)
}

func rlimitFields(c *codec.Coder, v *specs.POSIXRlimit) {
	codec.Text(c, "type", &v.Type)
	codec.Unsigned(c, "hard", &v.Hard)
	codec.Unsigned(c, "soft", &v.Soft)
}

func schedulerFields(c *codec.Coder, v *specs.Scheduler) {
	codec.Text(c, "policy", &v.Policy)
	codec.Signed(c, "nice", &v.Nice)
	codec.Signed(c, "priority", &v.Priority)
	codec.Texts(c, "flags", &v.Flags)
	codec.Unsigned(c, "runtime", &v.Runtime)
	codec.Unsigned(c, "deadline", &v.Deadline)
	codec.Unsigned(c, "period", &v.Period)
}

func ioPriorityFields(c *codec.Coder, v *specs.LinuxIOPriority) {
	codec.Text(c, "class", &v.Class)
	codec.Signed(c, "priority", &v.Priority)
}

func cpuAffinityFields(c *codec.Coder, v *specs.CPUAffinity) {
	codec.Text(c, "initial", &v.Initial)
	codec.Text(c, "final", &v.Final)
}
