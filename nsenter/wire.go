// SPDX-License-Identifier: Apache-2.0

package nsenter

import "unsafe"

// The Go twin of init/wire.h, which documents it. A test compares the two.

const (
	wireMagic   = 0x62727468
	wireVersion = 1

	wireMaxTasks        = 64
	wireMaxJoins        = 16
	wireMaxProcContexts = 64
	wireMaxOffsets      = 256
	wireMaxDetail       = 4000

	wireAwaitMaps     = 1
	wireResetAffinity = 2
	wireOwn           = 4
	wireFork          = 8
	wireHelper        = 16
	wireOpener        = 32
	wireBootstrapAll  = 63

	wireHasConsole    = 1
	wireHasRoot       = 2
	wireHasFifo       = 4
	wireHasHookState  = 8
	wireHasProgram    = 16
	wireHasHookStdout = 32
	wireHasHookStderr = 64
	wireHasReports    = 128
	wireHasRuleset    = 256
	wireHasAll        = 511

	wireNoNewPrivs      = 1
	wireNewSession      = 2
	wireSetGroups       = 4
	wireKeepCredentials = 8
	wireKeyring         = 16
	wirePersonality     = 32
	wireMemoryPolicy    = 64
	wireAtOnce          = 128
	wireAwaitGo         = 256
	wireListenPid       = 512
	wireOwnStdin        = 1024
	wireOwnStdout       = 2048
	wireOwnStderr       = 4096
	wirePlanAll         = 8191

	wireNamespaces = 1
	wireReady      = 2
	wireExec       = 3
	wireFailed     = 4
	wireListener   = 5
	wireForked     = 6
	wireHelping    = 7

	wireGo = 71
)

type wireBootstrap struct {
	Magic, Version uint32
	Flags          uint32
	UID, GID       uint32
	Unshare        uint32
	NamespaceFiles uint32
	Tasks, Joins   uint32
	ChildTasks     uint32
	ProcContexts   uint32
	OffsetsSize    uint32
	JoinTypes      [wireMaxJoins]uint32
	Offsets        [wireMaxOffsets]byte
}

type wirePlanMessage struct {
	Magic, Version uint32
	Files          uint32
	Size           uint32
}

type wireSpan struct {
	Offset, Size, Count uint32
}

type wirePlan struct {
	Magic, Version                                       uint32
	Size                                                 uint32
	Flags                                                uint32
	Bounding, Effective, Permitted, Inheritable, Ambient uint64
	UID, GID, Umask                                      uint32
	SeccompFlags                                         uint32
	Cwd, Keyring                                         wireSpan
	Path                                                 wireSpan
	Args, Env                                            wireSpan
	Groups                                               wireSpan
	Seccomp                                              wireSpan
	Hooks                                                wireSpan
	Rlimits                                              wireSpan
	Personality                                          uint32
	MemoryPolicy                                         uint32
	MemoryNodes                                          wireSpan
	Apparmor, Selinux                                    wireSpan
	Password                                             uint64
}

type wireRlimit struct {
	Resource, Soft, Hard uint64
}

type wireHook struct {
	Timeout         uint32
	Path, Args, Env wireSpan
}

type wireReport struct {
	Magic, Kind uint32
	Step        uint32
	Error       int32
	Index       uint32
	DetailSize  uint32
}

// wireStruct is one of the structures above, which have no pointers and no padding.
type wireStruct interface {
	wireBootstrap | wirePlanMessage | wirePlan | wireRlimit | wireHook | wireReport
}

// bytesOf returns the memory of v: the message format is that of the machine.
func bytesOf[T wireStruct](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

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
	stepRlimit     = 33
	stepFork       = 40
	stepOwner      = 41
)

// The steps that callers check for: [StepError].Step is one of these if the plan's field of
// that name could not be applied.
const (
	StepJoin         = "setns"
	StepSetgroups    = "setgroups"
	StepSetgid       = "setgid"
	StepSetuid       = "setuid"
	StepAffinity     = "sched_setaffinity"
	StepPersonality  = "personality"
	StepMemoryPolicy = "set_mempolicy"
	StepAppArmor     = "set AppArmor profile"
	StepSELinux      = "set SELinux label"
	StepBounding     = "drop bounding capability"
	StepCapset       = "capset"
	StepFork         = "fork"
	StepChdir        = "chdir"
)

// steps has the names of WIRE_STEPS by number.
var steps = [...]string{
	1:              "read the bootstrap message",
	2:              "close_range",
	3:              "open",
	stepCgroup:     "join cgroup",
	stepJoin:       StepJoin,
	6:              "unshare",
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
	17:             "load seccomp filter",
	stepBounding:   StepBounding,
	19:             "set keep_caps",
	20:             StepSetgroups,
	21:             StepSetgid,
	22:             StepSetuid,
	23:             StepCapset,
	stepAmbient:    "raise ambient capability",
	25:             StepChdir,
	stepVerifyCwd:  "verify cwd",
	stepLookUp:     "look up",
	stepStat:       "stat",
	stepExecutable: "check executable",
	31:             "error running startContainer hook",
	32:             "exec",
	stepRlimit:     "set resource limit",
	34:             StepAffinity,
	35:             StepPersonality,
	36:             StepMemoryPolicy,
	37:             StepAppArmor,
	38:             StepSELinux,
	39:             "find a number for the seccomp listener",
	stepFork:       StepFork,
	stepOwner:      "become the owner in the user namespace",
	42:             "start a helper for the seccomp listener",
	43:             "landlock_restrict_self",
	44:             "make an empty root",
}
