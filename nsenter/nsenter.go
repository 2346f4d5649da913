// SPDX-License-Identifier: Apache-2.0

// Package nsenter starts berth's init: the small static C program that is the
// only code of berth's own that ever runs as a process inside a container.
//
// The runtime starts it from a sealed memfd in all new namespaces at once ([Start]), waits for
// the file descriptors that only a process inside can make ([Init.Namespaces]), builds the
// container, sends it its plan ([Init.Configure]), and leaves it waiting for `start`, or tells
// it to execute the program ([Init.Proceed]). init/wire.h shows the protocol.
//
// The package starts init and exchanges messages with it. It makes no decisions about
// containers. Whatever fails, it never leaves behind a process, a zombie or a descriptor that
// it has created.
//
// The C part is in init/, its build in build.mk. Without a built init the package still
// compiles, and [Start] reports what is missing.
package nsenter

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"github.com/berth-run/berth/libcontainer/trace"
)

// Join is one existing namespace for init to join with setns(2).
type Join struct {
	// Type is the CLONE_NEW* flag of the namespace.
	Type uint32
	// FD is an nsfs file, or a pidfd (then Type may be an OR of several).
	FD *os.File
}

// Options describes how init is started and what it does before it has its plan. The caller
// owns all files and may close them as soon as Start has returned.
type Options struct {
	// Stdio become init's fds 0, 1 and 2. A nil one is /dev/null.
	Stdio [3]*os.File
	// ExtraFiles become fds 3, 4, … of init and of the process it execs. The
	// number of a nil one stays closed, or may be taken by init meanwhile, but
	// is closed again at the exec.
	ExtraFiles []*os.File
	// NewNamespaces is the OR of the CLONE_NEW* flags of the new namespaces. The user and the pid
	// namespace are created by the clone. Init unshares the others when it has moved into its
	// cgroups, because a cgroup namespace takes its root from these, the offsets of a time
	// namespace must be written before a process is in it, and the mqueue file system of an ipc
	// namespace belongs to its creator. And unsharing them takes some time, mostly the network
	// namespace, in which the caller can go on, but for which a clone would make it wait. If Joins
	// has a user namespace, init also unshares the pid namespace, which that one must own.
	NewNamespaces uintptr
	// NetAtOnce makes the clone create the network namespace, for a caller that uses it before
	// init has reported its namespaces.
	NetAtOnce bool
	// ThreadJoins are joined by the calling thread just before the clone. They can only be
	// network, ipc, uts and cgroup namespaces. They are for namespaces that are not owned by
	// init's future user namespace, so that init could not join them later. If there are any,
	// the caller must run on a locked thread that it never unlocks.
	ThreadJoins []Join
	// CgroupDir is a cgroup v2 directory in which init is started (CLONE_INTO_CGROUP); nil for
	// none.
	CgroupDir *os.File
	// CgroupTasks are cgroup v1 `tasks` files open for writing: init moves
	// itself by writing "0" to each.
	CgroupTasks []*os.File
	// ChildTasks are `tasks` files that only the child in a joined pid namespace uses to move
	// itself, so that an init that is about to end does not count in that cgroup.
	ChildTasks []*os.File
	// ResetAffinity lets init run on every CPU of its cgroup, once it is there, instead of only
	// those of the caller.
	ResetAffinity bool
	// Joins are joined in order, after the cgroup moves. If one of them is a pid namespace,
	// init forks after it has applied the plan, and the child goes on (see Configure): other
	// processes there only ever see a process with the rights, the root and the descriptors of
	// the program.
	Joins []Join
	// TimeOffsets is the text for /proc/self/timens_offsets (time_namespaces(7)),
	// used when NewNamespaces has CLONE_NEWTIME.
	TimeOffsets string
	// Deferred starts init without its first message, which Bootstrap sends later, so that its
	// content need not be ready before the clone.
	Deferred bool
	// ProcContexts is how many procfs contexts (fsopen(2)) init creates. For a joined pid
	// namespace OpenProcContexts creates them.
	ProcContexts int
	// Notifies means that the plan will have a Listener.
	Notifies bool
	// NamespaceFDs requests init's own namespace files, for a caller that may not use setns(2)
	// with init's pidfd.
	NamespaceFDs bool
	// UIDMappings and GIDMappings are the id maps of a new user namespace, written before init
	// runs, unless MapIDs is set.
	UIDMappings, GIDMappings []syscall.SysProcIDMap
	// DenySetgroups forbids setgroups(2) in the new user namespace. An unprivileged caller must
	// do so to be allowed to write GIDMappings.
	DenySetgroups bool
	// KeepGroups lets init keep the caller's supplementary groups, which it otherwise drops
	// when it becomes the owner of a new user namespace.
	KeepGroups bool
	// MapIDs, if not nil, writes the id maps of the new user namespace of process pid in
	// another way (newuidmap(1)). Init waits for it.
	MapIDs func(pid int) error
	// OwnerUID and OwnerGID are init's ids in a user namespace, new or joined, until it has its
	// plan. They own everything that it creates until then. In a new namespace they must be
	// mapped. In a joined one, init keeps its ids if they are not mapped. It has all
	// capabilities in either case.
	OwnerUID, OwnerGID uint32

	// Track gets what init does, as far as its messages tell.
	Track trace.Track

	// opener is for OpenProcContexts.
	opener bool
}

// Init is a started init process. The caller owns it, must Close it, and must reap it as its
// child, with wait4(2) or [Init.Abort].
//
// Its methods are for one goroutine at a time, except for Interrupt, which may end a wait in
// another.
type Init struct {
	// PID is init's process id in the caller's pid namespace. It may be another one after
	// Bootstrap, and after Configure.
	PID int
	// PIDFD refers to init. It is open until Close.
	PIDFD *os.File

	sock *os.File
	// helper sends the seccomp listener; nil for none.
	helper *helper
	// joinsPID means that init joins a pid namespace, and so goes on as its child during
	// Configure.
	joinsPID bool
	// forked is the pid of the process that has reported that it is the child, 0 if none has
	// yet.
	forked int
	// sender is the pid of the process that sent the last received message.
	sender int
	// mu protects PIDFD and interrupted, because Interrupt may be called at any time.
	mu          sync.Mutex
	interrupted bool
	// names are for errors.
	names fileNames
	// inside is what the first message must contain. insideTaken means that it has been
	// received.
	inside      insideRequest
	insideTaken bool
	// track is Options.Track. entering is the phase that ends with the first message.
	track    trace.Track
	entering trace.Span
}

// Inside has the file descriptors that init created inside its namespaces. The receiver owns
// them.
type Inside struct {
	// ProcContexts are procfs contexts of fsopen(2), each for one mount.
	ProcContexts []*os.File
	// Namespaces are init's namespace files by CLONE_NEW* flag: those of new and joined
	// namespaces, if Options.NamespaceFDs is set.
	Namespaces map[uint32]*os.File
}

// Close closes all the files.
func (i *Inside) Close() error {
	var errs []error
	for _, f := range i.ProcContexts {
		errs = append(errs, f.Close())
	}
	for _, f := range i.Namespaces {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Plan has everything that init needs to become the user's process.
type Plan struct {
	Args, Env []string
	// Path is the program to execute, if it is not to be looked up by Args[0]. PATH is not
	// used.
	Path string
	// Program is the program to execute, open for reading, instead of a path.
	Program *os.File
	// Cwd is absolute.
	Cwd string
	// Root is a directory to chroot into first (no pivot_root); nil for none.
	Root *os.File
	// Console is the pty peer that becomes fds 0, 1 and 2 and the controlling terminal; nil for
	// none. It needs NewSession.
	Console *os.File
	// UID, GID, Groups and Umask are the credentials. SetGroups false keeps the
	// supplementary groups.
	UID, GID uint32
	// OwnStreams are the standard streams whose owner init changes to UID.
	OwnStreams [3]bool
	Groups     []uint32
	SetGroups  bool
	Umask      uint32
	// Capability sets, bit n for capability n. An ambient one that is not both
	// permitted and inheritable is skipped.
	Bounding, Effective, Permitted, Inheritable, Ambient uint64
	NoNewPrivileges                                      bool
	// KeepCredentials leaves ids, groups, capabilities and umask unchanged (for createContainer
	// hooks).
	KeepCredentials bool
	// Keyring is the name of a new session keyring; "" keeps the present one.
	Keyring string
	// Rlimits are set last of everything that can fail. Init can lower limits but cannot always
	// raise a hard one: the caller does that from outside, beforehand.
	Rlimits []Rlimit
	// NewSession calls setsid(2).
	NewSession bool
	// Seccomp is a compiled filter (an array of struct sock_filter), nil for none; SeccompFlags
	// are those of seccomp(2). A useful filter must allow write, openat, close and execve, and
	// without NoNewPrivileges also the calls that change credentials.
	Seccomp      []byte
	SeccompFlags uint32
	// Listener passes the descriptor that the filter notifies to the agent. It must be set with
	// SECCOMP_FILTER_FLAG_NEW_LISTENER and only then. Configure calls it once, as soon as the
	// filter is loaded, and closes the file when Listener has returned. From then on any system
	// call of init may wait for an answer, and Configure with it.
	Listener func(*os.File) error
	// AppArmor is the profile and SELinux the label that take effect with the exec; SELinux is
	// also the label of a new keyring. "" means none. Either is an error if the kernel does not
	// have that security module.
	AppArmor, SELinux string
	// Landlock is a ruleset (landlock_create_ruleset(2)) that confines the program and
	// the hooks; nil for none.
	Landlock *os.File
	// Personality is the execution domain (personality(2)); nil means unchanged.
	Personality *uint32
	// MemoryPolicy is the NUMA policy (set_mempolicy(2)); nil means unchanged.
	MemoryPolicy *MemoryPolicy
	// Fifos are the fifos that `start` writes to and reads from (AwaitExec), each open for
	// reading and writing. If nil, init waits for Proceed instead.
	Fifos *[2]*os.File
	// AtOnce lets init execute the program without waiting. Configure then returns after the
	// exec, as Proceed does. A filter need not allow the wait either.
	AtOnce bool
	// Born, if not nil, is called when PID and PIDFD are those of the process that will execute
	// the program. The process waits until Born has returned. Configure returns its error.
	Born func() error
	// ListenPID makes init complete LISTEN_PID= in Env with the program's pid in its own pid
	// namespace (sd_listen_fds(3)).
	ListenPID bool
	// Hooks run just before the exec, with HookState as their stdin.
	Hooks     []Hook
	HookState []byte
	// HookStdout and HookStderr are the hooks' outputs. If one is nil, the output is kept for
	// the error of a hook that fails.
	HookStdout, HookStderr *os.File
}

// MemoryPolicy has the arguments of set_mempolicy(2).
type MemoryPolicy struct {
	// Mode is the OR of MPOL_* and MPOL_F_*.
	Mode uint32
	// Nodes is the node mask, bit n%64 of word n/64 for node n; empty for none.
	Nodes []uint64
}

// Rlimit is one resource limit (setrlimit(2)).
type Rlimit struct {
	Resource   int
	Soft, Hard uint64
}

// Hook is a startContainer hook.
type Hook struct {
	Path string
	// Args is argv; if empty, just Path.
	Args []string
	Env  []string
	// TimeoutSeconds kills the hook; 0 means no limit.
	TimeoutSeconds int
}

// ErrInitGone is returned if init died without a report (it was killed, for example by the OOM
// killer).
var ErrInitGone = errors.New("init process is gone")

// errNoInit is returned by Start in a build without init for its architecture.
var errNoInit = errors.New("this build has no init program (see nsenter/build.mk)")
