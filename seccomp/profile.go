// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"errors"
	"fmt"
	"slices"

	"github.com/berth-run/berth/libcontainer/configs"
	"github.com/berth-run/berth/seccomp/internal/filter"
	"github.com/berth-run/berth/seccomp/internal/syscalls"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// actionNames maps the spec's actions to the results of a filter.
var actionNames = [...]struct {
	name specs.LinuxSeccompAction
	ret  uint32
}{
	{specs.ActAllow, unix.SECCOMP_RET_ALLOW},
	{specs.ActErrno, unix.SECCOMP_RET_ERRNO},
	{specs.ActKill, unix.SECCOMP_RET_KILL_THREAD},
	{specs.ActKillProcess, unix.SECCOMP_RET_KILL_PROCESS},
	{specs.ActKillThread, unix.SECCOMP_RET_KILL_THREAD},
	{specs.ActLog, unix.SECCOMP_RET_LOG},
	{specs.ActNotify, unix.SECCOMP_RET_USER_NOTIF},
	{specs.ActTrace, unix.SECCOMP_RET_TRACE},
	{specs.ActTrap, unix.SECCOMP_RET_TRAP},
}

// opNames maps the spec's operators to those of a filter.
var opNames = [...]struct {
	name specs.LinuxSeccompOperator
	op   filter.Op
}{
	{specs.OpEqualTo, filter.Equal},
	{specs.OpGreaterEqual, filter.GreaterOrEqual},
	{specs.OpGreaterThan, filter.GreaterThan},
	{specs.OpLessEqual, filter.LessOrEqual},
	{specs.OpLessThan, filter.LessThan},
	{specs.OpMaskedEqual, filter.MaskedEqual},
	{specs.OpNotEqual, filter.NotEqual},
}

// maxErrno is the highest error number that the kernel returns (MAX_ERRNO). It silently reduces
// higher ones to it.
const maxErrno = 4095

// request is a checked profile, with the names of actions and operators converted to numbers.
type request struct {
	// def is the action for a system call without a rule, as the filter returns it:
	// SECCOMP_RET_* with its data.
	def uint32
	// stub means that system calls newer than the profile return ENOSYS.
	stub bool
	// archs are the spec's names of the architectures, except for the native one.
	archs []string
	rules []rule
}

// rule is one rule; all its args must match. One entry of the profile may have become
// several.
type rule struct {
	// action is like request.def. A rule with the default action has no effect, but its names
	// still say how new the profile is.
	action uint32
	names  []string
	args   []filter.Arg
}

// newRequest checks a profile and returns the request for it.
func newRequest(p *specs.LinuxSeccomp) (*request, error) {
	req, errs := checkProfile(p)
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return req, nil
}

// checkProfile is newRequest with all errors.
func checkProfile(p *specs.LinuxSeccomp) (req *request, errs []error) {
	def, err := parseAction(p.DefaultAction, p.DefaultErrnoRet, "defaultAction", "defaultErrnoRet")
	if err != nil {
		errs = append(errs, fmt.Errorf("linux.seccomp.%w", err))
	}
	if err == nil && def == unix.SECCOMP_RET_USER_NOTIF && p.ListenerPath == "" {
		errs = append(errs, fmt.Errorf("linux.seccomp.listenerPath: %s, but defaultAction is %s", configs.PhraseSeccompNoPath, specs.ActNotify))
	}
	archs, err := parseArchs(p.Architectures)
	if err != nil {
		errs = append(errs, err)
	}
	req = &request{def: def, stub: wantsStub(def), archs: archs}
	req.rules = make([]rule, 0, len(p.Syscalls))
	for i := range p.Syscalls {
		s := &p.Syscalls[i]
		if err := addRules(req, s); err != nil {
			errs = append(errs, fmt.Errorf("linux.seccomp.syscalls[%d].%w", i, err))
		}
		if s.Action == specs.ActNotify && p.ListenerPath == "" {
			errs = append(errs, fmt.Errorf("linux.seccomp.listenerPath: %s, but syscalls[%d] has %s", configs.PhraseSeccompNoPath, i, specs.ActNotify))
		}
	}
	return req, errs
}

// wantsStub reports whether system calls newer than the profile return ENOSYS. They do not if
// the default action allows them, or is ENOSYS already.
func wantsStub(def uint32) bool {
	switch def & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_TRACE, unix.SECCOMP_RET_USER_NOTIF:
		return false
	}
	return def != unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS)
}

// parseAction returns the result of a filter for an action. The field names are for errors.
func parseAction(a specs.LinuxSeccompAction, errno *uint, field, errnoField string) (uint32, error) {
	i := slices.IndexFunc(actionNames[:], func(n struct {
		name specs.LinuxSeccompAction
		ret  uint32
	},
	) bool {
		return n.name == a
	})
	if i < 0 {
		return 0, fmt.Errorf("%s: "+configs.PhraseSeccompAction, field, a)
	}
	ret := actionNames[i].ret
	var limit uint
	switch ret {
	case unix.SECCOMP_RET_ERRNO:
		limit = maxErrno
	case unix.SECCOMP_RET_TRACE:
		limit = unix.SECCOMP_RET_DATA
	default:
		if errno != nil {
			return 0, fmt.Errorf("%s: action %s has no error number", errnoField, a)
		}
		return ret, nil
	}
	if errno == nil {
		return ret | uint32(unix.EPERM), nil
	}
	if *errno > limit {
		return 0, fmt.Errorf("%s: %d is above %d", errnoField, *errno, limit)
	}
	return ret | uint32(*errno), nil
}

// parseArchs checks the list and sorts it: its order has no meaning.
func parseArchs(list []specs.Arch) ([]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	names := make([]string, 0, len(list))
	for i, a := range list {
		if !syscalls.IsArch(string(a)) {
			return nil, fmt.Errorf("linux.seccomp.architectures[%d]: "+configs.PhraseSeccompArch, i, a)
		}
		names = append(names, string(a))
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// addRules adds the rules for one entry of the profile. There are several if an argument is
// checked twice.
func addRules(req *request, s *specs.LinuxSyscall) error {
	act, err := parseAction(s.Action, s.ErrnoRet, "action", "errnoRet")
	if err != nil {
		return err
	}
	for i, name := range s.Names {
		if name == "" {
			return fmt.Errorf("names[%d]: is empty", i)
		}
	}
	args, twice, err := parseArgs(s.Args)
	if err != nil {
		return err
	}
	if !twice {
		req.rules = append(req.rules, rule{action: act, names: s.Names, args: args})
		return nil
	}
	// libseccomp cannot check an argument twice in one rule, so other runtimes made a rule of
	// each check. Profiles have come to rely on this: then it is enough if one check succeeds.
	for i := range args {
		req.rules = append(req.rules, rule{action: act, names: s.Names, args: args[i : i+1]})
	}
	return nil
}

// parseArgs converts the checks of one entry. twice reports whether two of them are of the same
// argument.
func parseArgs(list []specs.LinuxSeccompArg) (args []filter.Arg, twice bool, err error) {
	if len(list) == 0 {
		return nil, false, nil
	}
	var seen [6]bool
	args = make([]filter.Arg, 0, len(list))
	for i := range list {
		a := &list[i]
		if a.Index >= uint(len(seen)) {
			return nil, false, fmt.Errorf("args[%d].index: "+configs.PhraseSeccompArguments, i, a.Index)
		}
		op, err := parseOp(a.Op)
		if err != nil {
			return nil, false, fmt.Errorf("args[%d].op: %w", i, err)
		}
		twice = twice || seen[a.Index]
		seen[a.Index] = true
		arg := filter.Arg{Index: uint8(a.Index), Op: op, Value: a.Value}
		if op == filter.MaskedEqual {
			// Bits outside the mask could never match; libseccomp ignores them.
			arg.ValueTwo = a.ValueTwo & a.Value
		}
		args = append(args, arg)
	}
	return args, twice, nil
}

func parseOp(name specs.LinuxSeccompOperator) (filter.Op, error) {
	for _, n := range opNames {
		if n.name == name {
			return n.op, nil
		}
	}
	if name == "" {
		return 0, errors.New("is missing")
	}
	return 0, fmt.Errorf(configs.PhraseSeccompOperator, name)
}
