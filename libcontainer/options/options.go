// SPDX-License-Identifier: Apache-2.0

// Package options has the options of libcontainer's commands: the caller's streams, sockets and
// files, and how a checkpoint is to be made.
package options

import "os"

// Logger receives warnings and debug messages.
type Logger interface {
	Warnf(format string, args ...any)
	Debugf(format string, args ...any)
	// Debugging reports whether debug messages are logged at all.
	Debugging() bool
}

// Create are the options of a create, besides the plan.
type Create struct {
	// Stdio are the container's standard streams; a nil one is /dev/null.
	Stdio [3]*os.File
	// PreserveFDs passes the caller's fds 3 to 3+n-1 on to the process.
	PreserveFDs int
	// ConsoleSocket gets the pty master (SCM_RIGHTS); "" for none.
	ConsoleSocket string
	// PIDFDSocket gets a pidfd of init (SCM_RIGHTS); "" for none.
	PIDFDSocket string
	// PIDFile gets init's pid, atomically; "" for none.
	PIDFile string
	// Console receives the pty master in the foreground; used when the process
	// has a terminal and there is no ConsoleSocket.
	Console func(master *os.File) error
	// ProcessDocument is the JSON text of the plan's process. It is saved for
	// [Container.ProcessDocument].
	ProcessDocument string
	// Notify gives the container a notify socket of its own. At its start a [Notifier] reads
	// the messages.
	Notify bool
	// ListenFDs are the first of the preserved files, if they are sockets of socket
	// activation.
	ListenFDs ListenFDs
	// Interrupts end the creation early; nil for none.
	Interrupts *Interrupts
	Log        Logger
}

// Exec are the options of an exec, besides the process.
type Exec struct {
	// Stdio are the process's standard streams; a nil one is /dev/null.
	Stdio [3]*os.File
	// PreserveFDs passes the caller's fds 3 to 3+n-1 on to the process.
	PreserveFDs int
	// ListenFDs are the first of these, if they are sockets of socket activation.
	ListenFDs ListenFDs
	// ConsoleSocket gets the pty master (SCM_RIGHTS); "" for none.
	ConsoleSocket string
	// PIDFDSocket gets a pidfd of the process (SCM_RIGHTS); "" for none.
	PIDFDSocket string
	// PIDFile gets the process's pid, atomically; "" for none.
	PIDFile string
	// Console receives the pty master in the foreground; used when the process
	// has a terminal and there is no ConsoleSocket.
	Console func(master *os.File) error
	// Cgroups put the process into cgroups below the container's, as
	// "PATH" or, on cgroup v1, "CONTROLLER[,CONTROLLER]...:PATH".
	Cgroups []string
	// IgnorePaused allows an exec in a paused container. The process starts when the container
	// is resumed.
	IgnorePaused bool
	// Interrupts end the exec early; nil for none.
	Interrupts *Interrupts
}

// ListenFDs are the sockets of socket activation that the caller was started with
// (sd_listen_fds(3)): fds 3 to 3+Count-1.
type ListenFDs struct {
	Count int
	// Names are the names of the sockets, separated by colons; "" for none.
	Names string
}

// CRIU are the options that a checkpoint and a restore have in common. Most are options of criu(8)
// of the same name.
type CRIU struct {
	// Criu is the path of the program; "" means criu in $PATH.
	Criu string
	// ImagePath is the directory of the images, WorkPath that of logs and statistics ("" means
	// ImagePath). A checkpoint makes them if they do not exist.
	ImagePath, WorkPath string
	// ManageCgroupsMode is "soft" (also when empty), "full", "strict" or "ignore".
	ManageCgroupsMode string
	// NetworkLock is "iptables", "nftables" or "skip"; "" is criu's default.
	NetworkLock string
	// EmptyNetwork leaves out the content of the network namespace.
	EmptyNetwork bool
	// PageServer receives the memory pages; nil writes them to the images.
	PageServer *PageServer

	TCPEstablished, ExtUnixSk, ShellJob, FileLocks, LazyPages, AutoDedup, LinkRemap bool
}

// PageServer is the address of a criu page-server.
type PageServer struct {
	Address string
	Port    int
}

// Checkpoint are the options of a checkpoint.
type Checkpoint struct {
	CRIU
	// ParentPath is the directory of the images of the pre-dump before this one,
	// relative to ImagePath; "" for none.
	ParentPath string
	// PreDump saves only memory and leaves the container running. A later checkpoint saves what
	// has changed since.
	PreDump bool
	// LeaveRunning leaves the container running. Otherwise it is deleted.
	LeaveRunning bool
	// TCPSkipInFlight leaves out connections that are not established yet.
	TCPSkipInFlight bool
	// StatusFD receives a zero byte when LazyPages is ready to serve pages; nil for none.
	StatusFD *os.File
	Log      Logger
}

// Restore are the options of a restore.
type Restore struct {
	Create
	CRIU
	// TCPClose restores connections as closed ones.
	TCPClose bool
	// LSMProfile is "TYPE:LABEL", where TYPE is apparmor or selinux; "" keeps that of the
	// checkpoint.
	LSMProfile string
	// LSMMountContext replaces the SELinux label of mounts that had one.
	LSMMountContext string
}
