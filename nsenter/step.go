// SPDX-License-Identifier: Apache-2.0

package nsenter

// The steps that this package checks for.
const (
	stepCgroup     = 4
	stepJoin       = 5
	stepBounding   = 18
	stepAmbient    = 24
	stepVerifyCwd  = 26
	stepLookUp     = 27
	stepStat       = 28
	stepExecutable = 29
	stepExec       = 32
	stepRlimit     = 33
)

// The steps that callers check for: [StepError].Step is one of these if the plan's field of
// that name could not be applied.
const (
	StepCgroup       = "join cgroup"
	StepSeccomp      = "load seccomp filter"
	StepHook         = "error running startContainer hook"
	StepVerifyCwd    = "verify cwd"
	StepJoin         = "setns"
	StepUnshare      = "unshare"
	StepSetgroups    = "setgroups"
	StepSetgid       = "setgid"
	StepSetuid       = "setuid"
	StepPersonality  = "personality"
	StepMemoryPolicy = "set_mempolicy"
	StepAppArmor     = "set AppArmor profile"
	StepSELinux      = "set SELinux label"
	StepBounding     = "drop bounding capability"
	StepCapset       = "capset"
	StepRlimit       = "set resource limit"
	StepFork         = "fork"
	StepChdir        = "chdir"
)

// NamespaceLimit is what ENOSPC means for a new namespace (namespaces(7)).
const NamespaceLimit = "a limit of /proc/sys/user/max_*_namespaces is reached"

// steps has the names of WIRE_STEPS by number.
var steps = [...]string{
	1:              "read the bootstrap message",
	2:              "close_range",
	3:              "open",
	stepCgroup:     StepCgroup,
	stepJoin:       StepJoin,
	6:              StepUnshare,
	7:              "write",
	8:              "fsopen",
	9:              "open namespace",
	10:             "read the plan",
	11:             "join session keyring",
	12:             "setsid",
	13:             "set controlling terminal",
	14:             "fchown stdio",
	15:             "chroot",
	16:             "set no_new_privs",
	17:             StepSeccomp,
	stepBounding:   StepBounding,
	19:             "set keep_caps",
	20:             StepSetgroups,
	21:             StepSetgid,
	22:             StepSetuid,
	23:             StepCapset,
	stepAmbient:    "raise ambient capability",
	25:             StepChdir,
	stepVerifyCwd:  StepVerifyCwd,
	stepLookUp:     "look up",
	stepStat:       "stat",
	stepExecutable: "check executable",
	31:             StepHook,
	stepExec:       "exec",
	stepRlimit:     StepRlimit,
	34:             "sched_setaffinity",
	35:             StepPersonality,
	36:             StepMemoryPolicy,
	37:             StepAppArmor,
	38:             StepSELinux,
	39:             "find a number for the seccomp listener",
	40:             StepFork,
	41:             "become the owner in the user namespace",
	42:             "start a helper for the seccomp listener",
	43:             "landlock_restrict_self",
	44:             "make an empty root",
}
