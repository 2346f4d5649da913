// SPDX-License-Identifier: Apache-2.0

// Package wire has the messages between the runtime and init: the Go twin of init/wire.h, which
// documents them. A test compares the two.
package wire

import "unsafe"

// The constants of wire.h, without WIRE_.
const (
	Magic   = 0x62727468
	Version = 1

	MaxTasks        = 64
	MaxJoins        = 16
	MaxProcContexts = 64
	MaxOffsets      = 256
	MaxDetail       = 4000

	AwaitMaps     = 1
	ResetAffinity = 2
	Own           = 4
	Fork          = 8
	Helper        = 16
	Opener        = 32
	BootstrapAll  = 63

	HasConsole    = 1
	HasRoot       = 2
	HasFifo       = 4
	HasHookState  = 8
	HasProgram    = 16
	HasHookStdout = 32
	HasHookStderr = 64
	HasReports    = 128
	HasRuleset    = 256
	HasAll        = 511

	NoNewPrivs      = 1
	NewSession      = 2
	SetGroups       = 4
	KeepCredentials = 8
	Keyring         = 16
	Personality     = 32
	MemoryPolicy    = 64
	AtOnce          = 128
	AwaitGo         = 256
	ListenPid       = 512
	OwnStdin        = 1024
	OwnStdout       = 2048
	OwnStderr       = 4096
	PlanAll         = 8191

	Namespaces = 1
	Ready      = 2
	Exec       = 3
	Failed     = 4
	Listener   = 5
	Forked     = 6
	Helping    = 7
	Fact       = 8

	FactPath  = 1
	FactLink  = 2
	FactNames = 3
	FactHead  = 4
	FactNext  = 5
	FactsEnd  = 6

	Head       = 256
	PathNoexec = 1

	Go = 71
)

// Bootstrap is the first message to init.
type Bootstrap struct {
	Magic, Version uint32
	Flags          uint32
	UID, GID       uint32
	Unshare        uint32
	NamespaceFiles uint32
	Tasks, Joins   uint32
	ChildTasks     uint32
	ProcContexts   uint32
	OffsetsSize    uint32
	JoinTypes      [MaxJoins]uint32
	Offsets        [MaxOffsets]byte
}

// PlanMessage is the second message to init. Its first descriptor is a file with a Plan.
type PlanMessage struct {
	Magic, Version uint32
	Files          uint32
	Size           uint32
}

// Span is a piece of the plan: Count elements that fill Size bytes at Offset.
type Span struct {
	Offset, Size, Count uint32
}

// Plan is the beginning of the file; the pieces follow.
type Plan struct {
	Magic, Version                                       uint32
	Size                                                 uint32
	Flags                                                uint32
	Bounding, Effective, Permitted, Inheritable, Ambient uint64
	UID, GID, Umask                                      uint32
	SeccompFlags                                         uint32
	Cwd, Keyring                                         Span
	Path                                                 Span
	Args, Env                                            Span
	Groups                                               Span
	Seccomp                                              Span
	Hooks                                                Span
	Rlimits                                              Span
	Personality                                          uint32
	MemoryPolicy                                         uint32
	MemoryNodes                                          Span
	Apparmor, Selinux                                    Span
	Password                                             uint64
}

// Rlimit is an element of Plan.Rlimits.
type Rlimit struct {
	Resource, Soft, Hard uint64
}

// Hook is an element of Plan.Hooks.
type Hook struct {
	Timeout         uint32
	Path, Args, Env Span
}

// Path is the beginning of a fact about a path.
type Path struct {
	Mode, UID, GID uint32
	Flags          uint32
	Dev, Ino       uint64
}

// Report is the beginning of a message from init.
type Report struct {
	Magic, Kind uint32
	Step        uint32
	Error       int32
	Index       uint32
	DetailSize  uint32
}

// Struct is one of the structures above, which have no pointers and no padding.
type Struct interface {
	Bootstrap | PlanMessage | Plan | Rlimit | Hook | Path | Report
}

// Bytes returns the memory of v: the message format is that of the machine.
func Bytes[T Struct](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}
