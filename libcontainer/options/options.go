// SPDX-License-Identifier: Apache-2.0

// Package options is what the commands of libcontainer take besides a plan: streams, sockets
// and files of the caller's, and what he wants a checkpoint to be like.
package options

import "os"

// Logger is how the engine tells what is not an error.
type Logger interface {
	Warnf(format string, args ...any)
	Debugf(format string, args ...any)
	// Debugging says whether what Debugf gets is read by anybody.
	Debugging() bool
}

// Create are what a create adds to the plan.
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
	// ProcessDocument is the JSON text that the plan's process was made of. It is
	// kept for [Container.ProcessDocument].
	ProcessDocument string
	// Notify gives the container a notify socket of its own, for whose messages
	// there is a [Notifier] at its start.
	Notify bool
	// ListenFDs says that the first of the preserved files are sockets of socket
	// activation.
	ListenFDs ListenFDs
	// Interrupts end the creation early; nil for none.
	Interrupts *Interrupts
	Log        Logger
}

// Exec are what an exec adds to the process.
type Exec struct {
	// Stdio are the process's standard streams; a nil one is /dev/null.
	Stdio [3]*os.File
	// PreserveFDs passes the caller's fds 3 to 3+n-1 on to the process.
	PreserveFDs int
	// ListenFDs says that the first of those are sockets of socket activation.
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
	// IgnorePaused takes a paused container; the process begins when it is resumed.
	IgnorePaused bool
	// Interrupts end the exec early; nil for none.
	Interrupts *Interrupts
}

// ListenFDs are the sockets of socket activation that the caller was started with
// (sd_listen_fds(3)): fds 3 to 3+Count-1.
type ListenFDs struct {
	Count int
	// Names are those of the sockets, divided by colons; "" for none.
	Names string
}

// CRIU are what a checkpoint and a restore have in common. Most are options of
// criu(8) by the same name.
type CRIU struct {
	// Criu is the program; "" looks for criu in $PATH.
	Criu string
	// ImagePath is the directory of the images, WorkPath that of logs and statistics;
	// "" is ImagePath. A checkpoint makes what is missing.
	ImagePath, WorkPath string
	// ManageCgroupsMode is "soft" (also when empty), "full", "strict" or "ignore".
	ManageCgroupsMode string
	// NetworkLock is "iptables", "nftables" or "skip"; "" is criu's default.
	NetworkLock string
	// EmptyNetwork leaves the content of the network namespace out.
	EmptyNetwork bool
	// PageServer is where memory pages go; nil for the images.
	PageServer *PageServer

	TCPEstablished, ExtUnixSk, ShellJob, FileLocks, LazyPages, AutoDedup, LinkRemap bool
}

// PageServer is the address of a criu page-server.
type PageServer struct {
	Address string
	Port    int
}

// Checkpoint say what a checkpoint is to be like.
type Checkpoint struct {
	CRIU
	// ParentPath is the directory of the images of the pre-dump before this one,
	// relative to ImagePath; "" for none.
	ParentPath string
	// PreDump saves memory only and lets the container run, for another checkpoint to
	// save what has changed since.
	PreDump bool
	// LeaveRunning lets the container run. Otherwise it is deleted.
	LeaveRunning bool
	// TCPSkipInFlight leaves out connections that are not established yet.
	TCPSkipInFlight bool
	// StatusFD gets a zero byte when LazyPages can be asked for pages; nil for none.
	StatusFD *os.File
	Log      Logger
}

// Restore say how a container is made of a checkpoint.
type Restore struct {
	Create
	CRIU
	// TCPClose restores connections as closed ones.
	TCPClose bool
	// LSMProfile is "TYPE:LABEL", apparmor or selinux; "" is that of the checkpoint.
	LSMProfile string
	// LSMMountContext takes the place of the SELinux label of mounts that had one.
	LSMMountContext string
}
