// SPDX-License-Identifier: Apache-2.0

package configs

// The phrases below are runc's, word for word: people search for them, and scripts, test suites
// and engines match them. The errors that berth returns for the same mistakes contain them,
// after the name of the field and together with a better explanation. They are all here and
// nowhere else, so that nobody rewords one without seeing what it is for. Those that berth
// itself branches on are sentinel errors where they belong (package libcontainer).
const (
	// Of the document and the process.
	PhraseNoRoot           = "root must be specified"
	PhraseInvalidRootfs    = "invalid rootfs"
	PhraseEnvNoEquals      = "invalid environment variable: missing '='"
	PhraseEnvNoName        = "invalid environment variable: name cannot be empty"
	PhraseRlimit           = "wrong rlimit value"
	PhraseSetRlimit        = "error setting rlimits for ready process: error setting rlimit type %d"
	PhraseUnmappedUID      = "cannot setuid to unmapped uid %d in user namespace"
	PhraseUnmappedGID      = "cannot setgid to unmapped gid %d in user namespace"
	PhraseUnknownCaps      = "ignoring unknown or unavailable capabilities"
	PhraseAmbient          = "can't raise ambient capability"
	PhraseApplyCaps        = "can't apply capabilities"
	PhraseNoPolicy         = "scheduler policy is required"
	PhrasePolicy           = "invalid scheduler policy"
	PhraseNice             = "invalid scheduler.nice"
	PhrasePriority         = "scheduler.priority can only be specified for SchedFIFO or SchedRR policy"
	PhraseDeadline         = "scheduler runtime/deadline/period can only be specified for SchedDeadline policy"
	PhraseSchedulerFlag    = "invalid scheduler flag"
	PhraseSetScheduler     = "error setting scheduler"
	PhraseSchedulerAndCPUs = "process scheduler can't be used together with AllowedCPUs"
	PhraseIOClass          = "invalid ioPriority.Class"
	PhraseIOPriority       = "invalid ioPriority.Priority"
	PhraseAffinityInitial  = "bad CPUAffinity.Initial"
	PhraseAffinityFinal    = "bad CPUAffinity.Final"
	PhraseAppArmor         = "apparmor failed to apply profile"
	PhraseSELinux          = "selinux label is specified in config, but selinux is disabled or not supported"

	// Not runc's: what an ordinary user does about a config for root.
	HintRootless = " (use sudo, or a config.json as \"spec --rootless\" writes it)"

	// Of mounts.
	PhraseMount           = "error mounting %q to rootfs at %q"
	PhraseMountSource     = "failed to fulfil mount request: open %s"
	PhraseMountNUL        = "mount field contains null byte"
	PhraseRelativeMount   = "relative destination path is **deprecated**"
	PhraseBindData        = "bind mounts cannot have any filesystem-specific options applied"
	PhraseBothIDMaps      = "id-mapped mounts must have both uid and gid mappings specified"
	PhraseInsideProc      = "cannot be mounted because it is inside /proc"
	PhraseNotOfTypeProc   = "cannot be mounted because it is not of type proc"
	PhraseOrdinaryMount   = "filesystem %q must be mounted on ordinary directory"
	PhraseRootPropagation = "rootfsPropagation=%s is not supported"

	// Of namespaces and what belongs to them.
	PhraseNamespace       = "namespace {%q %q} does not exist"
	PhraseNamespaceTwice  = "malformed spec file: duplicated ns"
	PhraseNamespacePath   = "namespace path: lstat %s"
	PhraseNoRootMapping   = "user namespaces enabled, but no mapping found for uid 0"
	PhraseNoUIDMap        = "user namespaces enabled, but no uid mappings found"
	PhraseNoGIDMap        = "user namespaces enabled, but no gid mappings found"
	PhraseTimeNotEnabled  = "time namespace offsets specified, but time namespace isn't enabled in the config"
	PhraseTimeJoined      = "time namespace enabled, but both namespace path and time offsets specified -- you may only provide one"
	PhraseWriteSysctl     = "failed to write sysctl %s = %q"
	PhraseSysctlHost      = "is not in a separate kernel namespace"
	PhraseSysctlIPC       = "is not allowed in the hosts ipc namespace"
	PhraseSysctlNet       = "not allowed in host network namespace"
	PhraseDeviceType      = "invalid device type %q"
	PhraseDeviceRuleType  = "invalid cgroup device type %q"
	PhrasePersonality     = "invalid personality domain"
	PhrasePersonalityFlag = "ignoring unsupported personality flags"
	PhraseMemoryPolicy    = "invalid memory policy"
	PhraseClosID          = "invalid intelRdt.ClosID"
	PhraseNoRdt           = "Intel RDT/CAT is not enabled"
	PhraseNoRdtMemory     = "Intel RDT/MBA is not enabled"

	// Of cgroups.
	PhraseApplyCgroup       = "unable to apply cgroup configuration"
	PhraseNoHierarchy       = "cannot set %s limit: container could not join or create cgroup"
	PhraseNoUnified         = "invalid configuration: cannot use unified on cgroup v1"
	PhraseMinShares         = "the minimum allowed cpu-shares is %d"
	PhraseMaxShares         = "the maximum allowed cpu-shares is %d"
	PhraseDeviceAccess      = "device access at %d field cannot be empty"
	PhraseSetCgroup         = "error setting cgroup config for procHooks process"
	PhraseUnifiedName       = "unified resource %q must be a file name (no slashes)"
	PhraseUnifiedForm       = "unified resource %q must be in the form CONTROLLER.PARAMETER"
	PhraseUnifiedController = "unified resource %q can't be set: controller %q not available"
	PhraseSubCgroup         = "bad sub cgroup path"
	PhraseUnknownController = "unknown controller"

	// Of seccomp.
	PhraseSeccompAction    = "string %s is not a valid action for seccomp"
	PhraseSeccompArch      = "string %s is not a valid arch for seccomp"
	PhraseSeccompOperator  = "string %s is not a valid operator for seccomp"
	PhraseSeccompFlag      = "seccomp flag %s is not known"
	PhraseSeccompArguments = "syscalls only have up to 6 arguments (%d given)"
	PhraseSeccompNoPath    = "seccomp listenerPath is not set"
	PhraseSeccompAgent     = "failed to connect with seccomp agent specified in the seccomp profile"
	PhraseSeccompFlags     = "seccomp filter flags: %d"

	// Of the command line.
	PhraseEmptyID     = "container id cannot be empty"
	PhraseRootIsSlash = "Option --root argument should not be set to /"
	PhraseNotOpen     = "unable to stat preserved-fd %d (of %d)"
	PhraseSpecExists  = "File config.json exists. Remove it first"

	// Of the container's process and its hooks.
	PhraseStart       = "unable to start container process"
	PhraseInit        = "error during container init"
	PhraseHook        = "error running %s hook"
	PhraseHookTimeout = "hook ran past specified timeout of %.1fs"
)
