// SPDX-License-Identifier: Apache-2.0

package configs

import "github.com/opencontainers/runtime-spec/specs-go"

// Process is a process to run in a container: its init, or one added by exec.
type Process struct {
	// Terminal asks for a pty of the container's devpts as the process's
	// stdio and controlling terminal.
	Terminal bool
	// ConsoleSize is the initial size of the pty in characters; nil keeps the kernel's default.
	ConsoleSize *specs.Box
	// Args is the command line, never empty. Args[0] is looked up in the PATH of Env unless it
	// contains a slash.
	Args []string
	// Env holds "NAME=value" entries, each NAME once. HOME may be missing: the engine then
	// takes it from the container's /etc/passwd.
	Env []string
	// Cwd is absolute and clean.
	Cwd string
	// UID and GID are ids inside the container's user namespace.
	UID, GID       uint32
	AdditionalGIDs []uint32
	// KeepGroups keeps the caller's supplementary groups for the process, instead of
	// AdditionalGIDs (run.oci.keep_original_groups).
	KeepGroups bool
	// Umask is set before the process runs. It is 0022 if the config has none.
	Umask uint32
	// Capabilities are bit sets: bit n stands for capability n (capabilities(7)). If the config
	// has none, all sets are empty.
	Capabilities Capabilities
	Rlimits      []Rlimit
	// NoNewPrivileges sets the bit of prctl(PR_SET_NO_NEW_PRIVS).
	NoNewPrivileges bool
	// OOMScoreAdj is written to /proc/PID/oom_score_adj; nil keeps the present value.
	OOMScoreAdj *int
	// AppArmorProfile and SELinuxLabel take effect at the exec.
	AppArmorProfile, SELinuxLabel string
	// Landlock are rules for the process; nil for none.
	Landlock *Landlock
	// Scheduler and IOPriority are nil if the config has none.
	Scheduler  *Scheduler
	IOPriority *IOPriority
	// ExecCPUAffinity is used only for processes added by exec; nil for none.
	ExecCPUAffinity *CPUAffinity
}

// Rlimit is one resource limit (setrlimit(2)).
type Rlimit struct {
	// Name is the spec's name, for errors: "RLIMIT_NOFILE".
	Name string
	// Resource is its number.
	Resource   int
	Soft, Hard uint64
}
