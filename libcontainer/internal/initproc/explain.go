// SPDX-License-Identifier: Apache-2.0

package initproc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/berth-run/berth/libcontainer/codes"
	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/libcontainer/internal/procs"
	"github.com/berth-run/berth/nsenter"
	"github.com/berth-run/berth/seccomp"
	"golang.org/x/sys/unix"
)

// Describe adds what a failure of init means to the reader, and begins with the phrase. joined
// are the namespaces that init may have been about to join. mapping is set if init is in a user
// namespace other than the runtime's. p is the process that it was to become, and filter the
// filter that it had loaded, if any.
func Describe(err error, phrase string, joined configs.Namespaces, mapping *Mapping, p *configs.Process, filter []byte) error {
	var step *nsenter.StepError
	if !errors.As(err, &step) {
		return err
	}
	err = codes.With(codeOf(step), err)
	if field := initField(step, joined, p); field != "" {
		err = fmt.Errorf("%s: %w", field, err)
	}
	if why := initReason(step, mapping != nil, p); why != "" {
		err = fmt.Errorf("%w (%s)", err, why)
	}
	return configs.PutPhrase(phrase, ExplainProgram(err, p, mapping, filter))
}

// codeOf returns the kind of error that a failure of init is.
func codeOf(step *nsenter.StepError) codes.Code {
	switch step.Step {
	case nsenter.StepChdir, nsenter.StepVerifyCwd:
		return codes.CwdFailed
	case nsenter.StepJoin, nsenter.StepUnshare:
		return codes.NamespaceFailed
	case nsenter.StepSetgroups, nsenter.StepSetgid, nsenter.StepSetuid:
		return codes.UserFailed
	case nsenter.StepBounding, nsenter.StepCapset, nsenter.StepRlimit:
		return codes.RightsFailed
	case nsenter.StepAppArmor, nsenter.StepSELinux:
		return codes.LabelFailed
	case nsenter.StepSeccomp:
		return codes.SeccompFailed
	case nsenter.StepHook:
		return codes.HookFailed
	case nsenter.StepCgroup:
		return codes.CgroupFailed
	}
	switch {
	case !step.AboutProgram():
		return codes.InitFailed
	case step.Errno == unix.EACCES, step.Errno == unix.EPERM, step.Errno == unix.EISDIR:
		return codes.ExecDenied
	case step.Errno == unix.ENOENT && step.IsExec():
		return codes.ExecInterpreter
	case step.Errno == unix.ENOENT, step.Errno == unix.ENOTDIR, step.Errno == unix.ELOOP && !step.IsExec():
		return codes.ExecNotFound
	case step.Errno == unix.ENOEXEC:
		return codes.ExecFormat
	}
	return codes.ExecFailed
}

// initField returns the field of the config that a step of init carries out; "" if the error of
// the step says enough.
func initField(step *nsenter.StepError, joined configs.Namespaces, p *configs.Process) string {
	switch step.Step {
	case nsenter.StepPersonality:
		return "linux.personality"
	case nsenter.StepMemoryPolicy:
		return "linux.memoryPolicy"
	case nsenter.StepAppArmor:
		return "process.apparmorProfile"
	case nsenter.StepSELinux:
		return "process.selinuxLabel"
	case nsenter.StepSetgroups:
		return "process.user.additionalGids"
	case nsenter.StepBounding:
		return "process.capabilities.bounding"
	case nsenter.StepCapset:
		return "process.capabilities: " + configs.PhraseApplyCaps
	case nsenter.StepSetgid:
		return "process.user.gid"
	case nsenter.StepSetuid:
		return "process.user.uid"
	case nsenter.StepRlimit:
		for i, l := range p.Rlimits {
			if strconv.Itoa(l.Resource) == step.Detail {
				return fmt.Sprintf("process.rlimits[%d]: %s: "+configs.PhraseSetRlimit, i, l.Name, l.Resource)
			}
		}
	case nsenter.StepUnshare:
		return "linux.namespaces"
	case nsenter.StepJoin:
		for _, ns := range joined {
			if ns.Path == step.Detail {
				return ns.Field
			}
		}
	}
	return ""
}

// initReason explains the kernel's error number in a step; "" if it is clear, or there is no
// way to tell.
func initReason(step *nsenter.StepError, mapped bool, p *configs.Process) string {
	const unmapped = "%d is not mapped in the user namespace"
	switch {
	case step.Step == nsenter.StepUnshare && step.Errno == unix.ENOSPC:
		return nsenter.NamespaceLimit
	case step.Step == nsenter.StepMemoryPolicy && step.Errno == unix.ENOSYS:
		return "the kernel has no NUMA support"
	case step.Step == nsenter.StepSetgid && step.Errno == unix.EINVAL:
		return fmt.Sprintf(unmapped, p.GID)
	case step.Step == nsenter.StepSetuid && step.Errno == unix.EINVAL:
		return fmt.Sprintf(unmapped, p.UID)
	case step.Step == nsenter.StepSetgroups && step.Errno == unix.EINVAL:
		return fmt.Sprintf("not all of %d are mapped in the user namespace", p.AdditionalGIDs)
	case step.Step == nsenter.StepSetgroups && step.Errno == unix.EPERM:
		return "the user namespace may deny it: see /proc/PID/setgroups in user_namespaces(7)"
	case step.Step == nsenter.StepBounding && step.Errno == unix.EPERM:
		return "berth needs CAP_SETPCAP to drop any"
	case step.Step == nsenter.StepCapset && step.Errno == unix.EPERM:
		return capabilitiesReason(&p.Capabilities, mapped)
	}
	return ""
}

// capabilitiesReason returns which of the rules of capset(2) c breaks. In a user namespace of
// its own init has every capability.
func capabilitiesReason(c *configs.Capabilities, mapped bool) string {
	if more := c.Effective &^ c.Permitted; more != 0 {
		return fmt.Sprintf("effective has %q, which permitted does not have", configs.NamesOf(more))
	}
	if more := c.Inheritable &^ c.Bounding; more != 0 {
		return fmt.Sprintf("inheritable has %q, which bounding does not have", configs.NamesOf(more))
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var own [2]unix.CapUserData
	if mapped || unix.Capget(&header, &own[0]) != nil {
		return ""
	}
	permitted := uint64(own[1].Permitted)<<32 | uint64(own[0].Permitted)
	if more := (c.Permitted | c.Inheritable) &^ permitted; more != 0 {
		return fmt.Sprintf("berth itself does not have %q", configs.NamesOf(more))
	}
	return ""
}

// filteredCalls are the system calls that init makes between loading a filter and the exec, in
// this order. With hooks there are more.
var filteredCalls = [...]string{"capset", "prctl", "write", "read", "close", "execve"}

// ExplainEnd explains why init died if init could not report it. filter is the one that it had
// loaded, or was about to load.
func ExplainEnd(err error, ws unix.WaitStatus, filter []byte) error {
	err = codes.With(codes.InitDied, err)
	switch {
	case ws.Signaled() && ws.Signal() == unix.SIGSYS && len(filter) > 0:
		if calls := seccomp.Ends(filter, filteredCalls[:]...); len(calls) > 0 {
			return fmt.Errorf("%w: it was killed by SIGSYS: linux.seccomp ends it for a system call that it needs before the program runs: %s",
				err, strings.Join(calls, ", "))
		}
		return fmt.Errorf("%w: it was killed by SIGSYS: linux.seccomp ends it for a system call that it needs before the program runs", err)
	case procs.WasKilled(ws):
		return fmt.Errorf("%w: it was killed by SIGKILL (by somebody, or by the kernel because it was out of memory)", err)
	case ws.Signaled():
		return fmt.Errorf("%w: it was killed by %s", err, procs.SignalName(ws.Signal()))
	case ws.Exited() && ws.ExitStatus() > procs.ShellSignalBase: // init exits so when a signal stops it
		return fmt.Errorf("%w: it was ended by %s", err, procs.SignalName(unix.Signal(ws.ExitStatus()-procs.ShellSignalBase)))
	}
	return err
}

// ExplainKernel adds the kernel version that is needed if the kernel lacks a system call: all
// the required ones exist since Linux 5.10. Memory policies are optional in any kernel, and
// have an error of their own.
func ExplainKernel(err error) error {
	var step *nsenter.StepError
	if !errors.Is(err, unix.ENOSYS) || (errors.As(err, &step) && step.Step == nsenter.StepMemoryPolicy) {
		return err
	}
	return fmt.Errorf("%w (berth needs Linux 5.10 or newer)", err)
}
