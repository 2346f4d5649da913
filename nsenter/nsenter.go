// SPDX-License-Identifier: Apache-2.0

// Package nsenter starts berth's init: the small static C program that is the
// only code of berth's own that ever runs as a process inside a container.
//
// The runtime starts it from a sealed memfd in all new namespaces at once
// ([Start]), waits for the file descriptors that only a process inside can make
// ([Init.Namespaces]), builds the container, hands it its plan
// ([Init.Configure]), and leaves it waiting for `start`, or tells it to
// exec ([Init.Proceed]). init/wire.h draws the conversation.
//
// The package starts and talks to init; it decides nothing about containers.
// Its one invariant: whatever fails, no process, no zombie and no descriptor of
// its making is left behind.
//
// The C part is in init/, its build in build.mk. Without a built init the
// package compiles all the same and [Start] says what is missing.
package nsenter

import (
	"errors"
	"os"
	"sync"
	"syscall"
)

// Join is one existing namespace for init to join with setns(2).
type Join struct {
	// Type is the CLONE_NEW* flag of the namespace.
	Type uint32
	// FD is an nsfs file, or a pidfd (then Type may be an OR of several).
	FD *os.File
}

// Options say how init is started and what it does before it has its plan. All
// files stay the caller's, who may close them as soon as Start has returned.
type Options struct {
	// Stdio become init's fds 0, 1 and 2. A nil one is /dev/null.
	Stdio [3]*os.File
	// ExtraFiles become fds 3, 4, … of init and of the process it execs. The
	// number of a nil one stays closed, or may be taken by init meanwhile, but
	// is closed again at the exec.
	ExtraFiles []*os.File
	// NewNamespaces is the OR of the CLONE_NEW* flags of what is new. Most are
	// cloned with, but some are unshared by init: a cgroup namespace because it
	// must come after the move into the cgroup, a time namespace because its
	// offsets must be written before anybody is in it, an ipc namespace in a new
	// user namespace because its mqueue file system is owned by who makes it, and
	// all of them when Joins has a user namespace, which is to own them.
	NewNamespaces uintptr
	// ThreadJoins are joined by the calling thread just before the clone, network,
	// ipc, uts and cgroup namespaces alone: for those that the user namespace that init
	// is going to be in does not own, so that init could not join them any more. The
	// caller must run on a locked thread that it never unlocks when there are any.
	ThreadJoins []Join
	// CgroupDir is a cgroup v2 directory to be born in (CLONE_INTO_CGROUP); nil
	// for none.
	CgroupDir *os.File
	// CgroupTasks are cgroup v1 `tasks` files open for writing: init moves
	// itself by writing "0" to each.
	CgroupTasks []*os.File
	// ChildTasks are those that only the child in a joined pid namespace moves itself by:
	// an init that is about to end takes no room there.
	ChildTasks []*os.File
	// ResetAffinity lets init run on every CPU of its cgroup, once it is there,
	// instead of those of the caller.
	ResetAffinity bool
	// Joins are joined in order, after the cgroup moves. With a pid namespace among
	// them init forks when it has carried out the plan, and it is the child that goes
	// on (see Configure): others that are in there see a process with the rights, the
	// root and the descriptors of the program, and nothing else.
	Joins []Join
	// TimeOffsets is the text for /proc/self/timens_offsets (time_namespaces(7)),
	// used when NewNamespaces has CLONE_NEWTIME.
	TimeOffsets string
	// Deferred starts init without its first message, which Bootstrap sends: what
	// goes into that need not be there before the clone.
	Deferred bool
	// ProcContexts is how many procfs contexts (fsopen(2)) init shall make. Of a pid
	// namespace that is joined OpenProcContexts makes them.
	ProcContexts int
	// Notifies says that the plan will have a Listener.
	Notifies bool
	// NamespaceFDs asks for init's own namespace files: where the caller may not
	// use setns(2) with init's pidfd.
	NamespaceFDs bool
	// UIDMappings and GIDMappings are the id maps of a new user namespace,
	// written before init runs, unless there is MapIDs.
	UIDMappings, GIDMappings []syscall.SysProcIDMap
	// DenySetgroups forbids setgroups(2) in the new user namespace, without
	// which an unprivileged caller may not write GIDMappings.
	DenySetgroups bool
	// KeepGroups leaves init the caller's supplementary groups, which it would give up
	// when it becomes the owner of a new user namespace.
	KeepGroups bool
	// MapIDs writes the id maps of a new user namespace into the files of
	// process pid, in a way of its own (newuidmap(1)). Init waits for it.
	MapIDs func(pid int) error
	// OwnerUID and OwnerGID are who init is in a user namespace, new or joined,
	// until it has its plan, and so who owns what is made meanwhile. In a new one
	// they must be mapped; in one that is joined, init stays who it is when they
	// are not. It has all capabilities in either case.
	OwnerUID, OwnerGID uint32

	// opener is for OpenProcContexts.
	opener bool
}

// Init is a started init process. The caller owns it and must Close it, and
// reap it as its child, with wait4(2) or [Init.Abort].
//
// Its methods are for one goroutine at a time, but for Abort, which may end a
// wait in another.
type Init struct {
	// PID is init's process id in the caller's pid namespace. It may be another one after
	// Bootstrap, and after Configure.
	PID int
	// PIDFD refers to init; open until Close.
	PIDFD *os.File

	sock *os.File
	// helper sends the seccomp listener; nil for none.
	helper *helper
	// joinsPID says that init joins a pid namespace, and so goes on as its child in the
	// course of Configure.
	joinsPID bool
	// forked is the pid of who has said that it is the child, 0 for nobody yet.
	forked int
	// sender is the pid of who has sent what was received last.
	sender int
	// mu is for PIDFD and interrupted, since Interrupt may come at any moment.
	mu          sync.Mutex
	interrupted bool
	// names are for errors.
	names fileNames
	// inside is what the first message has to bring; insideTaken says that it
	// has come.
	inside      insideRequest
	insideTaken bool
}

// Inside are the file descriptors that init made from inside its namespaces.
// The receiver owns them.
type Inside struct {
	// ProcContexts are procfs contexts of fsopen(2), each good for one mount.
	ProcContexts []*os.File
	// Namespaces are init's namespace files by CLONE_NEW* flag: those that are
	// new or joined, if Options.NamespaceFDs asked for them.
	Namespaces map[uint32]*os.File
}

// Close closes what it holds.
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

// Plan is all that init needs to become the user's process.
type Plan struct {
	Args, Env []string
	// Path is the program to exec when it is not to be looked up by Args[0]; a
	// path as it stands, without PATH.
	Path string
	// Program is the program to exec, open for reading, instead of any path.
	Program *os.File
	// Cwd is absolute.
	Cwd string
	// Root is a directory to chroot into first (no pivot_root); nil for none.
	Root *os.File
	// Console is the pty peer that becomes fds 0, 1 and 2 and the controlling
	// terminal; nil for none. It takes NewSession.
	Console *os.File
	// UID, GID, Groups and Umask are the credentials. SetGroups false keeps the
	// supplementary groups.
	UID, GID uint32
	// OwnStreams are the standard streams that init gives to UID.
	OwnStreams [3]bool
	Groups     []uint32
	SetGroups  bool
	Umask      uint32
	// Capability sets, bit n for capability n. An ambient one that is not both
	// permitted and inheritable is skipped.
	Bounding, Effective, Permitted, Inheritable, Ambient uint64
	NoNewPrivileges                                      bool
	// KeepCredentials skips ids, groups, capabilities and umask altogether (for
	// createContainer hooks).
	KeepCredentials bool
	// Keyring is the name of a new session keyring; "" keeps the present one.
	Keyring string
	// Rlimits are set last of all that can fail. Init may lower limits but not
	// always raise a hard one: the caller does that from outside, beforehand.
	Rlimits []Rlimit
	// NewSession calls setsid(2).
	NewSession bool
	// Seccomp is a compiled filter (an array of struct sock_filter), nil for
	// none; SeccompFlags are those of seccomp(2). A filter must allow write,
	// openat, close and execve to be of use, and without NoNewPrivileges also
	// the calls that change credentials.
	Seccomp      []byte
	SeccompFlags uint32
	// Listener hands the descriptor that the filter notifies over to who
	// answers; it comes with SECCOMP_FILTER_FLAG_NEW_LISTENER and only then.
	// Configure calls it once, as soon as the filter is loaded. The file is
	// Configure's, and closed when Listener has returned. From then on any
	// system call of init may wait for an answer, and Configure with it.
	Listener func(*os.File) error
	// AppArmor is the profile and SELinux the label that the exec brings, and a new
	// keyring's label too; "" for none. Either is an error where the kernel does
	// not have that security module.
	AppArmor, SELinux string
	// Landlock is a ruleset (landlock_create_ruleset(2)) that confines the program and
	// the hooks; nil for none.
	Landlock *os.File
	// Personality is the execution domain (personality(2)); nil keeps it.
	Personality *uint32
	// MemoryPolicy is the NUMA policy (set_mempolicy(2)); nil keeps it.
	MemoryPolicy *MemoryPolicy
	// Fifos are those that `start` writes to and reads from (AwaitExec), each open for
	// reading and writing; nil: init waits for Proceed instead.
	Fifos *[2]*os.File
	// AtOnce lets init exec without waiting for anything: Configure then returns
	// when it has, as Proceed does. A filter need not allow the wait either.
	AtOnce bool
	// Born, if not nil, is called when PID and PIDFD are those of the process that will
	// exec the program, which does not go on before Born has returned. An error is
	// Configure's.
	Born func() error
	// ListenPID has init complete a LISTEN_PID= of Env with the pid of the program as it
	// sees itself (sd_listen_fds(3)).
	ListenPID bool
	// Hooks run just before the exec, HookState being their stdin.
	Hooks     []Hook
	HookState []byte
	// HookStdout and HookStderr are the hooks' outputs; what is nil is kept for
	// the error of a hook that fails.
	HookStdout, HookStderr *os.File
}

// MemoryPolicy are the arguments of set_mempolicy(2).
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
	// Args are argv; when empty, Path alone.
	Args []string
	Env  []string
	// TimeoutSeconds kills the hook; 0 means no limit.
	TimeoutSeconds int
}

// ErrInitGone is returned when init died without saying why (killed, for
// example by the OOM killer).
var ErrInitGone = errors.New("init process is gone")

// ErrNoInit is returned by Start of a build that has no init for its
// architecture.
var ErrNoInit = errors.New("this build has no init program (see nsenter/build.mk)")
